//! Webhooks: events sent to the addresses that an operator names, in the format of
//! [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! Administrators change webhooks by acts (`administration/webhooks.rs`). Deliveries are put in the outbox by the link
//! that gives an event its place, so every event that counts is told at least once; `webhook-id` is the event's id, by
//! which a receiver knows what it was told before.

pub(super) mod sender;

#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::Services;
use crate::crypto::master_key::MasterKey;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::crypto::webhook::WebhookSecret;
use crate::domain::audit::{Event, EventId, EventType, Origin};
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::Lane;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;
use crate::store::webhooks::{MAX_WEBHOOKS, Webhook};

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

    pub(super) fn seal(&self, id: WebhookId, secret: &WebhookSecret) -> Vec<u8> {
        self.sealer.seal(&id.bytes(), secret.bytes())
    }

    fn open(&self, id: WebhookId, sealed: &[u8]) -> Option<WebhookSecret> {
        let opened = self.sealer.open(&id.bytes(), sealed)?;
        Some(WebhookSecret::from_bytes(opened))
    }
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

/// Refuses what cannot be said of a webhook.
pub(super) fn check(services: &Services, fields: &Fields) -> Result<(), WebhookError> {
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

fn event(kind: EventType, id: WebhookId, origin: &Origin, now: Ts) -> Event {
    Event::new(kind, origin, now).target("webhook", &id)
}

/// Scheme, host and port of an address. The rest may be what gives access to it, and is shown to no one.
pub fn origin_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "…".to_owned(), |url| url.origin().ascii_serialization())
}

/// A webhook as events show it.
pub(super) fn view(webhook: &Webhook) -> Value {
    json!({
        "url": origin_of(&webhook.url),
        "description": webhook.description,
        "event_types": webhook.event_types,
        "enabled": webhook.enabled,
    })
}
