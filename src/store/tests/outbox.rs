//! The outbox, and what the version before it left in `webhook_deliveries`.

use uuid::Uuid;

use super::super::db::Db;
use super::super::db::tests::both;
use super::super::error::StoreError;
use super::super::outbox::{Attempt, Delivery};
use super::super::{MIGRATIONS, Store, migrate};
use super::stores;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::{AfterAttempt, Lane, State};
use crate::spec::time::Ts;

const HOOK: WebhookId = WebhookId(Uuid::from_u128(1));

fn lane(n: u128) -> Lane {
    Lane::Webhook(WebhookId(Uuid::from_u128(n)))
}

/// A delivery that is due at `at`.
fn due(id: u128, lane: Lane, at: i64) -> Delivery {
    let id = Uuid::from_u128(id);
    let body = "{\"said\":\"ünï \\\"quoted\\\" \\u0000\"}".to_owned();
    Delivery::new(
        DeliveryId(id),
        lane,
        id,
        "user.created".into(),
        body,
        Ts(at),
    )
}

async fn insert(store: &Store, deliveries: &[Delivery]) {
    let mut tx = store.db().begin().await.unwrap();
    tx.insert_deliveries(deliveries).await.unwrap();
    tx.commit().await.unwrap();
}

fn ids(deliveries: &[Delivery]) -> Vec<u128> {
    deliveries.iter().map(|it| it.id.0.as_u128()).collect()
}

async fn insert_hook(db: &Db) {
    let hook = "INSERT INTO webhooks (id, url, event_types, secret, enabled, version, created_at, updated_at) \
        VALUES ($1, 'https://hooks.example.test/', '[]', $2, TRUE, 1, 1, 1)";
    let hook = db.w(hook).bind(HOOK.0).bind(vec![0_u8]);
    hook.exec().await.unwrap();
}

#[tokio::test]
async fn deliveries_from_before_the_migration_are_sent_listed_and_sent_again() {
    for fresh in both().await {
        let db = Db::open(&fresh.url, 4).await.unwrap();
        let at = MIGRATIONS
            .iter()
            .position(|migration| migration.number == 16);
        migrate::migrate(&db, &MIGRATIONS[..at.unwrap()])
            .await
            .unwrap();
        insert_hook(&db).await;
        for row in [
            "($1, $2, $3, 'user.created', 'new', 'pending', 0, 10, NULL, NULL, 10, NULL)",
            "($1, $2, $3, 'user.created', 'tried', 'pending', 3, 99, 500, 'answered 500', 5, NULL)",
            "($1, $2, $3, 'user.disabled', 'done', 'delivered', 1, NULL, 204, NULL, 2, 3)",
            "($1, $2, $3, 'user.disabled', 'lost', 'failed', 10, NULL, NULL, 'no route', 1, 4)",
        ]
        .iter()
        .enumerate()
        {
            let (n, row) = row;
            let insert: &'static str = format!(
                "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, next_at, \
                last_status, last_error, created_at, finished_at) VALUES {row}"
            )
            .leak();
            let n = n as u128;
            let insert = db.w(insert).bind(Uuid::from_u128(100 - n)).bind(HOOK.0);
            insert.bind(Uuid::from_u128(200 + n)).exec().await.unwrap();
        }
        let store = Store::open(&fresh.url, 4).await.unwrap();
        store.migrate().await.unwrap();
        // A few at a time, the newest first; what an older instance sends just now, only after its lease.
        let adopt = async |now, leased, limit| {
            let adopted = store.adopt_webhook_deliveries(Ts(now), Ts(leased), limit);
            adopted.await.unwrap().rows
        };
        assert_eq!(adopt(90, 99, 2).await, 2);
        assert_eq!(adopt(90, 99, 2).await, 1);
        assert_eq!(adopt(90, 99, 2).await, 0);
        assert_eq!(adopt(99, 108, 2).await, 1);
        assert_eq!(adopt(99, 108, 2).await, 0);
        let lane = Lane::Webhook(HOOK);
        let all = store.list_deliveries(&lane, None, None, 9).await.unwrap();
        assert_eq!(ids(&all), [100, 99, 98, 97]);
        let messages = all.iter().map(|it| it.message.as_u128());
        assert_eq!(messages.collect::<Vec<_>>(), [200, 201, 202, 203]);
        let what = |at: usize| {
            let it = &all[at];
            (it.topic.as_str(), it.body.as_str(), it.state, it.attempts)
        };
        assert_eq!(what(0), ("user.created", "new", State::Pending, 0));
        assert_eq!(what(1), ("user.created", "tried", State::Pending, 3));
        assert_eq!(what(2), ("user.disabled", "done", State::Delivered, 1));
        assert_eq!(what(3), ("user.disabled", "lost", State::Failed, 10));
        let rest = |at: usize| {
            let it = &all[at];
            let error = it.last_error.as_deref();
            (
                it.next_at,
                it.last_status,
                error,
                it.created_at,
                it.finished_at,
            )
        };
        assert_eq!(rest(0), (Some(Ts(10)), None, None, Ts(10), None));
        let tried = (Some(Ts(99)), Some(500), Some("answered 500"), Ts(5), None);
        assert_eq!(rest(1), tried);
        assert_eq!(rest(2), (None, Some(204), None, Ts(2), Some(Ts(3))));
        assert_eq!(rest(3), (None, None, Some("no route"), Ts(1), Some(Ts(4))));
        // What waited is due at its time, and what was finished can be sent again.
        let mut tx = store.db().begin().await.unwrap();
        let [lost, unknown] = [97, 5].map(|id| DeliveryId(Uuid::from_u128(id)));
        assert!(tx.send_again(&lane, lost, Ts(50)).await.unwrap());
        assert!(!tx.send_again(&lane, unknown, Ts(50)).await.unwrap());
        tx.commit().await.unwrap();
        let leased = store.lease_deliveries(&lane, Ts(50), Ts(60), 9).await;
        let mut leased = ids(&leased.unwrap().deliveries);
        leased.sort_unstable();
        assert_eq!(leased, [97, 100]);
    }
}

/// An instance of the version before this one writes, leases and sends again while two of this version move its rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_row_is_lost_while_an_older_instance_changes_it() {
    const ROWS: u128 = 300;
    let older = [
        "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, next_at, created_at) \
            VALUES ($1, $2, $1, 'user.created', 'x', 'pending', 0, 10, 10)",
        "UPDATE webhook_deliveries SET next_at = 90, attempts = attempts + 1 WHERE next_at <= 20 AND id IN \
            (SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND next_at <= 20 ORDER BY next_at LIMIT 10)",
        "UPDATE webhook_deliveries SET state = 'delivered', next_at = NULL, finished_at = 30 \
            WHERE id = $1 AND next_at = 90",
        "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = 40, finished_at = NULL WHERE id = $1",
    ];
    for (_fresh, store) in stores().await {
        insert_hook(store.db()).await;
        let writing = {
            let store = store.clone();
            tokio::spawn(async move {
                let mut sent_again = Vec::new();
                for n in 1..=ROWS {
                    let (db, id) = (store.db(), Uuid::from_u128(n));
                    let insert = db.w(older[0]).bind(id).bind(HOOK.0);
                    insert.exec().await.unwrap();
                    db.w(older[1]).bind(HOOK.0).exec().await.unwrap();
                    db.w(older[2]).bind(id).exec().await.unwrap();
                    if db.w(older[3]).bind(id).exec().await.unwrap() == 1 {
                        sent_again.push(n);
                    }
                }
                sent_again
            })
        };
        let moving = || {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    // Two that take the same rows in another order are told to try again, as the job does.
                    match store.adopt_webhook_deliveries(Ts(50), Ts(80), 7).await {
                        Ok(_) | Err(StoreError::Retryable(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let moving = [moving(), moving()];
        let sent_again = writing.await.unwrap();
        for moving in moving {
            moving.abort();
            assert!(moving.await.unwrap_err().is_cancelled());
        }
        let rest = async || store.adopt_webhook_deliveries(Ts(50), Ts(80), 100).await;
        while rest().await.unwrap().rows > 0 {}
        let lane = Lane::Webhook(HOOK);
        let all = store
            .list_deliveries(&lane, None, None, 1000)
            .await
            .unwrap();
        let expected: Vec<u128> = (1..=ROWS).rev().collect();
        assert_eq!(ids(&all), expected);
        // What was asked for after it was delivered is not forgotten.
        let waits = |it: &&Delivery| sent_again.contains(&it.id.0.as_u128());
        let again = all.iter().filter(waits).map(|it| it.next_at);
        assert!(again.clone().all(|next_at| next_at == Some(Ts(40))));
        assert_eq!(again.count(), sent_again.len());
    }
}

#[tokio::test]
async fn lanes_are_due_counted_and_given_up_each_for_itself() {
    for (_fresh, store) in stores().await {
        let mut all = vec![
            due(1, lane(7), 30),
            due(2, lane(8), 10),
            due(3, lane(9), 20),
        ];
        all.extend((10..15).map(|id| due(id, lane(8), 40)));
        insert(&store, &all).await;
        let lanes = store.list_due_lanes(Ts(20)).await.unwrap();
        assert_eq!(
            lanes,
            [lane(8), lane(9)],
            "the one that waits longest first"
        );
        assert_eq!(store.list_due_lanes(Ts(9)).await.unwrap(), []);
        let mut waiting = store.count_waiting_deliveries(4).await.unwrap();
        waiting.sort_by_key(|(lane, _)| lane.to_string());
        assert_eq!(waiting, [(lane(7), 1), (lane(8), 4), (lane(9), 1)]);
        let mut tx = store.db().begin().await.unwrap();
        assert_eq!(tx.give_up_deliveries(&lane(8), Ts(50)).await.unwrap(), 6);
        tx.commit().await.unwrap();
        let lanes = store.list_due_lanes(Ts(99)).await.unwrap();
        assert_eq!(lanes, [lane(9), lane(7)]);
        let eight = lane(8);
        let failed = store.list_deliveries(&eight, Some(State::Failed), None, 9);
        assert_eq!(failed.await.unwrap().len(), 6);
        assert_eq!(store.purge_deliveries(Ts(50), 9).await.unwrap(), 0);
        assert_eq!(store.purge_deliveries(Ts(51), 4).await.unwrap(), 4);
        assert_eq!(
            store.list_lanes().await.unwrap(),
            [lane(7), lane(8), lane(9)]
        );
        assert_eq!(store.purge_lane(&lane(9), 9).await.unwrap(), 1);
        assert_eq!(store.list_due_lanes(Ts(99)).await.unwrap(), [lane(7)]);
    }
}

#[tokio::test]
async fn a_lease_that_has_ended_and_gone_to_another_instance_notes_nothing() {
    for (_fresh, store) in stores().await {
        let written = due(1, lane(7), 10);
        insert(&store, std::slice::from_ref(&written)).await;
        let lease = async |now, until| {
            let lane = lane(7);
            let leased = store.lease_deliveries(&lane, Ts(now), Ts(until), 9);
            leased.await.unwrap().deliveries
        };
        assert_eq!(lease(10, 20).await[0].body, written.body);
        assert!(lease(19, 29).await.is_empty(), "another instance has it");
        assert_eq!(lease(20, 30).await[0].attempts, 2);
        let note = async |lease, next| {
            let mut tx = store.db().begin().await.unwrap();
            let attempt = Attempt {
                next,
                status: None,
                error: None,
            };
            let noted = tx.finish_attempt(written.id, Ts(lease), &attempt, Ts(25));
            let noted = noted.await.unwrap();
            tx.commit().await.unwrap();
            noted
        };
        assert!(!note(20, AfterAttempt::GiveUp).await);
        assert!(note(30, AfterAttempt::Done).await);
        let mut tx = store.db().begin().await.unwrap();
        assert!(tx.was_told_since(&lane(7), Ts(25)).await.unwrap());
        assert!(!tx.was_told_since(&lane(7), Ts(26)).await.unwrap());
        assert!(!tx.was_told_since(&lane(8), Ts(0)).await.unwrap());
        let found = async |tx: &mut super::super::db::Tx, n| {
            let found = tx.find_delivery(&lane(n), written.id).await;
            found.unwrap().map(|it| it.state)
        };
        assert_eq!(found(&mut tx, 7).await, Some(State::Delivered));
        assert_eq!(found(&mut tx, 8).await, None, "not of that receiver");
    }
}

#[tokio::test]
async fn what_a_later_version_writes_for_receivers_of_its_own_is_left_to_it() {
    for (_fresh, store) in stores().await {
        insert(&store, &[due(1, lane(7), 10), due(2, lane(8), 10)]).await;
        let later = store
            .db()
            .w("UPDATE outbox SET lane = 'pigeon:coop' WHERE id = $1");
        later.bind(Uuid::from_u128(1)).exec().await.unwrap();
        assert_eq!(store.list_due_lanes(Ts(99)).await.unwrap(), [lane(8)]);
        let waiting = store.count_waiting_deliveries(9).await.unwrap();
        assert_eq!(waiting, [(lane(8), 1)]);
    }
}
