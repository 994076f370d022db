//! Rows that cannot be read.

use super::*;
use crate::domain::ids::WebhookId;
use crate::store::audit::EventFilter;

async fn run(services: &Services, sql: &'static str, id: uuid::Uuid) {
    let run = services.store.db().w(sql).bind(id);
    assert_eq!(run.exec().await.unwrap(), 1);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_set_aside_and_its_neighbours_are_sent() {
    for (n, fresh) in both().await.into_iter().enumerate() {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, _) = created(&services, fields(&receiver.url, &["user.created"])).await;
        for n in 0..4 {
            happens(&services, EventType::UserCreated, n).await;
        }
        let all = rows(&services, webhook.id, None).await;
        let no_state = "UPDATE outbox SET state = 'nonsense' WHERE id = $1";
        run(&services, no_state, all[1].id.0).await;
        let mut sent = 3;
        if fresh.url.starts_with("sqlite:") {
            let no_text = "UPDATE outbox SET body = CAST(x'ff' AS TEXT) WHERE id = $1";
            run(&services, no_text, all[2].id.0).await;
            sent = 2;
        }
        let now = soon(&services);
        assert_eq!(send_due(&services, now).await.unwrap(), sent, "{n}");
        assert_eq!(receiver.received().len(), sent);
        let told = rows(&services, webhook.id, Some(State::Delivered)).await;
        assert_eq!(told.len(), sent);
        let aside = rows(&services, webhook.id, Some(State::Failed)).await;
        assert_eq!(aside[0].id, all[1].id);
        let why = aside[0].last_error.as_deref();
        assert_eq!(why, Some("the message cannot be read"));
        // Neither leased again nor counted as waiting.
        let later = now.plus(LEASE * 2);
        assert_eq!(send_due(&services, later).await.unwrap(), 0);
        let waiting = services.store.count_waiting_deliveries(9).await.unwrap();
        assert_eq!(waiting, []);
    }
}

async fn disabled(services: &Services) -> usize {
    let filter = EventFilter {
        kind: Some(EventType::WebhookDisabled),
        ..EventFilter::default()
    };
    let events = services.store.list_events(&filter, None, 9);
    events.await.unwrap().len()
}

#[tokio::test]
async fn a_webhook_that_cannot_be_read_is_disabled_once_and_hinders_no_other() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let wanted = || fields(&receiver.url, &["user.created"]);
        let (broken, _) = created(&services, wanted()).await;
        let (other, _) = created(&services, wanted()).await;
        happens(&services, EventType::UserCreated, 1).await;
        let no_types = "UPDATE webhooks SET event_types = '{\"all\": true}' WHERE id = $1";
        run(&services, no_types, broken.id.0).await;
        // Events are linked, and told to the other.
        happens(&services, EventType::UserCreated, 2).await;
        let now = soon(&services);
        for _ in 0..2 {
            outbox(&services, now).tidy(MOST_WAITING).await.unwrap();
        }
        assert_eq!(disabled(&services).await, 1);
        send_due(&services, now).await.unwrap();
        let told = |id: WebhookId| rows(&services, id, Some(State::Delivered));
        assert_eq!(told(other.id).await.len(), 2);
        assert_eq!(told(broken.id).await.len(), 0);
        let waiting = services.store.count_waiting_deliveries(9).await.unwrap();
        assert_eq!(waiting, []);
        let stored = stored(&services, broken.id).await;
        assert!(!stored.enabled);
        let why = stored.disabled_reason.unwrap();
        assert!(why.contains("event_types"), "{why}");
        // Set again, it is told again.
        let changed = act(&services, async |act| {
            let was = act.find_webhook(broken.id).await?;
            act.change_webhook(&was, wanted()).await
        });
        changed.await.unwrap();
        happens(&services, EventType::UserCreated, 3).await;
        send_due(&services, now).await.unwrap();
        assert_eq!(told(broken.id).await.len(), 1);
    }
}
