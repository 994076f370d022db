//! The outbox: what must be told elsewhere, kept until it was told or given up.
//!
//! A message is written in the transaction of what it tells (`Tx::insert_deliveries`), so it is told at least once.
//! An instance leases a few deliveries of a receiver and sends them; what fails is sent again after longer and longer
//! pauses, and given up in the end. Each receiver has a lane of its own, so one that is slow or away delays no other. What differs
//! between kinds of message stands in `kinds`; all else is the same for every kind.

mod kinds;
mod lanes;
mod tidying;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Services;
use crate::crypto::random;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::{AfterAttempt, Lane, MessageKind, Reply};
use crate::spec::time::{Clock, Ts};
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::outbox::{Attempt, Delivery, Leased};
use crate::telemetry::metrics::OutboxMetrics;
use lanes::Lanes;

/// At most so many messages are on their way to one receiver at once,
const AT_ONCE: i64 = 10;

/// and to so many receivers.
const LANES: usize = 10;

/// A receiver that answered none of its messages is left alone for so long, while others have their turn;
const REST: Duration = Duration::from_mins(1);

/// the first time only until a few messages may be tried again.
const SHORT_REST: Duration = Duration::from_secs(PAUSES[0]);

/// A receiver for which more messages wait is given up, however short it was away.
pub const MOST_WAITING: i64 = 100_000;

/// How long a delivery is leased: far longer than sending may take.
const LEASE: Duration = Duration::from_mins(1);

/// How often the outbox looks for what is due.
pub const EVERY: Duration = Duration::from_millis(500);

/// How often what waits is counted, and what is older is deleted.
pub const TIDY_EVERY: Duration = Duration::from_mins(1);

/// The pause after each attempt that fails, in seconds; the last one after all that follow. Together they are longer than
/// [`GIVEN_UP_AFTER`].
const PAUSES: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// A message that has waited so long is given up if it fails once more, and so is a receiver that has taken nothing
/// meanwhile, however many messages wait for it,
const GIVEN_UP_AFTER: Duration = Duration::from_hours(3 * 24);

/// if it was tried so often: a receiver is not away because this server was.
const TRIED: i64 = 5;

/// At most so many rows of the version before this one are moved in one transaction.
const ADOPTED: i64 = 1000;

/// Sends what is due to every receiver, a few lanes at a time.
pub struct Outbox {
    services: Arc<Services>,
    clock: Clock,
    running: tokio::sync::Mutex<JoinSet<usize>>,
    lanes: Arc<Lanes>,
}

/// What came of a few messages to one receiver.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    tried: usize,
    /// How many were answered, if only with a refusal of this message.
    answered: usize,
}

impl Told {
    const fn is_unanswered(&self) -> bool {
        self.tried > 0 && self.answered == 0
    }

    /// Whether so many were tried that more may wait.
    fn is_full(&self) -> bool {
        self.tried >= usize::try_from(AT_ONCE).unwrap_or(usize::MAX)
    }
}

/// What came of one message.
struct Noted {
    answered: bool,
    /// Whether its receiver takes no more.
    closed: bool,
}

impl Outbox {
    /// An outbox that has not begun to send. The clock is read at each step: a message may take long to send, and
    /// leases, signatures and pauses count from when they begin.
    #[must_use]
    pub fn new(services: Arc<Services>, clock: Clock) -> Self {
        Self {
            services,
            clock,
            running: tokio::sync::Mutex::default(),
            lanes: Arc::default(),
        }
    }

    /// Begins to tell the receivers for which something is due and that are neither busy nor at rest; waits for none.
    /// Returns an error of a lane that has ended since the last turn.
    pub async fn turn(&self) -> Result<(), StoreError> {
        let mut running = self.running.lock().await;
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "sending messages broke off");
            }
        }
        let due = self.services.store.list_due_lanes(self.clock.now()).await?;
        for open in self.lanes.open(due, &self.clock) {
            let (services, clock) = (Arc::clone(&self.services), self.clock.clone());
            running.spawn(async move {
                let told = send_to(&services, &open.lane, &clock).await;
                let tried = told.as_ref().map_or(0, |told| told.tried);
                open.end(told);
                tried
            });
        }
        self.lanes.take_failure().map_or(Ok(()), Err)
    }

    /// Waits until a lane ends, so that the rest of its backlog is sent at once.
    pub async fn woken(&self) {
        self.lanes.ended.notified().await;
    }

    /// Waits for the messages that are on their way, or else they are sent twice; how many.
    pub async fn drain(&self) -> usize {
        let mut running = self.running.lock().await;
        let mut tried = 0;
        while let Some(ended) = running.join_next().await {
            tried += ended.unwrap_or(0);
        }
        tried
    }
}

/// Moves some deliveries here that an instance of the version before this one wrote; whether there may be more.
pub async fn adopt(services: &Services) -> Result<bool, StoreError> {
    let (store, now) = (&services.store, services.clock.now());
    // With room for a lease that begins meanwhile, and for clocks that differ.
    let leased = now.plus(LEASE * 2);
    let adopted = store.adopt_webhook_deliveries(now, leased, ADOPTED).await?;
    note_unreadable(MessageKind::Webhook, &adopted.unreadable);
    Ok(i64::try_from(adopted.rows).is_ok_and(|rows| rows >= ADOPTED))
}

/// Moves what an instance of the version before this one wrote for a webhook that is to be deleted, so that it is
/// deleted in slices like all that is left in its lane; whether that was all.
pub(in crate::service) async fn adopt_all_of(
    tx: &mut Tx,
    webhook: WebhookId,
    now: Ts,
) -> Result<bool, StoreError> {
    let adopted = tx.adopt_deliveries_of(webhook, ADOPTED, now).await?;
    note_unreadable(MessageKind::Webhook, &adopted.unreadable);
    Ok(i64::try_from(adopted.rows).is_ok_and(|rows| rows < ADOPTED))
}

/// Counts and logs messages that cannot be read. They were set aside, so each is told once.
fn note_unreadable(kind: MessageKind, unreadable: &[DeliveryId]) {
    for id in unreadable {
        tracing::error!(delivery.id = %id, "message {id} cannot be read and was given up");
    }
    metrics(kind).failed(unreadable.len() as u64);
}

/// Sends a few of what is due to a receiver.
async fn send_to(services: &Arc<Services>, lane: &Lane, clock: &Clock) -> Result<Told, StoreError> {
    let now = clock.now();
    let until = now.plus(LEASE);
    let due = services.store.lease_deliveries(lane, now, until, AT_ONCE);
    let Leased {
        deliveries: due,
        unreadable,
    } = due.await?;
    note_unreadable(lane.kind(), &unreadable);
    let mut told = Told {
        tried: due.len(),
        answered: 0,
    };
    let (mut sending, mut closed) = (JoinSet::new(), false);
    for delivery in due {
        let (services, clock) = (Arc::clone(services), clock.clone());
        sending.spawn(async move { send(&services, delivery, until, &clock).await });
    }
    while let Some(sent) = sending.join_next().await {
        // What could not be noted is sent again when its lease ends.
        match sent {
            Ok(Ok(noted)) => {
                told.answered += usize::from(noted.answered);
                closed |= noted.closed;
            }
            Ok(Err(error)) => tracing::warn!(%error, "what came of a message cannot be noted"),
            Err(error) => tracing::error!(%error, "sending a message broke off"),
        }
    }
    if closed {
        tidying::give_up(services, lane, clock.now()).await?;
    }
    Ok(told)
}

/// Sends one message and notes what came of it.
async fn send(
    services: &Services,
    delivery: Delivery,
    lease: Ts,
    clock: &Clock,
) -> Result<Noted, StoreError> {
    let sent = kinds::send(services, &delivery, clock).await?;
    let now = clock.now();
    let next = next(&sent.reply, &delivery, now);
    let (answered, gone, closed, error) = match sent.reply {
        Reply::Taken => (true, false, false, None),
        Reply::Refused(error) => (true, false, false, Some(error)),
        Reply::Unanswered(error) => (false, false, false, Some(error)),
        Reply::Gone(error) => (true, true, false, Some(error)),
        Reply::Closed(error) => (true, false, true, Some(error)),
    };
    let mut noted = Noted { answered, closed };
    let attempt = Attempt {
        next,
        status: sent.status,
        error,
    };
    let (lane, metrics) = (&delivery.lane, metrics(delivery.lane.kind()));
    // Behind a long backlog a message comes late to its last attempt; the receiver does not wait for that.
    let oldest = match next {
        AfterAttempt::Again(_) => services.store.find_oldest_waiting(lane).await?,
        AfterAttempt::Done | AfterAttempt::GiveUp => None,
    };
    let waited_since = oldest.filter(|it| is_over(it.queued_at, it.attempts, now));
    let waited_since = waited_since.map(|it| it.queued_at);
    let mut tx = services.store.db().begin().await?;
    if next == AfterAttempt::GiveUp || waited_since.is_some() {
        tx.lock_lane(lane).await?;
    }
    if !tx.finish_attempt(delivery.id, lease, &attempt, now).await? {
        return Ok(noted);
    }
    // A receiver that was told something else meanwhile is not dead: it only does not like this message.
    let given_up = (next == AfterAttempt::GiveUp).then_some(delivery.queued_at);
    if let Some(since) = given_up.or(waited_since)
        && !closed
        && (gone || !tx.was_told_since(lane, since).await?)
    {
        let reason = attempt.error.unwrap_or_default();
        kinds::close(&mut tx, lane, reason, now).await?;
        noted.closed = true;
    }
    tx.commit().await?;
    match next {
        AfterAttempt::Done => metrics.delivered(),
        AfterAttempt::Again(_) => metrics.retried(),
        AfterAttempt::GiveUp => metrics.failed(1),
    }
    Ok(noted)
}

/// What follows an attempt.
fn next(answer: &Reply, delivery: &Delivery, now: Ts) -> AfterAttempt {
    match answer {
        Reply::Taken => AfterAttempt::Done,
        Reply::Gone(_) | Reply::Closed(_) => AfterAttempt::GiveUp,
        Reply::Refused(_) | Reply::Unanswered(_) => {
            if is_over(delivery.queued_at, delivery.attempts, now) {
                return AfterAttempt::GiveUp;
            }
            let tried = usize::try_from(delivery.attempts).unwrap_or(usize::MAX);
            let [.., last] = PAUSES;
            let pause = PAUSES.get(tried.saturating_sub(1)).unwrap_or(&last);
            AfterAttempt::Again(now.plus(jittered(*pause)))
        }
    }
}

/// Whether a message that waits since then and was sent so often is given up when it fails.
fn is_over(queued_at: Ts, attempts: i64, now: Ts) -> bool {
    attempts >= TRIED && now.since(queued_at) >= GIVEN_UP_AFTER
}

/// Up to a fifth longer, so that what failed together is not tried again together.
fn jittered(seconds: u64) -> Duration {
    let [fraction] = random::bytes::<1>();
    let millis = seconds * 1000;
    Duration::from_millis(millis + millis * u64::from(fraction) / 255 / 5)
}

/// What is counted of a kind of message.
fn metrics(kind: MessageKind) -> OutboxMetrics {
    OutboxMetrics::new(kind.as_str())
}
