//! Sending what is in the outbox: a few at a time, again later when it fails, not for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{WebhookError, event, origin_of};
use crate::crypto::random;
use crate::domain::audit::{EventType, Origin};
use crate::service::Services;
use crate::spec::time::{Clock, Ts};
use crate::store::deliveries::{Attempt, Delivery};
use crate::store::error::StoreError;

/// At most so many are sent at once.
const AT_ONCE: i64 = 10;

/// How long a delivery is one sender's alone: far longer than a fetch may take.
const LEASE: Duration = Duration::from_mins(1);

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_millis(500);

/// Until when a finished delivery can be looked at and sent again.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How often what is older is deleted.
const PURGE_EVERY: Duration = Duration::from_mins(10);

/// How long it is waited after each attempt that fails, in seconds: about three days in all.
const PAUSES: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// 410: nobody wants it any more.
const GONE: u16 = 410;

/// Sends a few of what is due; how many were tried. The clock is read at each step: a message may take as long as a
/// fetch may, and leases, signatures and pauses count from when they begin.
pub async fn send_due(services: &Arc<Services>, clock: &Clock) -> Result<usize, StoreError> {
    let now = clock.now();
    let until = now.plus(LEASE);
    let due = services.store.lease_deliveries(now, until, AT_ONCE).await?;
    let tried = due.len();
    let mut sending = JoinSet::new();
    for delivery in due {
        let (services, clock) = (Arc::clone(services), clock.clone());
        sending.spawn(async move { send(&services, delivery, until, &clock).await });
    }
    while let Some(sent) = sending.join_next().await {
        // What could not be noted is sent again when its lease ends.
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what came of a webhook cannot be noted"),
            Err(error) => tracing::error!(%error, "sending a webhook broke off"),
        }
    }
    Ok(tried)
}

/// Sends one and notes what came of it.
async fn send(
    services: &Services,
    delivery: Delivery,
    lease: Ts,
    clock: &Clock,
) -> Result<(), WebhookError> {
    let answered = post(services, &delivery, clock).await?;
    let now = clock.now();
    let attempt = outcome(&delivery, answered, now);
    let mut tx = services.store.db().begin().await?;
    if attempt.state == "failed" {
        // The webhook before its deliveries, as whoever changes it does: else the two wait for each other.
        tx.lock_webhook(delivery.webhook).await?;
    }
    if !tx.finish_attempt(delivery.id, lease, &attempt, now).await? {
        return Ok(());
    }
    if attempt.state == "failed" {
        disable(&mut tx, &delivery, &attempt, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The status that was answered, or what went wrong as a sentence.
async fn post(
    services: &Services,
    delivery: &Delivery,
    clock: &Clock,
) -> Result<Result<u16, String>, WebhookError> {
    let id = delivery.webhook;
    let Some((url, sealed)) = services.store.find_webhook_secrets(id).await? else {
        return Ok(Err("the webhook is disabled".to_owned()));
    };
    let open = |sealed: &[u8]| services.webhooks.open(id, sealed);
    let Some(current) = open(&sealed.current) else {
        return Ok(Err(WebhookError::Sealed(id).to_string()));
    };
    let now = clock.now();
    let previous = sealed.previous.filter(|(_, until)| now < *until);
    let previous = previous.and_then(|(sealed, _)| open(&sealed));
    let message = delivery.event.to_string();
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
    let answered = services.fetcher.post_json(&url, &headers, body).await;
    Ok(answered.map_err(|error| error.replace(&url, &origin_of(&url))))
}

fn outcome(delivery: &Delivery, answered: Result<u16, String>, now: Ts) -> Attempt {
    let (status, error) = match answered {
        Ok(status @ 200..=299) => {
            return Attempt {
                state: "delivered",
                next_at: None,
                status: Some(status),
                error: None,
            };
        }
        Ok(status) => (Some(status), format!("answered {status}")),
        Err(error) => (None, error),
    };
    let tried = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
    let pause = PAUSES
        .get(tried.saturating_sub(1))
        .filter(|_| status != Some(GONE));
    let next_at = pause.map(|seconds| now.plus(jittered(*seconds)));
    Attempt {
        state: if next_at.is_some() {
            "pending"
        } else {
            "failed"
        },
        next_at,
        status,
        error: Some(error),
    }
}

/// Up to a fifth longer, so that what failed together is not tried again together.
fn jittered(seconds: u64) -> Duration {
    let [fraction] = random::bytes::<1>();
    let millis = seconds * 1000;
    Duration::from_millis(millis + millis * u64::from(fraction) / 255 / 5)
}

/// Tells a webhook no more that could not be reached for so long. One that was told something else meanwhile is not
/// dead: it only does not like this message.
async fn disable(
    tx: &mut crate::store::db::Tx,
    delivery: &Delivery,
    attempt: &Attempt,
    now: Ts,
) -> Result<(), WebhookError> {
    let id = delivery.webhook;
    let Some(mut webhook) = tx.find_webhook(id).await? else {
        return Ok(());
    };
    if !webhook.enabled {
        return Ok(());
    }
    let gone = attempt.status == Some(GONE);
    if !gone && tx.was_told_since(id, delivery.created_at).await? {
        return Ok(());
    }
    let reason = attempt.error.clone().unwrap_or_default();
    webhook.enabled = false;
    webhook.disabled_reason = Some(reason.clone());
    webhook.updated_at = now;
    tx.update_webhook(&webhook).await?;
    tx.give_up_deliveries(id, now).await?;
    let event = event(EventType::WebhookDisabled, id, &Origin::system(), now);
    tx.record_event(&event.detail("reason", reason)).await?;
    tracing::warn!(webhook.id = %id, "webhook {id} is disabled: it could not be told for too long");
    Ok(())
}

/// Sends until `stop`, and forgets what was finished long ago.
pub(in crate::service) async fn keep_sending(services: Arc<Services>, stop: CancellationToken) {
    let mut failing = false;
    let mut purged: Option<Ts> = None;
    let mut tried = 0;
    loop {
        // What may be left of a backlog is gone on with at once.
        let pause = if tried == 0 { EVERY } else { Duration::ZERO };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        tried = 0;
        let now = services.clock.now();
        let worked = async {
            if services.store.has_due_deliveries(now).await? {
                tried = Box::pin(send_due(&services, &services.clock)).await?;
            }
            if purged.is_none_or(|at| now.since(at) >= PURGE_EVERY) {
                purged = Some(now);
                let before = now.minus(KEPT);
                while services.store.purge_deliveries(before, 500).await? == 500 {}
            }
            Ok::<(), StoreError>(())
        };
        match worked.await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "webhooks cannot be sent; it is tried again");
                }
                failing = true;
            }
        }
    }
}
