//! Linking: what was written in the transactions of acts, and what waited in memory, gets its place in the chain.

use std::time::Duration;

use uuid::Uuid;

use super::statement::Statement;
use super::{Audit, LinkError};
use crate::crypto::jose::JoseError;
use crate::domain::audit::{Event, EventType, Link, Origin};
use crate::domain::ids::WebhookId;
use crate::service::{Services, webhooks};
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::audit::chain::{Checkpoint, Head, Outlook};
use crate::store::audit::linking::{Linked, Unlinked};
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// At most so many events of either kind are linked in one transaction.
pub(super) const BATCH: usize = 1000;

/// At most about so many deliveries are written in one transaction, which holds the head meanwhile.
const DELIVERIES: usize = 10_000;

/// How often events are linked, if not too many wait before that.
pub const EVERY: Duration = Duration::from_millis(250);

/// A checkpoint is signed when the last one is so old and something was linked since,
const CHECKPOINT_EVERY: Duration = Duration::from_mins(1);

/// or when so many events were linked since.
const CHECKPOINT_EVENTS: i64 = 1000;

/// What was taken from the queue and is not known to be written.
#[derive(Default)]
pub(super) struct Taken {
    events: Vec<Linked>,
    /// What was too much for one transaction; comes after `events`.
    later: Vec<Linked>,
    /// Whether a commit has failed, so that they may be written after all.
    uncertain: bool,
    /// How often it failed of late; each time half as many are tried.
    failures: u32,
    /// Whether the last transaction was full.
    more: bool,
}

impl Taken {
    /// How many of either kind are linked in one transaction while so many webhooks are told.
    fn most(&self, webhooks: usize) -> usize {
        let most = match webhooks {
            0 => BATCH,
            webhooks => (DELIVERIES / webhooks / 2).clamp(5, BATCH),
        };
        most.checked_shr(self.failures).unwrap_or(0).max(1)
    }
}

#[cfg(test)]
impl Taken {
    /// What was written by a commit whose answer was lost.
    pub(super) fn lost(events: Vec<Linked>) -> Self {
        Self {
            events,
            uncertain: true,
            ..Self::default()
        }
    }
}

impl Audit {
    /// Links what waits, in one transaction; how many events.
    pub async fn link(&self, store: &Store, now: Ts) -> Result<usize, LinkError> {
        let mut taken = self.linking.lock().await;
        if taken.events.is_empty() {
            taken.events = std::mem::take(&mut taken.later);
            let room = BATCH.saturating_sub(taken.events.len());
            let events = self.take(room, now);
            let events = events.iter().filter_map(|(id, event)| {
                let linked = Linked::new(*id, event);
                let kind = event.kind().as_str();
                linked
                    .inspect_err(|error| tracing::error!(%error, "an event {kind} is left out"))
                    .ok()
            });
            taken.events.extend(events);
        }
        let linked = self.link_taken(store, &mut taken, now).await;
        taken.failures = match linked {
            Ok(_) => taken.failures.saturating_sub(1),
            Err(_) => taken.failures.saturating_add(1).min(BATCH.ilog2()),
        };
        if linked.is_ok() {
            taken.events.clear();
        }
        linked
    }

    async fn link_taken(
        &self,
        store: &Store,
        taken: &mut Taken,
        now: Ts,
    ) -> Result<usize, LinkError> {
        let mut tx = store.db().begin().await?;
        let before = tx.lock_audit_head().await?;
        let mut head = before.clone();
        let mut waiting = Vec::new();
        if !self.is_sealed(&before) {
            waiting.push(note_tampering(&mut tx, &mut head, now).await?);
        }
        if taken.uncertain {
            // All of them went in, or none.
            if let Some(first) = taken.events.first()
                && tx.event_exists(first.id).await?
            {
                taken.events.clear();
            }
            taken.uncertain = false;
        }
        let webhooks = tx.list_enabled_webhooks().await?;
        let most = taken.most(webhooks.len());
        if taken.events.len() > most {
            let mut later = taken.events.split_off(most);
            later.append(&mut taken.later);
            taken.later = later;
        }
        // That one comes first, however many wait: before this commits it is in the chain.
        let noted = waiting.first().map(|noted: &Unlinked| noted.id);
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let others = tx.list_unlinked(limit).await?;
        let all = others.len() < most;
        taken.more = !all || taken.events.len() >= most;
        waiting.extend(others.into_iter().filter(|other| Some(other.id) != noted));
        let links = link_all(&mut head.link, &waiting, &mut taken.events);
        let linked = waiting.len() + taken.events.len();
        tx.link_events(&links).await?;
        tx.insert_linked(&taken.events).await?;
        tell_webhooks(&mut tx, &webhooks, &waiting, &taken.events, now).await?;
        // Only when nothing older can still be waiting: the check counts on it.
        let checkpoint = if all && checkpoint_is_due(&head, now) {
            let checkpoint = self.next_checkpoint(&head, now)?;
            tx.insert_checkpoint(&checkpoint).await?;
            head.checkpoint = checkpoint.number;
            head.checkpoint_position = checkpoint.position;
            head.checkpoint_at = now;
            Some(checkpoint)
        } else {
            None
        };
        if head == before {
            return Ok(0);
        }
        head.seal = Some(self.sealed(&head));
        tx.save_audit_head(&head).await?;
        taken.uncertain = true;
        tx.commit().await?;
        taken.uncertain = false;
        if let Some(Checkpoint { number, jws, .. }) = checkpoint {
            // So that a copy lives where the database's owner cannot reach.
            tracing::info!(audit.checkpoint = %jws, "audit checkpoint {number}: {} events", head.link.position);
        }
        Ok(linked)
    }

    fn next_checkpoint(&self, head: &Head, now: Ts) -> Result<Checkpoint, JoseError> {
        let number = head.checkpoint.saturating_add(1);
        let statement = Statement::new(number, head.link, now);
        Ok(Checkpoint {
            number,
            position: head.link.position,
            jws: self.statements.sign_checkpoint(&statement)?,
        })
    }
}

/// Puts what was linked into the outbox, for each webhook that wants to be told.
async fn tell_webhooks(
    tx: &mut Tx,
    webhooks: &[(WebhookId, Vec<String>)],
    waiting: &[Unlinked],
    taken: &[Linked],
    now: Ts,
) -> Result<(), StoreError> {
    if webhooks.is_empty() {
        return Ok(());
    }
    let waiting = waiting
        .iter()
        .map(|event| (event.id, event.kind.as_str(), event.body.as_str()));
    let taken = taken.iter().map(|event| {
        let kind = event.columns.kind.as_str();
        (event.id.0, kind, event.body.as_str())
    });
    let deliveries = webhooks::deliveries(webhooks, waiting.chain(taken), now);
    for some in deliveries.chunks(1000) {
        tx.insert_deliveries(some).await?;
    }
    Ok(())
}

/// The head was moved by another program: an event says so, for good, and the chain goes on after the last event.
async fn note_tampering(tx: &mut Tx, head: &mut Head, now: Ts) -> Result<Unlinked, StoreError> {
    tracing::error!(
        "another program than Signet changed the end of the audit chain (table audit_head)"
    );
    let event = Event::new(EventType::AuditTampered, &Origin::system(), now)
        .target("audit_head", &head.link.position);
    let id = tx.record_event(&event).await?;
    let (last, checkpoint) = tx.audit_ends().await?;
    if let Some(last) = last.filter(|last| last.position > head.link.position) {
        head.link = last;
    }
    head.checkpoint = head.checkpoint.max(checkpoint);
    Ok(Unlinked {
        id: id.0,
        kind: event.kind().as_str().to_owned(),
        body: event.body(id).map_err(StoreError::from)?,
    })
}

/// Gives every event its place behind `last`: first what waits in the table, then what waited in memory.
fn link_all(last: &mut Link, waiting: &[Unlinked], taken: &mut [Linked]) -> Vec<(Uuid, Link)> {
    let mut links = Vec::with_capacity(waiting.len());
    for event in waiting {
        *last = last.next(&event.body);
        links.push((event.id, *last));
    }
    for event in taken {
        *last = last.next(&event.body);
        event.link = *last;
    }
    links
}

fn checkpoint_is_due(head: &Head, now: Ts) -> bool {
    let since = head.link.position - head.checkpoint_position;
    // A last one in the future was signed by a wrong clock, which must not keep the next one away.
    let old = head.checkpoint_at > now || now.since(head.checkpoint_at) >= CHECKPOINT_EVERY;
    since > 0 && (old || since >= CHECKPOINT_EVENTS)
}

/// Links everything that waits; what is noted meanwhile may stay for the next time.
pub async fn flush(services: &Services) -> Result<(), LinkError> {
    loop {
        let linked = services.audit.link(&services.store, services.clock.now());
        linked.await?;
        if !services.audit.linking.lock().await.more {
            return Ok(());
        }
    }
}

/// One turn of the linking: links what waits, and signs a checkpoint when one is due.
pub async fn turn(services: &Services) -> Result<(), LinkError> {
    let Outlook { waiting, head } = services.store.audit_outlook().await?;
    let in_memory = services.audit.is_waiting() || services.audit.is_unfinished().await;
    let now = services.clock.now();
    if waiting || in_memory || checkpoint_is_due(&head, now) {
        flush(services).await?;
    }
    Ok(())
}

impl Audit {
    /// Whether something was taken that is not known to be written.
    async fn is_unfinished(&self) -> bool {
        let taken = self.linking.lock().await;
        !taken.events.is_empty() || !taken.later.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_webhooks_and_failures_make_a_transaction_smaller() {
        let most = |webhooks, failures| {
            let taken = Taken {
                failures,
                ..Taken::default()
            };
            taken.most(webhooks)
        };
        assert_eq!((most(0, 0), most(1, 0), most(50, 0)), (BATCH, BATCH, 100));
        assert_eq!((most(5000, 0), most(50, 1), most(50, 3)), (5, 50, 12));
        assert_eq!((most(0, 9), most(0, 10), most(0, u32::MAX)), (1, 1, 1));
    }
}
