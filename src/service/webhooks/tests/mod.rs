mod receiver;
mod support;

use std::time::Duration;

use super::*;
use crate::domain::ids::UserId;
use crate::service::administration::{Act, AdministrationError};
use crate::service::audit::linker;
use crate::store::db::tests::{both, sqlite_fresh};
pub(in crate::service) use receiver::Receiver;
pub(in crate::service) use support::*;

#[tokio::test]
async fn an_event_is_told_once_signed_and_in_the_standard_format() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, secret) = created(&services, fields(&receiver.url, &["user.*"])).await;
        happens(&services, EventType::UserDisabled, 1).await;
        happens(&services, EventType::RoleCreated, 1).await;
        let now = soon(&services);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        assert_eq!(send_due(&services, now).await.unwrap(), 0);
        let messages = receiver.received();
        assert_eq!(messages.len(), 1);
        let message: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!(message["type"], "user.disabled");
        assert_eq!(message["timestamp"], message["data"]["time"]);
        assert_eq!(message["data"]["id"], messages[0].header("webhook-id"));
        assert_eq!(messages[0].header("content-type"), "application/json");
        assert!(messages[0].head.starts_with("POST /hook "), "{messages:?}");
        assert!(messages[0].is_signed_with(&secret));
        assert!(!messages[0].is_signed_with(&WebhookSecret::generate().to_text()));
        let all = rows(&services, webhook.id, None).await;
        assert_eq!((all.len(), all[0].state.as_str()), (1, "delivered"));
        assert_eq!((all[0].last_status, all[0].attempts), (Some(204), 1));
    }
}

/// With so many webhooks a hundred events of either kind are linked at once.
#[tokio::test]
async fn more_events_than_fit_one_transaction_are_all_told() {
    let (fresh, directory) = (sqlite_fresh(), tempfile::tempdir().unwrap());
    let services = start(&fresh, &directory).await;
    let mut webhook = None;
    for _ in 0..MAX_WEBHOOKS {
        let wanted = fields("https://example.test/hook", &["user.*", "client.refused"]);
        webhook = Some(created(&services, wanted).await.0.id);
    }
    let of = |kind, n| Event::new(kind, &Origin::system(), NOW).user(UserId::from_random([n; 16]));
    let mut tx = services.store.db().begin().await.unwrap();
    for n in 0..150 {
        services.audit.note(of(EventType::ClientRefused, n));
        let event = of(EventType::UserCreated, n);
        tx.record_event(&event).await.unwrap();
    }
    tx.commit().await.unwrap();
    linker::flush(&services).await.unwrap();
    let all = rows(&services, webhook.unwrap(), None).await;
    assert_eq!(all.len(), 300);
}

#[tokio::test]
async fn a_webhook_that_was_changed_after_it_was_read_is_not_written_over() {
    for fresh in both().await {
        let directory = tempfile::tempdir().unwrap();
        let services = start(&fresh, &directory).await;
        let url = "https://example.test/hook";
        let (read, _) = created(&services, fields(url, &["user.*"])).await;
        // It is given up meanwhile, as the outbox does.
        let mut tx = services.store.db().begin().await.unwrap();
        let reason = "answered 500".to_owned();
        let disabled = sender::disable(&mut tx, read.id, reason, read.updated_at);
        disabled.await.unwrap();
        tx.commit().await.unwrap();
        let wanted = fields("https://example.test/other", &["user.*"]);
        let change = async |act: &mut Act| act.change_webhook(&read, wanted).await;
        let refused = act(&services, change).await.err();
        assert!(
            matches!(refused, Some(AdministrationError::Changed)),
            "{refused:?}"
        );
        let stored = services.store.find_webhook(read.id).await.unwrap().unwrap();
        assert_eq!((stored.url.as_str(), stored.enabled), (url, false));
    }
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_old_one_for_a_while() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, old) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let now = soon(&services);
        let keep = Duration::from_hours(1);
        let rotate = async |act: &mut Act| act.rotate_webhook_secret(webhook.id, keep).await;
        let new = act(&services, rotate).await.unwrap();
        happens(&services, EventType::UserCreated, 1).await;
        send_due(&services, soon(&services)).await.unwrap();
        let first = receiver.received().remove(0);
        assert!(first.is_signed_with(&old) && first.is_signed_with(&new));
        happens(&services, EventType::UserCreated, 2).await;
        send_due(&services, now.plus(Duration::from_secs(3601)))
            .await
            .unwrap();
        let second = receiver.received().remove(1);
        assert!(!second.is_signed_with(&old) && second.is_signed_with(&new));
        // Sealed in the store, and no event says it.
        let all = crate::store::audit::EventFilter::default();
        let events = services.store.list_events(&all, None, 100);
        for event in events.await.unwrap() {
            assert!(!event.body.contains("whsec_"), "{}", event.body);
        }
    }
}

#[tokio::test]
async fn neither_events_nor_errors_say_more_of_an_address_than_its_origin() {
    let (fresh, directory) = (sqlite_fresh(), tempfile::tempdir().unwrap());
    let services = start(&fresh, &directory).await;
    // Nothing listens there.
    let address = "http://127.0.0.1:1/services/T0/hunter2?key=hunter2";
    let (webhook, _) = created(&services, fields(address, &["user.created"])).await;
    happens(&services, EventType::UserCreated, 1).await;
    send_due(&services, soon(&services)).await.unwrap();
    let store = &services.store;
    let mut all = rows(&services, webhook.id, None).await;
    let error = all.remove(0).last_error.unwrap();
    assert!(
        error.contains("http://127.0.0.1:1") && !error.contains("hunter2"),
        "{error}"
    );
    let all = crate::store::audit::EventFilter::default();
    let events = store.list_events(&all, None, 100).await.unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.body.contains("http://127.0.0.1:1"))
    );
    assert!(events.iter().all(|event| !event.body.contains("hunter2")));
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_refused() {
    let (fresh, directory) = (sqlite_fresh(), tempfile::tempdir().unwrap());
    let services = start(&fresh, &directory).await;
    for (url, types, param) in [
        ("http://example.test/hook", &[][..], "url"),
        ("https://10.0.0.1/hook", &[], "url"),
        ("https://user:pass@example.test/hook", &[], "url"),
        ("file:///etc/passwd", &[], "url"),
        (
            "https://example.test/hook",
            &["user.exploded"],
            "event_types",
        ),
        ("https://example.test/hook", &["use*"], "event_types"),
    ] {
        let wanted = fields(url, types);
        let refused = act(&services, async |act| act.create_webhook(wanted).await).await;
        match refused {
            Err(AdministrationError::Webhook(WebhookError::Invalid { param: named, .. })) => {
                assert_eq!(named, param, "{url}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    let fine = fields("https://example.test/hook", &["user.*", "client.created"]);
    for _ in 0..MAX_WEBHOOKS {
        created(&services, fine.clone()).await;
    }
    let refused = act(&services, async |act| act.create_webhook(fine).await).await;
    let refused = refused.err();
    assert!(matches!(
        refused,
        Some(AdministrationError::Webhook(WebhookError::TooMany))
    ));
}

#[test]
fn what_happens_with_every_token_must_be_named_in_full() {
    let types = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert!(wants(&types(&[]), "user.created") && !wants(&types(&[]), "token.issued"));
    assert!(wants(&types(&["token.*"]), "token.replayed"));
    assert!(!wants(&types(&["token.*"]), "token.issued"));
    assert!(wants(&types(&["token.issued"]), "token.issued"));
    assert!(!wants(&types(&["user.*"]), "client.created"));
}
