//! What tests of webhooks and of the outbox begin with.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::super::Fields;
use crate::config::Config;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::ids::{DeliveryId, UserId, WebhookId};
use crate::domain::outbox::{Lane, State};
use crate::service::Services;
use crate::service::administration::{Act, AdministrationError, act_of_operator};
use crate::service::audit::linker;
use crate::service::outbox::Outbox;
use crate::spec::time::{Clock, Ts};
use crate::store::db::tests::Fresh;
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;
use crate::store::webhooks::Webhook;

pub(in crate::service) async fn start(
    fresh: &Fresh,
    directory: &tempfile::TempDir,
) -> Arc<Services> {
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

pub(in crate::service) const NOW: Ts = Ts(1_790_000_000_000_000);

pub(in crate::service) fn fields(url: &str, types: &[&str]) -> Fields {
    Fields {
        url: url.to_owned(),
        description: None,
        event_types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        enabled: true,
    }
}

pub(in crate::service) async fn created(
    services: &Arc<Services>,
    fields: Fields,
) -> (Webhook, PlainToken) {
    let created = act(services, async |act| act.create_webhook(fields).await);
    created.await.unwrap()
}

/// One act of an operator.
pub(in crate::service) async fn act<T>(
    services: &Arc<Services>,
    change: impl AsyncFnOnce(&mut Act) -> Result<T, AdministrationError>,
) -> Result<T, AdministrationError> {
    let (origin, now) = (Origin::system(), services.clock.now());
    act_of_operator(services, &origin, now, change).await
}

/// Enables a webhook again and sends one of its messages again.
pub(in crate::service) async fn enabled_and_sent_again(
    services: &Arc<Services>,
    webhook: WebhookId,
    fields: Fields,
    delivery: DeliveryId,
) {
    let done = act(services, async |act| {
        let was = act.find_webhook(webhook).await?;
        act.change_webhook(&was, fields).await?;
        act.redeliver(webhook, delivery).await
    });
    done.await.unwrap();
}

/// Something happens to a person, and is linked.
pub(in crate::service) async fn happens(services: &Services, kind: EventType, n: u8) {
    let event = Event::new(kind, &Origin::system(), NOW).user(UserId::from_random([n; 16]));
    let mut tx = services.store.db().begin().await.unwrap();
    tx.record_event(&event).await.unwrap();
    tx.commit().await.unwrap();
    linker::flush(services).await.unwrap();
}

/// An outbox that has begun nothing, at a time.
pub(in crate::service) fn outbox(services: &Arc<Services>, now: Ts) -> Outbox {
    let clock = Clock::fixed(Arc::new(AtomicI64::new(now.micros())));
    Outbox::new(Arc::clone(services), clock)
}

/// Sends all that is due at a time; how many were tried.
pub(in crate::service) async fn send_due(
    services: &Arc<Services>,
    now: Ts,
) -> Result<usize, StoreError> {
    let outbox = outbox(services, now);
    let mut all = 0;
    loop {
        outbox.turn().await?;
        match outbox.drain().await {
            0 => return Ok(all),
            tried => all += tried,
        }
    }
}

/// The newest deliveries of a webhook.
pub(in crate::service) async fn rows(
    services: &Services,
    webhook: WebhookId,
    state: Option<State>,
) -> Vec<Delivery> {
    let lane = Lane::Webhook(webhook);
    let list = services.store.list_deliveries(&lane, state, None, 1000);
    list.await.unwrap()
}

/// A webhook as it is stored.
pub(in crate::service) async fn stored(services: &Services, webhook: WebhookId) -> Webhook {
    let found = services.store.find_webhook(webhook).await.unwrap();
    found.unwrap()
}

/// Everything linked before now is due then.
pub(in crate::service) fn soon(services: &Services) -> Ts {
    services.clock.now().plus(Duration::from_secs(1))
}
