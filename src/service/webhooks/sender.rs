//! Sending what is in the outbox: a few at a time, again later when it fails, not for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{WebhookError, event, origin_of};
use crate::crypto::random;
use crate::domain::audit::{EventType, Origin};
use crate::domain::ids::WebhookId;
use crate::service::Services;
use crate::spec::time::{Clock, Ts};
use crate::store::db::Tx;
use crate::store::deliveries::{Attempt, Delivery};
use crate::store::error::StoreError;
use crate::store::webhooks::MAX_WEBHOOKS;

/// At most so many messages are on their way to one webhook at once,
const AT_ONCE: i64 = 10;

/// and to so many webhooks.
const LANES: usize = 10;

/// A webhook that answered none of its messages is left alone for so long, which is when others have their turn.
const REST: Duration = Duration::from_mins(1);

/// A webhook for which more messages wait is dead, however short.
const MOST_WAITING: i64 = 100_000;

/// How long a delivery is one sender's alone: far longer than a fetch may take.
const LEASE: Duration = Duration::from_mins(1);

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_millis(500);

/// Until when a finished delivery can be looked at and sent again.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How often what is older is deleted.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// How long stopping waits for what is on its way.
const LAST_WORDS: Duration = Duration::from_secs(6);

/// How long it is waited after each attempt that fails, in seconds: about three days in all.
const PAUSES: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// 410: nobody wants it any more.
const GONE: u16 = 410;

/// Sends a few of what is due to every webhook; how many were tried. The clock is read at each step: a message may take
/// as long as a fetch may, and leases, signatures and pauses count from when they begin.
pub async fn send_due(services: &Arc<Services>, clock: &Clock) -> Result<usize, StoreError> {
    let mut tried = 0;
    for webhook in services.store.list_due_webhooks(clock.now()).await? {
        tried += send_to(services, webhook, clock).await?.tried;
    }
    Ok(tried)
}

/// What came of a few messages to one webhook.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    tried: usize,
    /// How many were answered, if only with a refusal of this message.
    answered: usize,
}

impl Told {
    fn is_unanswered(&self) -> bool {
        self.tried >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX) && self.answered == 0
    }
}

/// Sends a few of what is due to a webhook.
async fn send_to(
    services: &Arc<Services>,
    webhook: WebhookId,
    clock: &Clock,
) -> Result<Told, StoreError> {
    let now = clock.now();
    let until = now.plus(LEASE);
    let due = services
        .store
        .lease_deliveries(webhook, now, until, AT_ONCE)
        .await?;
    let mut told = Told {
        tried: due.len(),
        answered: 0,
    };
    let mut sending = JoinSet::new();
    for delivery in due {
        let (services, clock) = (Arc::clone(services), clock.clone());
        sending.spawn(async move { send(&services, delivery, until, &clock).await });
    }
    while let Some(sent) = sending.join_next().await {
        // What could not be noted is sent again when its lease ends.
        match sent {
            Ok(Ok(answered)) => told.answered += usize::from(answered),
            Ok(Err(error)) => tracing::warn!(%error, "what came of a webhook cannot be noted"),
            Err(error) => tracing::error!(%error, "sending a webhook broke off"),
        }
    }
    Ok(told)
}

/// Sends one and notes what came of it; whether there is somebody who answers.
async fn send(
    services: &Services,
    delivery: Delivery,
    lease: Ts,
    clock: &Clock,
) -> Result<bool, WebhookError> {
    let answered = post(services, &delivery, clock).await?;
    let alive = answered.as_ref().is_ok_and(|status| *status < 500);
    let now = clock.now();
    let attempt = outcome(&delivery, answered, now);
    let mut tx = services.store.db().begin().await?;
    if attempt.state == "failed" {
        // The webhook before its deliveries, as whoever changes it does: else the two wait for each other.
        tx.lock_webhook(delivery.webhook).await?;
    }
    if !tx.finish_attempt(delivery.id, lease, &attempt, now).await? {
        return Ok(alive);
    }
    if attempt.state == "failed" {
        give_up(&mut tx, &delivery, &attempt, now).await?;
    }
    tx.commit().await?;
    Ok(alive)
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
async fn give_up(
    tx: &mut Tx,
    delivery: &Delivery,
    attempt: &Attempt,
    now: Ts,
) -> Result<(), StoreError> {
    let id = delivery.webhook;
    let gone = attempt.status == Some(GONE);
    if !gone && tx.was_told_since(id, delivery.created_at).await? {
        return Ok(());
    }
    let reason = attempt.error.clone().unwrap_or_default();
    disable(tx, id, reason, now).await
}

async fn disable(tx: &mut Tx, id: WebhookId, reason: String, now: Ts) -> Result<(), StoreError> {
    let Some(mut webhook) = tx.find_webhook(id).await? else {
        return Ok(());
    };
    if !webhook.enabled {
        return Ok(());
    }
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

/// Forgets what was finished long ago, and disables webhooks for which more waits than is kept.
pub(super) async fn tidy(services: &Services, most: i64, now: Ts) -> Result<(), StoreError> {
    let before = now.minus(KEPT);
    while services.store.purge_deliveries(before, 500).await? == 500 {}
    for webhook in services.store.list_webhooks(None, MAX_WEBHOOKS).await? {
        let (id, count) = (webhook.id, most.saturating_add(1));
        if services.store.count_waiting_deliveries(id, count).await? > most {
            let mut tx = services.store.db().begin().await?;
            tx.lock_webhook(id).await?;
            disable(
                &mut tx,
                id,
                format!("more than {most} messages waited"),
                now,
            )
            .await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Who is being told.
#[derive(Default)]
struct Lanes {
    running: JoinSet<Result<Told, StoreError>>,
    busy: HashMap<Id, WebhookId>,
    resting: HashMap<WebhookId, Ts>,
    /// When each had a lane last, counted in lanes.
    turns: HashMap<WebhookId, u64>,
    turn: u64,
}

impl Lanes {
    /// Begins to tell whoever waits and is neither busy nor at rest.
    async fn look(&mut self, services: &Arc<Services>) -> Result<(), StoreError> {
        let now = services.clock.now();
        self.resting.retain(|_, until| *until > now);
        let mut due = services.store.list_due_webhooks(now).await?;
        self.turns.retain(|webhook, _| due.contains(webhook));
        // Who was told longest ago comes first: one with much to be told has its turn like everybody.
        due.sort_by_key(|webhook| self.turns.get(webhook).copied());
        for webhook in due {
            let busy = self.busy.values().any(|busy| *busy == webhook);
            if busy || self.resting.contains_key(&webhook) || self.busy.len() >= LANES {
                continue;
            }
            self.turn += 1;
            self.turns.insert(webhook, self.turn);
            let services = Arc::clone(services);
            let lane = async move { send_to(&services, webhook, &services.clock).await };
            let lane = self.running.spawn(lane);
            self.busy.insert(lane.id(), webhook);
        }
        Ok(())
    }

    /// Waits for one to be told; for ever while nobody is.
    async fn next(&mut self, clock: &Clock) -> Result<(), StoreError> {
        let Some(done) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, told) = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "telling a webhook broke off");
                (error.id(), Ok(Told::default()))
            }
        };
        if let Some(webhook) = self.busy.remove(&id)
            && told.as_ref().is_ok_and(Told::is_unanswered)
        {
            self.resting.insert(webhook, clock.now().plus(REST));
        }
        told.map(drop)
    }
}

/// Sends until `stop`, and looks after the outbox.
pub(in crate::service) async fn keep_sending(services: Arc<Services>, stop: CancellationToken) {
    let mut lanes = Lanes::default();
    let mut failing = false;
    let mut tidied: Option<Ts> = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let worked = async {
            tokio::select! {
                told = lanes.next(&services.clock) => told?,
                _ = ticks.tick() => {
                    let now = services.clock.now();
                    if tidied.is_none_or(|at| now.since(at) >= TIDY_EVERY) {
                        tidied = Some(now);
                        Box::pin(tidy(&services, MOST_WAITING, now)).await?;
                    }
                }
            }
            // What may be left of a backlog is gone on with at once.
            lanes.look(&services).await
        };
        let worked = tokio::select! {
            () = stop.cancelled() => break,
            worked = worked => worked,
        };
        match worked {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "webhooks cannot be sent; it is tried again");
                }
                failing = true;
            }
        }
    }
    // What is on its way would be sent once more.
    let sent = async { while lanes.running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, sent).await;
}
