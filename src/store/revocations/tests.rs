//! Every deployment that is at hand must answer alike.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::db::tests::{both, migrated, sqlite_fresh};
use super::*;
use crate::spec::time::Clock;
use crate::store::changes::CLIENTS;

pub(super) fn later() -> Ts {
    Clock::system().now().plus(Duration::from_mins(5))
}

/// What a service does to revoke.
pub(super) async fn revoke(
    db: &Db,
    revocations: &Revocations,
    key: Key<'_>,
    version: i64,
) -> Result<(), StoreError> {
    commit(db, key, version).await;
    revocations.publish(&[(key, version, later())]).await
}

/// The first half of it: what is left when the process dies before it could publish.
pub(super) async fn commit(db: &Db, key: Key<'_>, version: i64) {
    let mut tx = db.begin().await.unwrap();
    record(&mut tx, &key, version, later()).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) async fn value(revocations: &Revocations, key: Key<'_>) -> Option<i64> {
    revocations.check(&[key]).await.unwrap().values[0]
}

pub(super) async fn meaning(db: &Db, revocations: &Revocations) {
    let (id, other) = ([7; 16], [8; 16]);
    let nothing = revocations.check(&[]).await.unwrap();
    assert_eq!(nothing.values, []);
    for key in [
        Key::Jti(b"\x00\xffa"),
        Key::Grant(id),
        Key::Session(id),
        Key::User(id),
    ] {
        assert_eq!(value(revocations, key).await, None, "{key:?}");
        revoke(db, revocations, key, 1).await.unwrap();
        assert_eq!(value(revocations, key).await, Some(1), "{key:?}");
    }
    assert_eq!(value(revocations, Key::Jti(&id)).await, None);
    assert_eq!(value(revocations, Key::Grant(other)).await, None);

    // A user's version only grows, a client's follows the latest act.
    for (version, stands) in [(5, 5), (3, 5), (6, 6)] {
        revoke(db, revocations, Key::User(id), version)
            .await
            .unwrap();
        assert_eq!(value(revocations, Key::User(id)).await, Some(stands));
    }
    for version in [i64::MAX, 1_700_000_000_000_001, i64::MAX, 12] {
        revoke(db, revocations, Key::Client("web"), version)
            .await
            .unwrap();
        assert_eq!(value(revocations, Key::Client("web")).await, Some(version));
    }
    let many = revocations
        .check(&[
            Key::Client("web"),
            Key::Client("we"),
            Key::Grant(id),
            Key::User(id),
        ])
        .await
        .unwrap();
    assert_eq!(many.values, [Some(12), None, Some(1), Some(6)]);

    let before = many.clients_version;
    for step in 1..=2 {
        let mut tx = db.begin().await.unwrap();
        bump_changes(&mut tx, CLIENTS).await.unwrap();
        bump_changes(&mut tx, "policies").await.unwrap();
        tx.commit().await.unwrap();
        revocations.publish_change(CLIENTS).await.unwrap();
        let now = revocations.check(&[]).await.unwrap().clients_version;
        assert_eq!(now, before + step);
    }
}

#[tokio::test]
async fn sql_and_memory_mean_the_same() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        let revocations = Revocations::start(db.clone(), None).await.unwrap();
        meaning(&db, &revocations).await;
        // And after a restart.
        let again = Revocations::start(db.clone(), None).await.unwrap();
        assert_eq!(value(&again, Key::User([7; 16])).await, Some(6));
        assert_eq!(value(&again, Key::Client("web")).await, Some(12));
    }
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_revokes_nothing() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        let revocations = Revocations::start(db.clone(), None).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        record(&mut tx, &Key::Grant([1; 16]), 1, later())
            .await
            .unwrap();
        drop(tx);
        assert_eq!(value(&revocations, Key::Grant([1; 16])).await, None);
    }
}

/// Two handles on one file are two processes to SQLite: each has connections of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_another_process_committed_holds_at_once() {
    for fresh in both().await {
        let (server, command) = (migrated(&fresh).await, migrated(&fresh).await);
        let revocations = Revocations::start(server.clone(), None).await.unwrap();
        let stop = CancellationToken::new();
        // Checks all the time, so that there is always a question under way to wrongly join.
        let busy: Vec<_> = (0..8u8)
            .map(|n| {
                let (revocations, stop) = (revocations.clone(), stop.clone());
                tokio::spawn(async move {
                    while !stop.is_cancelled() {
                        revocations.check(&[Key::Grant([n; 16])]).await.unwrap();
                        // A check that needs no question never waits.
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for n in 0..300i64 {
            let jti = n.to_be_bytes();
            commit(&command, Key::Jti(&jti), 1).await;
            assert_eq!(value(&revocations, Key::Jti(&jti)).await, Some(1), "{n}");
            // The server's own writes must not hide the command's.
            server
                .w("INSERT INTO replay (kind, id, expires_at) VALUES (1, $1, 0)")
                .bind(&jti[..])
                .exec()
                .await
                .unwrap();
        }
        stop.cancel();
        for task in busy {
            task.await.unwrap();
        }
    }
}

/// The command commits at any moment around the server's start and its first check.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_races_the_start_is_not_missed() {
    let fresh = sqlite_fresh();
    let (server, command) = (migrated(&fresh).await, migrated(&fresh).await);
    for n in 0..60i64 {
        let db = command.clone();
        let racing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(u64::try_from(n * 11).unwrap())).await;
            commit(&db, Key::Jti(&n.to_be_bytes()), 1).await;
        });
        let revocations = Revocations::start(server.clone(), None).await.unwrap();
        racing.await.unwrap();
        assert_eq!(
            value(&revocations, Key::Jti(&n.to_be_bytes())).await,
            Some(1)
        );
    }
}

#[tokio::test]
async fn expired_records_are_purged_and_never_the_newer_before_the_older() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        let revocations = Revocations::start(db.clone(), None).await.unwrap();
        let now = Clock::system().now();
        let mut tx = db.begin().await.unwrap();
        let client = Key::Client("web");
        record(
            &mut tx,
            &client,
            i64::MAX,
            now.plus(Duration::from_hours(1)),
        )
        .await
        .unwrap();
        // Enabled again under a configuration with shorter tokens.
        record(&mut tx, &client, 5, now.plus(Duration::from_secs(5)))
            .await
            .unwrap();
        record(&mut tx, &Key::Grant([1; 16]), 1, now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(revocations.purge_expired(now, 10).await.unwrap(), 0);
        let after = now.plus(Duration::from_mins(30));
        assert_eq!(revocations.purge_expired(after, 10).await.unwrap(), 1);
        assert_eq!(value(&revocations, client).await, Some(5));
        let after = now.plus(Duration::from_hours(2));
        assert_eq!(revocations.purge_expired(after, 1).await.unwrap(), 1);
        assert_eq!(value(&revocations, client).await, Some(5));
        assert_eq!(revocations.purge_expired(after, 1).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_used_once_is_used_once() {
    use super::super::replay::{OneTime, Replay};
    const KIND: OneTime = OneTime::ClientAssertion;
    for fresh in both().await {
        let (one, two) = (
            Replay::new(migrated(&fresh).await),
            Replay::new(migrated(&fresh).await),
        );
        let racing: Vec<_> = (0..200)
            .map(|n: u8| {
                let replay = if n.is_multiple_of(2) {
                    one.clone()
                } else {
                    two.clone()
                };
                tokio::spawn(async move { replay.once(KIND, &[n % 4], later()).await.unwrap() })
            })
            .collect();
        let mut first = 0;
        for task in racing {
            first += i32::from(task.await.unwrap());
        }
        assert_eq!(first, 4);
        let now = Clock::system().now();
        assert_eq!(one.purge_expired(now, 10).await.unwrap(), 0);
        let after = now.plus(Duration::from_hours(1));
        assert_eq!(one.purge_expired(after, 3).await.unwrap(), 3);
        assert!(
            !one.once(KIND, &[3], later()).await.unwrap()
                || one.once(KIND, &[9], later()).await.unwrap()
        );
    }
}
