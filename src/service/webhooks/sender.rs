//! How the outbox sends an event to a webhook, and what happens when a webhook is given up.

use super::{WebhookError, event, origin_of};
use crate::domain::audit::{EventType, Origin};
use crate::domain::ids::WebhookId;
use crate::domain::outbox::{Receiver, Reply, Sent};
use crate::service::Services;
use crate::spec::time::{Clock, Ts};
use crate::store::Store;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;
use crate::store::webhooks::UNREADABLE;

/// 410: the receiver wants no more messages.
const GONE: u16 = 410;

/// Sends a message once, signed.
pub(in crate::service) async fn send(
    services: &Services,
    id: WebhookId,
    delivery: &Delivery,
    clock: &Clock,
) -> Result<Sent, StoreError> {
    let unsent = |reply| {
        Ok(Sent {
            status: None,
            reply,
        })
    };
    let Some(to) = services.store.find_webhook_destination(id).await? else {
        return unsent(Reply::Gone("the webhook was deleted".to_owned()));
    };
    if !to.enabled {
        return unsent(Reply::Closed("the webhook is disabled".to_owned()));
    }
    let open = |sealed: &[u8]| services.webhooks.open(id, sealed);
    let Some(current) = open(&to.secrets.current) else {
        return unsent(Reply::Unanswered(WebhookError::Sealed(id).to_string()));
    };
    let now = clock.now();
    let previous = to.secrets.previous.filter(|(_, until)| now < *until);
    let previous = previous.and_then(|(sealed, _)| open(&sealed));
    let message = delivery.message.to_string();
    let signatures: Vec<String> = [Some(current), previous]
        .iter()
        .flatten()
        .map(|secret| secret.sign(&message, now.secs(), &delivery.body))
        .collect();
    let headers = [
        ("webhook-id", message),
        ("webhook-timestamp", now.secs().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let body = delivery.body.clone();
    let answered = services.fetcher.post_json(&to.url, &headers, body).await;
    Ok(match answered {
        Ok(status) => Sent {
            status: Some(status),
            reply: meaning(status),
        },
        Err(error) => Sent {
            status: None,
            reply: Reply::Unanswered(error.replace(&to.url, &origin_of(&to.url))),
        },
    })
}

/// What a receiver's status means.
fn meaning(status: u16) -> Reply {
    let failure = format!("answered {status}");
    match status {
        200..=299 => Reply::Taken,
        GONE => Reply::Gone(failure),
        0..500 => Reply::Refused(failure),
        500.. => Reply::Unanswered(failure),
    }
}

/// Whether a webhook takes messages.
pub(in crate::service) async fn receiver(
    store: &Store,
    id: WebhookId,
) -> Result<Receiver, StoreError> {
    Ok(match store.find_webhook(id).await? {
        Some(webhook) if webhook.enabled => Receiver::Open,
        Some(_) => Receiver::Closed,
        None => Receiver::Gone,
    })
}

/// Whether a webhook is told nothing, which stays so until the transaction ends.
pub(in crate::service) async fn is_disabled(
    tx: &mut Tx,
    id: WebhookId,
) -> Result<bool, StoreError> {
    tx.lock_webhook(id).await?;
    let webhook = tx.find_webhook(id).await?;
    Ok(webhook.is_none_or(|webhook| !webhook.enabled))
}

/// Disables a webhook that is given up, unless it is disabled or gone already.
pub(in crate::service) async fn disable(
    tx: &mut Tx,
    id: WebhookId,
    reason: String,
    now: Ts,
) -> Result<(), StoreError> {
    tx.lock_webhook(id).await?;
    let webhook = tx.find_webhook(id).await?;
    let Some(mut webhook) = webhook.filter(|webhook| webhook.enabled) else {
        return Ok(());
    };
    webhook.enabled = false;
    webhook.disabled_reason = Some(reason.clone());
    webhook.updated_at = now;
    // The row is locked, so it is what was read.
    tx.update_webhook(webhook.version, &webhook).await?;
    record_disabled(tx, id, reason, now).await?;
    tracing::warn!(webhook.id = %id, "webhook {id} is disabled: it could not be told for too long");
    Ok(())
}

/// Disables webhooks whose rows cannot be read. They stay to be looked at, changed and deleted.
pub(in crate::service) async fn disable_unreadable(
    services: &Services,
    now: Ts,
) -> Result<(), StoreError> {
    let mut tx = services.store.db().begin().await?;
    let disabled = tx.disable_unreadable_webhooks(now).await?;
    for id in &disabled {
        record_disabled(&mut tx, *id, UNREADABLE.to_owned(), now).await?;
    }
    tx.commit().await?;
    for id in disabled {
        tracing::error!(webhook.id = %id, "webhook {id} is disabled: {UNREADABLE}");
    }
    Ok(())
}

async fn record_disabled(
    tx: &mut Tx,
    id: WebhookId,
    reason: String,
    now: Ts,
) -> Result<(), StoreError> {
    let event = event(EventType::WebhookDisabled, id, &Origin::system(), now);
    let event = event.detail("reason", reason);
    tx.record_event(&event).await.map(drop)
}
