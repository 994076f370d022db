//! When a message, and a receiver, is given up.

use uuid::Uuid;

use super::*;
use crate::domain::ids::WebhookId;

/// A message that was sent so often and comes late to its next attempt: a long backlog stands before it.
async fn waits_behind_a_backlog(services: &Services, webhook: WebhookId, attempts: i64) {
    let lane = Lane::Webhook(webhook);
    let id = DeliveryId(Uuid::from_u128(1));
    let overdue = Delivery {
        attempts,
        next_at: Some(NOW.plus(Duration::from_hours(14 * 24))),
        ..Delivery::new(id, lane, id.0, "user.created".into(), "{}".into(), NOW)
    };
    let mut tx = services.store.db().begin().await.unwrap();
    tx.insert_deliveries(&[overdue]).await.unwrap();
    tx.commit().await.unwrap();
}

/// A message that is due now, and fails.
async fn another_fails(services: &Arc<Services>, webhook: WebhookId, at: Ts) {
    let id = DeliveryId(Uuid::from_u128(at.micros().unsigned_abs().into()));
    let lane = Lane::Webhook(webhook);
    let due = Delivery::new(id, lane, id.0, "user.created".into(), "{}".into(), at);
    let mut tx = services.store.db().begin().await.unwrap();
    tx.insert_deliveries(&[due]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(send_due(services, at).await.unwrap() > 0);
}

fn days(days: u64) -> Ts {
    NOW.plus(Duration::from_hours(days * 24))
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_given_up_after_three_days_however_much_waits_for_it() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        receiver.answers(500);
        waits_behind_a_backlog(&services, webhook.id, TRIED).await;
        another_fails(&services, webhook.id, days(2)).await;
        assert!(stored(&services, webhook.id).await.enabled);
        another_fails(&services, webhook.id, days(3)).await;
        assert!(!stored(&services, webhook.id).await.enabled);
        let waiting = services.store.count_waiting_deliveries(9).await.unwrap();
        assert_eq!(waiting, []);
    }
}

#[tokio::test]
async fn a_receiver_is_not_given_up_for_days_in_which_this_server_was_away() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        receiver.answers(500);
        waits_behind_a_backlog(&services, webhook.id, TRIED - 1).await;
        another_fails(&services, webhook.id, days(4)).await;
        assert!(stored(&services, webhook.id).await.enabled);
    }
}

#[tokio::test]
async fn a_receiver_that_took_another_message_meanwhile_is_not_given_up() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        waits_behind_a_backlog(&services, webhook.id, TRIED).await;
        another_fails(&services, webhook.id, days(1)).await;
        let told = rows(&services, webhook.id, Some(State::Delivered)).await;
        assert_eq!(told.len(), 1, "it is taken");
        receiver.answers(500);
        another_fails(&services, webhook.id, days(4)).await;
        assert!(stored(&services, webhook.id).await.enabled);
    }
}

#[tokio::test]
async fn a_message_that_is_sent_again_by_hand_has_three_days_more() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        receiver.answers(500);
        waits_behind_a_backlog(&services, webhook.id, TRIED + 3).await;
        let id = DeliveryId(Uuid::from_u128(1));
        let mut tx = services.store.db().begin().await.unwrap();
        let lane = Lane::Webhook(webhook.id);
        assert!(tx.send_again(&lane, id, days(30)).await.unwrap());
        tx.commit().await.unwrap();
        let mut now = days(30);
        for _ in 0..TRIED {
            assert_eq!(send_due(&services, now).await.unwrap(), 1);
            now = now.plus(Duration::from_hours(14));
        }
        assert!(stored(&services, webhook.id).await.enabled);
        assert_eq!(send_due(&services, days(34)).await.unwrap(), 1);
        assert!(!stored(&services, webhook.id).await.enabled);
    }
}
