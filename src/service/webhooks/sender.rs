//! Sending what is in the outbox: a few at a time, again later when it fails, not for ever.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

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
pub const MOST_WAITING: i64 = 100_000;

/// How long a delivery is one sender's alone: far longer than a fetch may take.
const LEASE: Duration = Duration::from_mins(1);

/// How often it is looked for what is due.
pub const EVERY: Duration = Duration::from_millis(500);

/// Until when a finished delivery can be looked at and sent again.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// How often what is older is deleted.
pub const TIDY_EVERY: Duration = Duration::from_mins(10);

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
pub async fn tidy(services: &Services, most: i64, now: Ts) -> Result<(), StoreError> {
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

/// Sends what is due to every webhook, a few lanes at a time.
pub struct Sender {
    services: Arc<Services>,
    running: tokio::sync::Mutex<JoinSet<()>>,
    lanes: Arc<Lanes>,
}

impl Sender {
    /// A sender that has not begun.
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        Self {
            services,
            running: tokio::sync::Mutex::default(),
            lanes: Arc::default(),
        }
    }

    /// Begins to tell the webhooks for which something is due and that are neither busy nor at rest; waits for none.
    /// Returns an error of a lane that has ended since the last turn.
    pub async fn turn(&self) -> Result<(), StoreError> {
        let mut running = self.running.lock().await;
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "telling a webhook broke off");
            }
        }
        let now = self.services.clock.now();
        let due = self.services.store.list_due_webhooks(now).await?;
        for webhook in self.lanes.begin(due, now) {
            let services = Arc::clone(&self.services);
            let lane = Lane::new(&self.lanes, webhook, &services.clock);
            running.spawn(async move {
                lane.end(send_to(&services, webhook, &services.clock).await);
            });
        }
        self.lanes.locked().failed.take().map_or(Ok(()), Err)
    }

    /// Waits until a lane ends: what may be left of its backlog is gone on with at once.
    pub async fn woken(&self) {
        self.lanes.ended.notified().await;
    }

    /// Waits for what is on its way, which would be sent once more otherwise.
    pub async fn drain(&self) {
        let mut running = self.running.lock().await;
        while running.join_next().await.is_some() {}
    }
}

/// Which webhooks are being told, and which are left alone.
#[derive(Default)]
struct Lanes {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    busy: HashSet<WebhookId>,
    resting: HashMap<WebhookId, Ts>,
    /// When each had a lane last, counted in lanes.
    turns: HashMap<WebhookId, u64>,
    turn: u64,
    /// Why a lane ended early.
    failed: Option<StoreError>,
}

impl Lanes {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The webhooks that have a lane now, of those for which something is due.
    fn begin(&self, mut due: Vec<WebhookId>, now: Ts) -> Vec<WebhookId> {
        let mut state = self.locked();
        state.resting.retain(|_, until| *until > now);
        state.turns.retain(|webhook, _| due.contains(webhook));
        // The webhook that was told longest ago comes first, so that one with a long backlog waits for its turn too.
        due.sort_by_key(|webhook| state.turns.get(webhook).copied());
        due.retain(|webhook| !state.busy.contains(webhook) && !state.resting.contains_key(webhook));
        due.truncate(LANES.saturating_sub(state.busy.len()));
        for webhook in &due {
            state.turn += 1;
            let turn = state.turn;
            state.turns.insert(*webhook, turn);
            state.busy.insert(*webhook);
        }
        due
    }
}

/// A lane while it is open; dropping it frees the webhook for the next one, also after a panic.
struct Lane {
    lanes: Arc<Lanes>,
    webhook: WebhookId,
    clock: Clock,
    told: Result<Told, StoreError>,
}

impl Lane {
    fn new(lanes: &Arc<Lanes>, webhook: WebhookId, clock: &Clock) -> Self {
        Self {
            lanes: Arc::clone(lanes),
            webhook,
            clock: clock.clone(),
            told: Ok(Told::default()),
        }
    }

    fn end(mut self, told: Result<Told, StoreError>) {
        self.told = told;
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut state = self.lanes.locked();
        state.busy.remove(&self.webhook);
        match &self.told {
            Ok(told) if told.is_unanswered() => {
                let until = self.clock.now().plus(REST);
                state.resting.insert(self.webhook, until);
            }
            Ok(_) => {}
            Err(error) => state.failed = Some(error.clone()),
        }
        drop(state);
        self.lanes.ended.notify_one();
    }
}
