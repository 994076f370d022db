//! Attacks on the copy in Redis. They start servers of their own, and only when `STORE_TEST_REDIS` (and
//! `STORE_TEST_POSTGRES`) is set.

mod lost;

use std::time::Instant;

use redis::Value;
use tokio_util::sync::CancellationToken;

use super::super::super::db::tests::{Fresh, migrated, postgres_fresh};
use super::super::super::redis_server::Server;
use super::super::tests::{commit, later, meaning, revoke, value};
use super::super::{COPY_EVERY, Revocations};
use super::reload::Loading;
use super::*;

/// A server, a database, and one instance whose copy is trusted.
struct Site {
    server: Server,
    db: Db,
    instance: Instance,
    _fresh: Fresh,
}

struct Instance {
    revocations: Revocations,
    redis: Arc<Redis>,
    background: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
}

impl Instance {
    async fn start(db: &Db, url: &str, background: bool) -> Self {
        let revocations = Revocations::start(db.clone(), Some(url)).await.unwrap();
        let super::super::Source::Redis(redis) = &revocations.source else {
            unreachable!()
        };
        let redis = Arc::clone(redis);
        let background = background.then(|| {
            let cancel = CancellationToken::new();
            let task = tokio::spawn(tend_until(Arc::clone(&redis), cancel.clone()));
            (cancel, task)
        });
        Self {
            revocations,
            redis,
            background,
        }
    }

    fn trusts(&self) -> bool {
        self.redis.link().is_some_and(|link| link.is_trusted())
    }

    async fn until_trusted(&self) {
        for _ in 0..500 {
            if self.trusts() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Redis was never trusted");
    }

    async fn die(&mut self) {
        if let Some((cancel, task)) = self.background.take() {
            cancel.cancel();
            task.await.unwrap();
        }
    }
}

/// What a serving process does, as its job does it.
async fn tend_until(redis: Arc<Redis>, cancel: CancellationToken) {
    loop {
        let round = async {
            if redis.tend().await.is_ok() {
                let _ = timeout(COPY_EVERY, redis.woken()).await;
            } else {
                sleep(COPY_EVERY).await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = round => {}
        }
    }
}

async fn site() -> Option<Site> {
    std::env::var("STORE_TEST_REDIS").ok()?;
    let fresh = postgres_fresh().await?;
    let db = migrated(&fresh).await;
    let server = Server::start();
    let instance = Instance::start(&db, &server.url(), true).await;
    instance.until_trusted().await;
    Some(Site {
        server,
        db,
        instance,
        _fresh: fresh,
    })
}

const ONE: Key<'_> = Key::Grant([1; 16]);
const TWO: Key<'_> = Key::Grant([2; 16]);

#[tokio::test]
async fn redis_means_the_same() {
    let Some(site) = site().await else { return };
    meaning(&site.db, &site.instance.revocations).await;
    assert!(site.instance.trusts());
    // A second instance finds the copy complete.
    let other = Instance::start(&site.db, &site.server.url(), true).await;
    other.until_trusted().await;
    assert_eq!(
        value(&other.revocations, Key::Client("web")).await,
        Some(12)
    );
    revoke(&site.db, &other.revocations, TWO, 1).await.unwrap();
    assert_eq!(value(&site.instance.revocations, TWO).await, Some(1));
}

#[tokio::test]
async fn what_was_committed_but_never_published_heals_within_two_seconds() {
    let Some(site) = site().await else { return };
    commit(&site.db, ONE, 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(site.instance.trusts());
    assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));

    // A smaller row number that is committed after a larger one.
    let mut late = site.db.begin().await.unwrap();
    super::super::record(&mut late, &TWO, 1, later())
        .await
        .unwrap();
    commit(&site.db, Key::User([5; 16]), 9).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    late.commit().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(value(&site.instance.revocations, TWO).await, Some(1));

    // The only instance dies between commit and publish; the next one finds a copy that is trusted.
    let mut site = site;
    site.instance.die().await;
    commit(&site.db, Key::Session([3; 16]), 1).await;
    let next = Instance::start(&site.db, &site.server.url(), true).await;
    for _ in 0..50 {
        assert_eq!(
            value(&next.revocations, Key::Session([3; 16])).await,
            Some(1)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(next.trusts());
}

#[tokio::test]
async fn without_redis_checks_go_on_and_success_is_not_claimed() {
    let Some(mut site) = site().await else { return };
    site.server.kill();
    let refused = revoke(&site.db, &site.instance.revocations, ONE, 1).await;
    assert!(refused.unwrap_err().is_unavailable());
    assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));
    let change = site.instance.revocations.publish_change("clients").await;
    assert!(change.unwrap_err().is_unavailable());
    site.server.start_again();
    site.instance.until_trusted().await;
    assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));
    revoke(&site.db, &site.instance.revocations, TWO, 1)
        .await
        .unwrap();
    assert!(site.instance.trusts());
}

/// Another instance still reaches Redis: what this one could not publish is carried there by the other one.
#[tokio::test]
async fn an_unpublished_record_is_carried_by_another_instance() {
    let Some(site) = site().await else { return };
    let cut_off = Instance::start(&site.db, "redis://127.0.0.1:1/", true).await;
    assert!(
        revoke(&site.db, &cut_off.revocations, ONE, 1)
            .await
            .is_err()
    );
    assert_eq!(value(&cut_off.revocations, ONE).await, Some(1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(site.instance.trusts());
    assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));
}

#[tokio::test]
async fn a_dropped_connection_is_no_failure() {
    let Some(site) = site().await else { return };
    for n in 0..20u8 {
        site.server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        revoke(&site.db, &site.instance.revocations, Key::Grant([n; 16]), 1)
            .await
            .unwrap();
        site.server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert_eq!(
            value(&site.instance.revocations, Key::Grant([n; 16])).await,
            Some(1)
        );
    }
    site.instance.until_trusted().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hanging_redis_delays_one_round_of_checks_and_no_more() {
    let Some(site) = site().await else { return };
    site.server.run(&["CLIENT", "PAUSE", "6000", "ALL"]);
    let began = Instant::now();
    assert_eq!(value(&site.instance.revocations, ONE).await, None);
    // Half a second on an idle machine; without the bound it is the whole pause.
    assert!(began.elapsed() < Duration::from_secs(3));
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(value(&site.instance.revocations, ONE).await, None);
    }
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    site.instance.until_trusted().await;
}

#[tokio::test]
async fn an_older_writer_never_overwrites_a_newer_one() {
    let Some(mut site) = site().await else { return };
    site.instance.die().await;
    let link = site.instance.redis.link_or_connect().await.unwrap();
    let write = |seq, kind, version| {
        Write::record((seq, kind, b"k", version), later().micros())
            .into_iter()
            .collect::<Vec<_>>()
    };
    for (seq, kind, version) in [
        (10, 5, 7),
        (9, 5, i64::MAX),
        (10, 5, 8),
        (0, 4, 20),
        (0, 4, 19),
        (30, 4, 3),
    ] {
        link.write(&write(seq, kind, version)).await.unwrap();
    }
    link.write(&[Write::change("clients", 40), Write::change("clients", 39)])
        .await
        .unwrap();
    let raw = |key: Vec<u8>| {
        site.server
            .run(&["GET", std::str::from_utf8(&key).unwrap()])
    };
    let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
    assert_eq!(raw(script::record_key(5, b"k")), text("10:7"));
    assert_eq!(raw(script::record_key(4, b"k")), text("0:20"));
    assert_eq!(raw(script::CLIENTS_CHANGES.into()), text("0:40"));
    // A shorter life never replaces a longer one.
    let mut short = write(11, 5, 9);
    short[0].ttl = 1000;
    link.write(&short).await.unwrap();
    let key = script::record_key(5, b"k");
    let Value::Int(left) = site
        .server
        .run(&["PTTL", std::str::from_utf8(&key).unwrap()])
    else {
        panic!()
    };
    assert!(left > 200_000, "{left}");
    assert_eq!(raw(key), text("11:9"));
}

#[tokio::test]
async fn a_redis_that_may_evict_is_not_used() {
    let Some(site) = site().await else { return };
    site.server
        .run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!site.instance.trusts());
    assert_eq!(value(&site.instance.revocations, ONE).await, None);
    assert!(
        revoke(&site.db, &site.instance.revocations, ONE, 1)
            .await
            .is_err()
    );
    assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));
}

#[tokio::test]
async fn a_bad_url_is_refused_without_its_password() {
    let Some(fresh) = postgres_fresh().await else {
        return;
    };
    let db = migrated(&fresh).await;
    let error = Revocations::start(db, Some("reddis://u:hunter2@h/"))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StoreError::BadUrl(_)));
    assert!(!format!("{error:?}{error}").contains("hunter2"));
}
