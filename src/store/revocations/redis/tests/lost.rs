//! Redis loses what it was given: flushes, restarts from old dumps, failovers to replicas that lag behind.

use super::*;

#[tokio::test]
async fn a_flush_at_any_moment_forgets_nothing() {
    let Some(site) = site().await else { return };
    let Site {
        server,
        db,
        instance,
        ..
    } = &site;
    revoke(db, &instance.revocations, ONE, 1).await.unwrap();
    for n in 0..30u64 {
        let key = Key::Jti(&n.to_be_bytes()).bytes().to_vec();
        revoke(db, &instance.revocations, Key::Jti(&key), 1)
            .await
            .unwrap();
        server.run(&["FLUSHALL"]);
        assert_eq!(value(&instance.revocations, ONE).await, Some(1));
        tokio::time::sleep(Duration::from_millis(n * 9)).await;
        assert_eq!(value(&instance.revocations, ONE).await, Some(1));
        assert_eq!(value(&instance.revocations, Key::Jti(&key)).await, Some(1));
        if n % 7 == 0 {
            server.run(&["SCRIPT", "FLUSH"]);
            assert_eq!(value(&instance.revocations, ONE).await, Some(1));
        }
    }
    instance.until_trusted().await;
    assert_eq!(value(&instance.revocations, ONE).await, Some(1));
}

#[tokio::test]
async fn a_flush_between_the_steps_of_a_reload_makes_it_start_over() {
    let Some(mut site) = site().await else { return };
    site.instance.die().await;
    revoke(&site.db, &site.instance.revocations, ONE, 1)
        .await
        .unwrap();
    for flush_after in ["begin", "copy", "finish"] {
        site.server.run(&["FLUSHALL"]);
        let link = site.instance.redis.link_or_connect().await.unwrap();
        let loading = Loading::begin(&link).await.unwrap();
        if flush_after == "begin" {
            site.server.run(&["FLUSHALL"]);
        }
        let mut follow = Follow::from_the_start();
        follow.copy_new(&site.db, &link).await.unwrap();
        if flush_after == "copy" {
            site.server.run(&["FLUSHALL"]);
        }
        let finished = loading.finish(&link).await.unwrap();
        assert_eq!(finished, flush_after == "finish");
        if finished {
            site.server.run(&["FLUSHALL"]);
        }
        assert_eq!(link.check(&[ONE]).await.unwrap(), Checked::Untrusted);
    }
}

#[tokio::test]
async fn a_restart_during_a_reload_makes_it_fail_even_when_a_dump_brings_the_loading_key_back() {
    let Some(mut site) = site().await else { return };
    site.instance.die().await;
    let link = site.instance.redis.link_or_connect().await.unwrap();
    let loading = Loading::begin(&link).await.unwrap();
    site.server.run(&["SAVE"]);
    site.server.restart();
    site.instance.redis.unlink(&link);
    let link = site.instance.redis.link_or_connect().await.unwrap();
    assert!(loading.finish(&link).await.is_err());
    assert_eq!(link.check(&[]).await.unwrap(), Checked::Untrusted);
}

#[tokio::test]
async fn a_restart_with_an_old_dump_forgets_nothing() {
    let Some(mut site) = site().await else { return };
    site.server.run(&["SAVE"]);
    revoke(&site.db, &site.instance.revocations, ONE, 1)
        .await
        .unwrap();
    revoke(
        &site.db,
        &site.instance.revocations,
        Key::Client("a"),
        i64::MAX,
    )
    .await
    .unwrap();
    site.server.restart();
    let dumped = site.server.run(&["EXISTS", script::MARKER]);
    assert_eq!(dumped, Value::Int(1), "the dump must hold the marker");
    for _ in 0..200 {
        assert_eq!(value(&site.instance.revocations, ONE).await, Some(1));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(site.instance.trusts());
    assert_eq!(
        value(&site.instance.revocations, Key::Client("a")).await,
        Some(i64::MAX)
    );
}

#[tokio::test]
async fn a_replica_is_not_believed_and_a_promoted_one_only_after_a_reload() {
    let Some(mut site) = site().await else { return };
    let replica = Server::start();
    let port = site.server.port.to_string();
    replica.run(&["REPLICAOF", "127.0.0.1", &port]);
    for _ in 0..500 {
        if replica.run(&["EXISTS", script::MARKER]) == Value::Int(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let there = Instance::start(&site.db, &replica.url(), false).await;
    assert!(there.redis.link_or_connect().await.is_err(), "a replica");

    // Cut off, it misses this one; then it is promoted.
    replica.run(&["REPLICAOF", "127.0.0.1", "1"]);
    revoke(&site.db, &site.instance.revocations, ONE, 1)
        .await
        .unwrap();
    replica.run(&["REPLICAOF", "NO", "ONE"]);
    let link = there.redis.link_or_connect().await.unwrap();
    assert_eq!(link.check(&[ONE]).await.unwrap(), Checked::Untrusted);
    there.redis.tend().await.unwrap();
    assert!(there.trusts());
    assert_eq!(value(&there.revocations, ONE).await, Some(1));

    // Demoted again under an open connection: the script refuses to run.
    replica.run(&["REPLICAOF", "127.0.0.1", &port]);
    assert!(link.check(&[ONE]).await.is_err());
    assert_eq!(value(&there.revocations, ONE).await, Some(1));
    assert!(!there.trusts());
    site.instance.die().await;
}

/// The promise itself: once `publish` said yes, no instance says active, whatever happens to Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_published_revocation_holds_on_every_instance_through_chaos() {
    let Some(mut site) = site().await else { return };
    let other = Instance::start(&site.db, &site.server.url(), true).await;
    let (from, there) = (site.instance.revocations.clone(), other.revocations.clone());
    let db = site.db.clone();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let revoking = tokio::spawn(async move {
        let (mut held, mut refused, mut n) = (0u32, 0u32, 0i64);
        while !stopped.is_cancelled() {
            n += 1;
            let jti = n.to_be_bytes();
            let answered = revoke(&db, &from, Key::Jti(&jti), 1).await.is_ok();
            let there = value(&there, Key::Jti(&jti)).await;
            if answered {
                held += 1;
                assert_eq!(there, Some(1), "jti {n}");
            } else {
                refused += 1;
            }
        }
        (held, refused)
    });
    for round in 0..24u64 {
        tokio::time::sleep(Duration::from_millis(40 + round * 37 % 400)).await;
        match round % 6 {
            0 => drop(site.server.run(&["FLUSHALL"])),
            1 => drop(site.server.run(&["SAVE"])),
            2 => drop(site.server.run(&["CLIENT", "KILL", "TYPE", "normal"])),
            3 => site.server.restart(),
            4 => drop(site.server.run(&["SCRIPT", "FLUSH"])),
            _ => {
                site.server.run(&["FLUSHALL"]);
                site.server.run(&["SCRIPT", "FLUSH"]);
            }
        }
    }
    stop.cancel();
    let (held, refused) = revoking.await.unwrap();
    assert!(held > 100, "{held} held, {refused} were refused");
    site.instance.until_trusted().await;
    other.until_trusted().await;
}
