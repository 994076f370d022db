//! Receivers that are gone, and those that take nothing.

use uuid::Uuid;

use super::*;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::service::administration::{Act, AdministrationError};
use crate::service::webhooks::WebhookError;
use crate::store::audit::EventFilter;

/// So many messages in a lane, due at a time.
async fn many(services: &Services, webhook: WebhookId, first: u128, count: u128, at: Ts) {
    let message = |n| {
        let (id, topic) = (Uuid::from_u128(first + n), "user.created".to_owned());
        let lane = Lane::Webhook(webhook);
        Delivery::new(DeliveryId(id), lane, id, topic, "{}".to_owned(), at)
    };
    let all: Vec<Delivery> = (0..count).map(message).collect();
    let mut tx = services.store.db().begin().await.unwrap();
    for some in all.chunks(1000) {
        tx.insert_deliveries(some).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn disable_as_an_older_instance(services: &Services, webhook: WebhookId) {
    let disable = "UPDATE webhooks SET enabled = FALSE WHERE id = $1";
    let disable = services.store.db().w(disable).bind(webhook.0);
    disable.exec().await.unwrap();
}

async fn waiting(services: &Services) -> Vec<(Lane, i64)> {
    let waiting = services.store.count_waiting_deliveries(10_000);
    waiting.await.unwrap()
}

#[tokio::test]
async fn deleting_a_busy_webhook_leaves_its_messages_to_tidying_and_none_is_sent_meanwhile() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let (other, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let now = soon(&services);
        many(&services, webhook.id, 1, 1200, now).await;
        many(&services, other.id, 5000, 3, now.plus(LEASE)).await;
        let one = DeliveryId(Uuid::from_u128(7));
        let remove = async |act: &mut Act| act.remove_webhook(&webhook).await;
        act(&services, remove).await.unwrap();
        let again = async |act: &mut Act| act.redeliver(webhook.id, one).await;
        let again = act(&services, again).await.err();
        let Some(AdministrationError::Webhook(WebhookError::UnknownDelivery(unknown))) = again
        else {
            panic!("{again:?}");
        };
        assert_eq!(unknown, one);
        // The act is as short for many messages as for none.
        let left = async || {
            let count = "SELECT COUNT(*) FROM outbox WHERE lane = $1";
            let lane = Lane::Webhook(webhook.id).to_string();
            let count = services.store.db().q(count).bind(lane);
            count.one::<(i64,)>().await.unwrap().0
        };
        assert_eq!(left().await, 1200);
        send_due(&services, now).await.unwrap();
        assert_eq!(receiver.received().len(), 0);
        let lane = Lane::Webhook(webhook.id);
        let slice = services.store.purge_lane(&lane, 500);
        assert_eq!(slice.await.unwrap(), 500);
        assert_eq!(left().await, 700);
        outbox(&services, now).tidy(MOST_WAITING).await.unwrap();
        assert_eq!(left().await, 0);
        assert_eq!(waiting(&services).await, [(Lane::Webhook(other.id), 3)]);
    }
}

#[tokio::test]
async fn what_waits_for_a_disabled_webhook_fails_at_its_turn_or_when_the_outbox_is_tidied() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let (other, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        disable_as_an_older_instance(&services, webhook.id).await;
        let now = soon(&services);
        let later = now.plus(Duration::from_hours(9));
        // One is due, the others are to be tried again much later.
        many(&services, webhook.id, 1, 1, now).await;
        many(&services, webhook.id, 10, 2500, later).await;
        many(&services, other.id, 5000, 3, later).await;
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let others = [(Lane::Webhook(other.id), 3)];
        assert_eq!(waiting(&services).await, others);
        let failed = rows(&services, webhook.id, Some(State::Failed)).await;
        assert_eq!(failed.len(), 1000, "as many as are listed at once");
        let lane = Lane::Webhook(webhook.id);
        let mut tx = services.store.db().begin().await.unwrap();
        let one = tx.find_delivery(&lane, DeliveryId(Uuid::from_u128(1)));
        let one = one.await.unwrap().unwrap();
        assert_eq!((one.state, one.attempts), (State::Failed, 1));
        assert_eq!(one.last_error.as_deref(), Some("the webhook is disabled"));
        drop(tx);
        // None is due: tidying gives them up.
        many(&services, webhook.id, 10_000, 2500, later).await;
        assert_eq!(send_due(&services, now).await.unwrap(), 0);
        outbox(&services, now).tidy(MOST_WAITING).await.unwrap();
        assert_eq!(waiting(&services).await, others);
        assert_eq!(receiver.received().len(), 0);
        // It was disabled before: no event says that it was given up.
        let filter = EventFilter {
            kind: Some(EventType::WebhookDisabled),
            ..EventFilter::default()
        };
        let events = services.store.list_events(&filter, None, 9).await.unwrap();
        assert_eq!(events.len(), 0);
        // Enabled, it is told again what is sent to it again.
        let wanted = fields(&receiver.url, &["user.created"]);
        enabled_and_sent_again(&services, webhook.id, wanted, one.id).await;
        assert_eq!(send_due(&services, soon(&services)).await.unwrap(), 1);
        assert_eq!(receiver.received().len(), 1);
    }
}
