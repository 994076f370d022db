//! Webhooks: events sent to the addresses that an operator names, in the format of
//! [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! What changes a webhook runs in the caller's transaction and writes its event there. Deliveries are put in the outbox
//! by the link that gives an event its place, so every event that counts is told at least once; `webhook-id` is the
//! event's id, by which a receiver knows what it was told before.

pub(super) mod sender;

#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::{Services, outbox};
use crate::crypto::master_key::MasterKey;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::crypto::secret::PlainToken;
use crate::crypto::webhook::WebhookSecret;
use crate::domain::audit::{Event, EventId, EventType, Origin};
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::Lane;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;
use crate::store::webhooks::{MAX_WEBHOOKS, SealedSecrets, Webhook};

/// How long a replaced secret signs beside the new one unless something else is asked for.
pub const KEEP: Duration = Duration::from_hours(24);

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 512;

/// At most so many names of types.
const MAX_TYPES: usize = 100;

/// Why nothing was done; each says what to do.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// No such webhook.
    #[error("there is no webhook {0}")]
    Unknown(WebhookId),
    /// No such delivery.
    #[error("there is no delivery {0}")]
    UnknownDelivery(DeliveryId),
    /// It was changed by another request.
    #[error("the webhook was changed since you read it")]
    Changed,
    /// There are too many.
    #[error("there are {MAX_WEBHOOKS} webhooks already; delete one first")]
    TooMany,
    /// A member that cannot be so.
    #[error("{problem}")]
    Invalid {
        /// Which.
        param: &'static str,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// Its secret was sealed with another master key.
    #[error("the secret of webhook {0} cannot be opened; rotate it")]
    Sealed(WebhookId),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What can be said of a webhook.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Where to: https, except for hosts in `fetch_allow_hosts`.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told: names of types, `user.*` for a family; none: everything. What happens with every token
    /// (`code.issued`, `token.issued`, `token.refreshed`) is told only when it is named in full.
    pub event_types: Vec<String>,
    /// Whether it is told at all.
    pub enabled: bool,
}

/// Seals the secrets of webhooks.
pub struct Webhooks {
    sealer: Sealer,
}

impl Webhooks {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self {
            sealer: Sealer::new(master, "webhooks"),
        }
    }

    fn seal(&self, id: WebhookId, secret: &WebhookSecret) -> Vec<u8> {
        self.sealer.seal(&id.bytes(), secret.bytes())
    }

    fn open(&self, id: WebhookId, sealed: &[u8]) -> Option<WebhookSecret> {
        let opened = self.sealer.open(&id.bytes(), sealed)?;
        Some(WebhookSecret::from_bytes(opened))
    }
}

/// Creates a webhook; its secret is told this once.
pub async fn create(
    services: &Services,
    tx: &mut Tx,
    fields: Fields,
    origin: &Origin,
    now: Ts,
) -> Result<(Webhook, PlainToken), WebhookError> {
    check(services, &fields)?;
    let secret = WebhookSecret::generate();
    let webhook = Webhook {
        id: WebhookId::from_random(random::bytes()),
        url: fields.url,
        description: fields.description,
        event_types: fields.event_types,
        enabled: fields.enabled,
        disabled_reason: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let sealed = services.webhooks.seal(webhook.id, &secret);
    if !tx.insert_webhook(&webhook, sealed).await? {
        return Err(WebhookError::TooMany);
    }
    let event = event(EventType::WebhookCreated, webhook.id, origin, now);
    tx.record_event(&event.after(view(&webhook))).await?;
    Ok((webhook, secret.to_text()))
}

/// Replaces what is said of a webhook, if it is still the `version` that the caller saw. Disabling gives up what
/// waits for it, which can be redelivered: a thousand messages here, what is left of many by the outbox.
pub async fn update(
    services: &Services,
    tx: &mut Tx,
    id: WebhookId,
    version: Option<i64>,
    fields: Fields,
    origin: &Origin,
    now: Ts,
) -> Result<Webhook, WebhookError> {
    check(services, &fields)?;
    let lane = Lane::Webhook(id);
    tx.lock_lane(&lane).await?;
    let was = find(tx, id).await?;
    if version.is_some_and(|version| version != was.version) {
        return Err(WebhookError::Changed);
    }
    let is = Webhook {
        url: fields.url,
        description: fields.description,
        event_types: fields.event_types,
        enabled: fields.enabled,
        disabled_reason: None,
        version: was.version + 1,
        updated_at: now,
        ..was.clone()
    };
    tx.update_webhook(&is).await?;
    if was.enabled && !is.enabled {
        tx.give_up_deliveries(&lane, now).await?;
    }
    let event = event(EventType::WebhookUpdated, id, origin, now);
    tx.record_event(&event.before(view(&was)).after(view(&is)))
        .await?;
    Ok(is)
}

/// Removes a webhook. Its deliveries, of which there may be very many, are neither sent nor shown from then on, and
/// are deleted by `Outbox::tidy`. [`StoreError::Unavailable`] while many are still in the table of the version before.
pub async fn delete(
    tx: &mut Tx,
    id: WebhookId,
    origin: &Origin,
    now: Ts,
) -> Result<(), WebhookError> {
    let was = find(tx, id).await?;
    if !outbox::adopt_all_of(tx, id, now).await? {
        let problem = "messages of this webhook are still being moved; try again in a minute";
        return Err(StoreError::Unavailable(problem.to_owned()).into());
    }
    tx.delete_webhook(id).await?;
    let event = event(EventType::WebhookDeleted, id, origin, now);
    tx.record_event(&event.before(view(&was))).await?;
    Ok(())
}

/// Gives a webhook another secret, which is told this once; messages carry both signatures for `keep`.
pub async fn rotate_secret(
    services: &Services,
    tx: &mut Tx,
    id: WebhookId,
    keep: Duration,
    origin: &Origin,
    now: Ts,
) -> Result<PlainToken, WebhookError> {
    let old = tx.find_webhook_secret(id).await?;
    let old = old.ok_or(WebhookError::Unknown(id))?;
    let secret = WebhookSecret::generate();
    let secrets = SealedSecrets {
        current: services.webhooks.seal(id, &secret),
        previous: (!keep.is_zero()).then(|| (old, now.plus(keep))),
    };
    tx.replace_webhook_secret(id, &secrets, now).await?;
    let event = event(EventType::WebhookSecretRotated, id, origin, now);
    tx.record_event(&event.detail("older_valid_until", now.plus(keep).rfc3339()))
        .await?;
    Ok(secret.to_text())
}

/// Sends a delivery of a webhook again, whatever became of it; with the same `webhook-id`. What is left of a webhook
/// that is gone is not known.
pub async fn redeliver(
    tx: &mut Tx,
    webhook: WebhookId,
    id: DeliveryId,
    origin: &Origin,
    now: Ts,
) -> Result<Delivery, WebhookError> {
    let lane = Lane::Webhook(webhook);
    let unknown = WebhookError::UnknownDelivery(id);
    let is_gone = tx.find_webhook(webhook).await?.is_none();
    if is_gone || !tx.send_again(&lane, id, now).await? {
        return Err(unknown);
    }
    let event = event(EventType::WebhookRedelivered, webhook, origin, now);
    tx.record_event(&event.detail("delivery_id", id.to_string()))
        .await?;
    tx.find_delivery(&lane, id).await?.ok_or(unknown)
}

/// What is to be told of events, each given with its id, its type and its body.
pub(super) fn deliveries<'a>(
    webhooks: &[(WebhookId, Vec<String>)],
    events: impl Iterator<Item = (Uuid, &'a str, &'a str)>,
    now: Ts,
) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for (event, kind, body) in events {
        let mut wanted = webhooks
            .iter()
            .filter(|(_, types)| wants(types, kind))
            .peekable();
        if wanted.peek().is_none() {
            continue;
        }
        let body = payload(kind, body);
        deliveries.extend(wanted.map(|(webhook, _)| {
            let id = DeliveryId(EventId::new(now, random::bytes()).0);
            let lane = Lane::Webhook(*webhook);
            Delivery::new(id, lane, event, kind.to_owned(), body.clone(), now)
        }));
    }
    deliveries
}

/// The message: `type`, `timestamp` and the event as `data`.
fn payload(kind: &str, body: &str) -> String {
    let data: Value = serde_json::from_str(body).unwrap_or_default();
    json!({ "type": kind, "timestamp": data["time"], "data": data }).to_string()
}

/// Whether a webhook that wants `types` is told of a type.
fn wants(types: &[String], kind: &str) -> bool {
    let routine = EventType::parse(kind).is_some_and(EventType::is_routine);
    let matches = |wanted: &String| match wanted.strip_suffix('*') {
        Some(family) => !routine && kind.starts_with(family),
        None => wanted == kind,
    };
    (types.is_empty() && !routine) || types.iter().any(matches)
}

fn check(services: &Services, fields: &Fields) -> Result<(), WebhookError> {
    let invalid = |param, problem| Err(WebhookError::Invalid { param, problem });
    if let Err(problem) = services.fetcher.check_address(&fields.url) {
        return invalid("url", problem);
    }
    let description = fields.description.as_deref().unwrap_or_default();
    if description.len() > MAX_DESCRIPTION || fields.url.len() > 2048 {
        let problem = "expected at most 512 bytes of description and 2048 of url".to_owned();
        return invalid("description", problem);
    }
    if fields.event_types.len() > MAX_TYPES {
        return invalid("event_types", format!("expected at most {MAX_TYPES} names"));
    }
    let known = |wanted: &str| match wanted.strip_suffix(".*") {
        Some(family) => EventType::ALL.iter().any(|kind| {
            let name = kind.as_str().strip_prefix(family);
            name.is_some_and(|rest| rest.starts_with('.'))
        }),
        None => EventType::parse(wanted).is_some(),
    };
    match fields.event_types.iter().find(|wanted| !known(wanted)) {
        Some(unknown) => invalid(
            "event_types",
            format!(
                "{unknown:?} is no type of event; expected a name such as user.created, or user.*"
            ),
        ),
        None => Ok(()),
    }
}

async fn find(tx: &mut Tx, id: WebhookId) -> Result<Webhook, WebhookError> {
    tx.find_webhook(id).await?.ok_or(WebhookError::Unknown(id))
}

fn event(kind: EventType, id: WebhookId, origin: &Origin, now: Ts) -> Event {
    Event::new(kind, origin, now).target("webhook", &id)
}

/// Scheme, host and port of an address. The rest may be what gives access to it, and is shown to no one.
pub fn origin_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "…".to_owned(), |url| url.origin().ascii_serialization())
}

fn view(webhook: &Webhook) -> Value {
    json!({
        "url": origin_of(&webhook.url),
        "description": webhook.description,
        "event_types": webhook.event_types,
        "enabled": webhook.enabled,
    })
}
