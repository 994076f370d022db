//! Beside an instance of the version before this one, which writes `webhook_deliveries` and knows no outbox.

use uuid::Uuid;

use super::*;
use crate::domain::ids::WebhookId;
use crate::service::administration::{Act, AdministrationError};
use crate::store::db::{Engine, settled};

/// What the version before this one writes when it links an event.
async fn older_writes(services: &Services, webhook: WebhookId, event: Uuid) {
    let insert = "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, next_at, created_at) \
        VALUES ($1, $2, $3, 'user.created', '{\"type\":\"user.created\"}', 'pending', 0, $4, $4)";
    let insert = services.store.db().w(insert);
    let insert = insert.bind(Uuid::from_u128(event.as_u128() + 1));
    let insert = insert.bind(webhook.0).bind(event).bind(NOW.micros());
    insert.exec().await.unwrap();
}

#[tokio::test]
async fn what_an_older_instance_writes_is_sent_once_and_can_be_sent_again() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let event = Uuid::from_u128(77);
        older_writes(&services, webhook.id, event).await;
        let now = soon(&services);
        assert_eq!(send_due(&services, now).await.unwrap(), 0);
        assert!(!adopt(&services).await.unwrap(), "that was all");
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        assert!(!adopt(&services).await.unwrap());
        assert_eq!(send_due(&services, now).await.unwrap(), 0);
        let all = rows(&services, webhook.id, Some(State::Delivered)).await;
        let again = async |act: &mut Act| act.redeliver(webhook.id, all[0].id).await;
        act(&services, again).await.unwrap();
        let now = soon(&services);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let messages = receiver.received();
        let ids: Vec<_> = messages.iter().map(|it| it.header("webhook-id")).collect();
        assert_eq!(ids, [event.to_string(), event.to_string()]);
        assert_eq!(messages[0].body, "{\"type\":\"user.created\"}");
    }
}

/// An older instance lets the database delete what waits for a webhook, which knows nothing of the outbox.
#[tokio::test]
async fn what_waits_for_a_webhook_that_an_older_instance_deleted_is_given_up() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let (other, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        for n in 0..30 {
            happens(&services, EventType::UserCreated, n).await;
        }
        let delete = services.store.db().w("DELETE FROM webhooks WHERE id = $1");
        delete.bind(webhook.id.0).exec().await.unwrap();
        let now = soon(&services);
        send_due(&services, now).await.unwrap();
        let store = &services.store;
        let waiting = store.count_waiting_deliveries(100).await.unwrap();
        assert_eq!(waiting, [], "and nothing comes back");
        assert_eq!(receiver.received().len(), 30, "all of them the other's");
        let told = rows(&services, other.id, Some(State::Delivered));
        assert_eq!(told.await.len(), 30);
        let lost = rows(&services, webhook.id, Some(State::Failed)).await;
        assert_eq!(lost.len(), 30);
        let why = lost.iter().find_map(|lost| lost.last_error.as_deref());
        assert_eq!(why, Some("the webhook was deleted"));
    }
}

#[tokio::test]
async fn a_webhook_that_is_deleted_takes_its_lane_with_it_and_no_other() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let (other, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        happens(&services, EventType::UserCreated, 1).await;
        older_writes(&services, webhook.id, Uuid::from_u128(77)).await;
        let remove = async |act: &mut Act| act.remove_webhook(&webhook).await;
        act(&services, remove).await.unwrap();
        // What an older instance wrote is moved, not swept away by the database.
        let left = rows(&services, webhook.id, None).await;
        let messages = left.iter().map(|it| it.message);
        assert_eq!(messages.filter(|it| *it == Uuid::from_u128(77)).count(), 1);
        assert_eq!(left.len(), 2);
        outbox(&services, soon(&services)).tidy(9).await.unwrap();
        let waiting = services.store.count_waiting_deliveries(100).await.unwrap();
        assert_eq!(waiting, [(Lane::Webhook(other.id), 1)]);
        assert!(rows(&services, webhook.id, None).await.is_empty());
    }
}

#[tokio::test]
async fn a_webhook_is_not_deleted_while_very_many_messages_of_the_version_before_are_left() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) \
            INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, created_at) \
            SELECT ";
        let id = match services.store.db().engine() {
            Engine::Postgres => "gen_random_uuid()",
            Engine::Sqlite => "randomblob(16)",
        };
        let many = format!("{many}{id}, $1, $1, 'user.created', '{{}}', 'failed', 1, 1 FROM n");
        let many = services.store.db().w(many.leak()).bind(webhook.id.0);
        many.exec().await.unwrap();
        let delete = async || {
            let remove = async |act: &mut Act| act.remove_webhook(&webhook).await;
            act(&services, remove).await
        };
        let refused = settled(delete()).await.unwrap_err();
        let AdministrationError::Store(error) = refused else {
            panic!("{refused}");
        };
        assert!(error.is_unavailable(), "{error}");
        assert!(adopt(&services).await.unwrap());
        delete().await.unwrap();
    }
}
