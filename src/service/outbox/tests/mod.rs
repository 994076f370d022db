//! Leases, pauses, giving up and lanes, with webhooks as the messages.

mod closed;
mod lanes;
mod older;
mod time;
mod unreadable;

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::*;
use crate::domain::audit::EventType;
use crate::domain::outbox::State;
use crate::service::audit::linker;
use crate::service::webhooks::tests::*;
use crate::store::db::tests::{both, sqlite_fresh};

#[tokio::test]
async fn what_fails_is_tried_again_later_and_later_and_then_the_webhook_is_disabled() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        receiver.answers(500);
        happens(&services, EventType::UserCreated, 1).await;
        let (mut now, mut last) = (soon(&services), None);
        for attempt in 1..=10 {
            assert_eq!(
                send_due(&services, now).await.unwrap(),
                1,
                "attempt {attempt}"
            );
            let delivery = rows(&services, webhook.id, None).await.remove(0);
            assert_eq!(delivery.last_status, Some(500));
            if attempt == 10 {
                assert_eq!(delivery.state, State::Failed);
                break;
            }
            let next = delivery.next_at.unwrap();
            assert!(last.is_none_or(|last| next.since(now) > last), "{attempt}");
            last = Some(next.since(now));
            assert_eq!(
                send_due(&services, next.minus(Duration::from_secs(1)))
                    .await
                    .unwrap(),
                0
            );
            now = next;
        }
        let stored = stored(&services, webhook.id).await;
        assert!(!stored.enabled);
        assert_eq!(stored.disabled_reason.as_deref(), Some("answered 500"));
        // Nothing more goes there until it is enabled and a message is sent again by hand.
        happens(&services, EventType::UserCreated, 2).await;
        assert_eq!(
            send_due(&services, now.plus(Duration::from_hours(999)))
                .await
                .unwrap(),
            0
        );
        let failed = rows(&services, webhook.id, Some(State::Failed));
        let delivery = failed.await.remove(0);
        let wanted = fields(&receiver.url, &["user.created"]);
        enabled_and_sent_again(&services, webhook.id, wanted, delivery.id).await;
        receiver.answers(200);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let messages = receiver.received();
        let ids: HashSet<_> = messages
            .iter()
            .map(|message| message.header("webhook-id").to_owned())
            .collect();
        assert_eq!(
            (messages.len(), ids.len()),
            (11, 1),
            "the same message keeps its id"
        );
    }
}

#[tokio::test]
async fn one_message_that_is_never_accepted_does_not_disable_a_webhook_that_is_told_others() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let wanted = fields(&receiver.url, &["user.created"]);
        let (webhook, _) = created(&services, wanted).await;
        receiver.answers(422);
        happens(&services, EventType::UserCreated, 1).await;
        let mut now = soon(&services);
        for _ in 0..4 {
            assert_eq!(send_due(&services, now).await.unwrap(), 1);
            now = now.plus(Duration::from_hours(22));
        }
        // Another one goes through.
        receiver.answers(204);
        happens(&services, EventType::UserCreated, 2).await;
        let lane = Lane::Webhook(webhook.id);
        let lease = services
            .store
            .lease_deliveries(&lane, soon(&services), now, 1);
        assert_eq!(lease.await.unwrap().deliveries.len(), 1);
        let mut tx = services.store.db().begin().await.unwrap();
        let newest = rows(&services, webhook.id, None).await.remove(0);
        let attempt = Attempt {
            next: AfterAttempt::Done,
            status: Some(204),
            error: None,
        };
        let done = tx.finish_attempt(newest.id, now, &attempt, soon(&services));
        assert!(done.await.unwrap());
        tx.commit().await.unwrap();
        receiver.answers(422);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let failed = rows(&services, webhook.id, Some(State::Failed));
        assert_eq!(failed.await.len(), 1);
        assert!(stored(&services, webhook.id).await.enabled);
    }
}

#[tokio::test]
async fn who_answers_gone_is_not_told_again() {
    let (fresh, directory) = (sqlite_fresh(), tempfile::tempdir().unwrap());
    let receiver = Receiver::new().await;
    let services = start(&fresh, &directory).await;
    let (webhook, _) = created(&services, fields(&receiver.url, &[])).await;
    receiver.answers(410);
    linker::flush(&services).await.unwrap();
    assert!(send_due(&services, soon(&services)).await.unwrap() > 0);
    assert!(!stored(&services, webhook.id).await.enabled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_send_each_message_once_and_a_dead_one_is_taken_over() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let one = start(&fresh, &directory).await;
        let two = start(&fresh, &directory).await;
        let (webhook, _) = created(&one, fields(&receiver.url, &["user.created"])).await;
        for n in 0..30 {
            happens(
                if n % 2 == 0 { &one } else { &two },
                EventType::UserCreated,
                n,
            )
            .await;
        }
        let now = soon(&one);
        // One instance takes some and dies.
        let lane = Lane::Webhook(webhook.id);
        let taken = one
            .store
            .lease_deliveries(&lane, now, now.plus(Duration::from_mins(1)), 5);
        assert_eq!(taken.await.unwrap().deliveries.len(), 5);
        let sent = tokio::join!(send_due(&one, now), send_due(&two, now));
        assert_eq!(sent.0.unwrap() + sent.1.unwrap(), 25);
        assert_eq!(receiver.received().len(), 25);
        let later = now.plus(Duration::from_secs(61));
        assert_eq!(send_due(&two, later).await.unwrap(), 5);
        let ids: HashSet<_> = receiver
            .received()
            .iter()
            .map(|message| message.header("webhook-id").to_owned())
            .collect();
        assert_eq!((ids.len(), receiver.received().len()), (30, 30));
    }
}

#[tokio::test]
async fn a_message_whose_sender_dies_before_it_notes_the_answer_is_sent_again_under_the_same_id() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        happens(&services, EventType::UserCreated, 1).await;
        let now = soon(&services);
        // It has the message and has not answered yet.
        receiver.answers(0);
        let dies = outbox(&services, now);
        dies.turn().await.unwrap();
        while receiver.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(dies);
        receiver.answers(204);
        assert_eq!(send_due(&services, now.plus(LEASE / 2)).await.unwrap(), 0);
        assert_eq!(send_due(&services, now.plus(LEASE)).await.unwrap(), 1);
        let messages = receiver.received();
        assert_eq!(messages.len(), 2);
        assert_eq!(
            messages[0].header("webhook-id"),
            messages[1].header("webhook-id")
        );
        let all = rows(&services, webhook.id, Some(State::Delivered)).await;
        assert_eq!((all.len(), all[0].attempts), (1, 2));
    }
}

/// Each message takes a minute here, so a backlog takes far longer than a lease.
#[tokio::test]
async fn a_backlog_that_takes_long_is_leased_signed_and_retried_by_the_time_it_is_then() {
    let (fresh, directory) = (sqlite_fresh(), tempfile::tempdir().unwrap());
    let receiver = Receiver::new().await;
    let services = start(&fresh, &directory).await;
    let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
    for n in 0..25 {
        happens(&services, EventType::UserCreated, n).await;
    }
    receiver.answers(500);
    let began = soon(&services);
    receiver.clock.store(began.micros(), Ordering::SeqCst);
    let clock = Clock::fixed(Arc::clone(&receiver.clock));
    for sent in [10, 10] {
        let now = clock.now();
        let outbox = Outbox::new(Arc::clone(&services), clock.clone());
        outbox.turn().await.unwrap();
        assert_eq!(outbox.drain().await, sent);
        // Signed when it was sent, not when the backlog was begun.
        for message in receiver
            .received()
            .split_off(receiver.received().len() - sent)
        {
            let signed: i64 = message.header("webhook-timestamp").parse().unwrap();
            assert!(signed >= now.secs(), "{signed} {now:?}");
        }
        let all = rows(&services, webhook.id, None).await;
        let next = all.into_iter().filter(|it| it.last_status.is_some());
        let next = next.filter_map(|it| it.next_at).max().unwrap();
        // The last one failed some ten minutes after the first was sent.
        assert!(next >= now.plus(Duration::from_mins(9)), "{next:?} {now:?}");
    }
}
