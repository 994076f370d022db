mod lanes;
mod receiver;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::domain::ids::UserId;
use crate::service::audit::linker;
use crate::spec::time::Clock;
use crate::store::audit::EventFilter;
use crate::store::db::tests::{Fresh, both, sqlite_fresh};
use receiver::Receiver;

async fn start(fresh: &Fresh, directory: &tempfile::TempDir) -> Arc<Services> {
    let keys = directory.path().join("keys").display().to_string();
    let settings = [
        ("SIGNET_DATABASE_URL", fresh.url.as_str()),
        ("SIGNET_KEYS_DIR", keys.as_str()),
        ("SIGNET_DATABASE_MAX_CONNECTIONS", "4"),
        ("SIGNET_FETCH_ALLOW_HOSTS", "127.0.0.1"),
    ];
    let file = directory.path().join("signet.toml");
    std::fs::write(&file, "").unwrap();
    let env = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::load(Some(&file), env.into_iter(), Vec::new()).unwrap();
    Services::start(config).await.unwrap()
}

const NOW: Ts = Ts(1_790_000_000_000_000);

fn after(seconds: u64) -> Ts {
    NOW.plus(Duration::from_secs(seconds))
}

fn fields(url: &str, types: &[&str]) -> Fields {
    Fields {
        url: url.to_owned(),
        description: None,
        event_types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        enabled: true,
    }
}

async fn created(services: &Services, fields: Fields) -> (Webhook, PlainToken) {
    let mut tx = services.store.db().begin().await.unwrap();
    let origin = Origin::system();
    let created = create(services, &mut tx, fields, &origin, NOW).await;
    let created = created.unwrap();
    tx.commit().await.unwrap();
    created
}

/// Something happens to a person, and is linked.
async fn happens(services: &Services, kind: EventType, n: u8) {
    let event = Event::new(kind, &Origin::system(), NOW).user(UserId::from_random([n; 16]));
    let mut tx = services.store.db().begin().await.unwrap();
    tx.record_event(&event).await.unwrap();
    tx.commit().await.unwrap();
    linker::flush(services).await.unwrap();
}

/// Sends all that is due at a time; how many were tried.
async fn send_due(services: &Arc<Services>, now: Ts) -> Result<usize, StoreError> {
    let clock = Clock::fixed(Arc::new(AtomicI64::new(now.micros())));
    let mut all = 0;
    loop {
        match sender::send_due(services, &clock).await? {
            0 => return Ok(all),
            tried => all += tried,
        }
    }
}

/// Everything linked before now is due then.
fn soon(services: &Services) -> Ts {
    services.clock.now().plus(Duration::from_secs(1))
}

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
        let store = &services.store;
        let all = store
            .list_deliveries(webhook.id, None, None, 10)
            .await
            .unwrap();
        assert_eq!((all.len(), all[0].state.as_str()), (1, "delivered"));
        assert_eq!((all[0].last_status, all[0].attempts), (Some(204), 1));
    }
}

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
            let all = services.store.list_deliveries(webhook.id, None, None, 1);
            let delivery = all.await.unwrap().remove(0);
            assert_eq!(delivery.last_status, Some(500));
            if attempt == 10 {
                assert_eq!(delivery.state, "failed");
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
        let stored = services
            .store
            .find_webhook(webhook.id)
            .await
            .unwrap()
            .unwrap();
        assert!(!stored.enabled);
        assert_eq!(stored.disabled_reason.as_deref(), Some("answered 500"));
        // Nothing more goes there, until somebody enables it and sends it again.
        happens(&services, EventType::UserCreated, 2).await;
        assert_eq!(
            send_due(&services, now.plus(Duration::from_hours(999)))
                .await
                .unwrap(),
            0
        );
        let delivery = services
            .store
            .list_deliveries(webhook.id, Some("failed"), None, 1);
        let delivery = delivery.await.unwrap().remove(0);
        let (origin, mut tx) = (Origin::system(), services.store.db().begin().await.unwrap());
        let wanted = fields(&receiver.url, &["user.created"]);
        update(&services, &mut tx, webhook.id, None, wanted, &origin, now)
            .await
            .unwrap();
        redeliver(&mut tx, delivery.id, &origin, now).await.unwrap();
        tx.commit().await.unwrap();
        receiver.answers(200);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let messages = receiver.received();
        let ids: std::collections::HashSet<_> = messages
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
        for _ in 0..9 {
            assert_eq!(send_due(&services, now).await.unwrap(), 1);
            now = now.plus(Duration::from_hours(30));
        }
        // Another one goes through.
        receiver.answers(204);
        happens(&services, EventType::UserCreated, 2).await;
        let lease = services
            .store
            .lease_deliveries(webhook.id, soon(&services), now, 1);
        assert_eq!(lease.await.unwrap().len(), 1);
        let mut tx = services.store.db().begin().await.unwrap();
        let list = services.store.list_deliveries(webhook.id, None, None, 2);
        let newest = list.await.unwrap().remove(0);
        let attempt = crate::store::deliveries::Attempt {
            state: "delivered",
            next_at: None,
            status: Some(204),
            error: None,
        };
        let done = tx.finish_attempt(newest.id, now, &attempt, soon(&services));
        assert!(done.await.unwrap());
        tx.commit().await.unwrap();
        receiver.answers(422);
        assert_eq!(send_due(&services, now).await.unwrap(), 1);
        let failed = services
            .store
            .list_deliveries(webhook.id, Some("failed"), None, 9);
        assert_eq!(failed.await.unwrap().len(), 1);
        let stored = services.store.find_webhook(webhook.id).await.unwrap();
        assert!(stored.unwrap().enabled);
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
    let stored = services
        .store
        .find_webhook(webhook.id)
        .await
        .unwrap()
        .unwrap();
    assert!(!stored.enabled);
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
        let taken =
            one.store
                .lease_deliveries(webhook.id, now, now.plus(Duration::from_mins(1)), 5);
        assert_eq!(taken.await.unwrap().len(), 5);
        let sent = tokio::join!(send_due(&one, now), send_due(&two, now));
        assert_eq!(sent.0.unwrap() + sent.1.unwrap(), 25);
        assert_eq!(receiver.received().len(), 25);
        let later = now.plus(Duration::from_secs(61));
        assert_eq!(send_due(&two, later).await.unwrap(), 5);
        let ids: std::collections::HashSet<_> = receiver
            .received()
            .iter()
            .map(|message| message.header("webhook-id").to_owned())
            .collect();
        assert_eq!((ids.len(), receiver.received().len()), (30, 30));
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
        assert_eq!(sender::send_due(&services, &clock).await.unwrap(), sent);
        // Signed when it was sent, not when the backlog was begun.
        for message in receiver
            .received()
            .split_off(receiver.received().len() - sent)
        {
            let signed: i64 = message.header("webhook-timestamp").parse().unwrap();
            assert!(signed >= now.secs(), "{signed} {now:?}");
        }
        let store = &services.store;
        let all = store.list_deliveries(webhook.id, None, None, 100).await;
        let next = all
            .unwrap()
            .into_iter()
            .filter(|it| it.last_status.is_some());
        let next = next.filter_map(|it| it.next_at).max().unwrap();
        // The last one failed some ten minutes after the first was sent.
        assert!(next >= now.plus(Duration::from_mins(9)), "{next:?} {now:?}");
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
    let store = &services.store;
    let all = store.list_deliveries(webhook.unwrap(), None, None, 1000);
    assert_eq!(all.await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_old_one_for_a_while() {
    for fresh in both().await {
        let (directory, receiver) = (tempfile::tempdir().unwrap(), Receiver::new().await);
        let services = start(&fresh, &directory).await;
        let (webhook, old) = created(&services, fields(&receiver.url, &["user.created"])).await;
        let now = soon(&services);
        let (origin, mut tx) = (Origin::system(), services.store.db().begin().await.unwrap());
        let keep = Duration::from_hours(1);
        let new = rotate_secret(&services, &mut tx, webhook.id, keep, &origin, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
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
    // Nobody listens there.
    let address = "http://127.0.0.1:1/services/T0/hunter2?key=hunter2";
    let (webhook, _) = created(&services, fields(address, &["user.created"])).await;
    happens(&services, EventType::UserCreated, 1).await;
    send_due(&services, soon(&services)).await.unwrap();
    let store = &services.store;
    let all = store.list_deliveries(webhook.id, None, None, 1).await;
    let error = all.unwrap().remove(0).last_error.unwrap();
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
    let mut tx = services.store.db().begin().await.unwrap();
    let origin = Origin::system();
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
        let refused = create(&services, &mut tx, fields(url, types), &origin, after(0)).await;
        match refused {
            Err(WebhookError::Invalid { param: named, .. }) => assert_eq!(named, param, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    let fine = fields("https://example.test/hook", &["user.*", "client.created"]);
    for _ in 0..MAX_WEBHOOKS {
        create(&services, &mut tx, fine.clone(), &origin, NOW)
            .await
            .unwrap();
    }
    let refused = create(&services, &mut tx, fine, &origin, NOW).await;
    assert!(matches!(refused, Err(WebhookError::TooMany)));
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
