//! The audit trail at work: what waits in memory, the linking, checkpoints, the check and retention.
//!
//! An act writes its event in its own transaction ([`Tx::record_event`](crate::store::db::Tx)). What
//! happens too often for that, above all tokens, is handed to [`Audit::note`] and written by the next link, within a
//! quarter of a second; `kill -9` loses at most that.

pub mod linker;
pub mod retention;
mod statement;
pub mod verify;
pub mod views;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::sync::Notify;

use crate::config::Config;
use crate::crypto::jose::JoseError;
use crate::crypto::master_key::MasterKey;
use crate::crypto::random;
use crate::crypto::seal::Mac;
use crate::domain::audit::{Event, EventId, EventType, Link, Origin};
use crate::domain::rate::{Mark, Rule};
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::audit::chain::Head;
use crate::store::error::StoreError;
use crate::telemetry::metrics;

use statement::Statements;

/// At most so many events wait in memory.
const QUEUED: usize = 10_000;

/// Callers decide how often they are refused: so many refusals at once, and one more every so long, are events of their
/// own; more are counted.
const REFUSALS: Rule = Rule::Rate {
    burst: 2000,
    every: Duration::from_millis(50),
};

/// Why events could not be linked, or old ones not be removed.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A checkpoint.
    #[error("the checkpoint cannot be signed: {0}")]
    Sign(#[from] JoseError),
}

/// The audit trail's keys and what waits to be written.
pub struct Audit {
    statements: Statements,
    seal: Mac,
    every_token: bool,
    queue: Mutex<Queue>,
    filled: Notify,
    /// What was taken from the queue and is not known to be written yet.
    linking: tokio::sync::Mutex<linker::Taken>,
    /// Whether it was logged that retention removes nothing.
    refused: AtomicBool,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<(EventId, Event)>,
    dropped: Option<Dropped>,
    /// How many refusals there were lately.
    refusals: Option<Mark>,
}

/// What had no room.
#[derive(Clone, Copy, Debug)]
struct Dropped {
    count: u64,
    first: Ts,
    last: Ts,
}

impl Queue {
    /// Bounds events of refusals, so that refused callers cannot fill the queue or the table.
    fn has_room_for(&mut self, event: &Event) -> bool {
        if self.events.len() >= QUEUED {
            return false;
        }
        if !event.kind().is_refusal() {
            return true;
        }
        match REFUSALS.take(self.refusals, event.at()) {
            Ok(mark) => {
                self.refusals = Some(mark);
                true
            }
            Err(_) => false,
        }
    }
}

impl Audit {
    pub(super) fn new(master: &MasterKey, config: &Config) -> Result<Self, JoseError> {
        Ok(Self {
            statements: Statements::new(master)?,
            seal: Mac::new(master, "audit-head"),
            every_token: config.audit_token_events,
            queue: Mutex::default(),
            filled: Notify::new(),
            linking: tokio::sync::Mutex::default(),
            refused: AtomicBool::new(false),
        })
    }

    /// Seals where the chain stands before the first event, so that no seal is never right from then on. Called at
    /// start, before anything can happen.
    ///
    /// It is not done when a signing key was made since there is an audit trail: each was stored with its event, so
    /// the trail was emptied. Keys of a version that had no trail are older than its migration. An attacker who also
    /// sets back the dates of the keys is found with a checkpoint kept elsewhere.
    pub(super) async fn begin(&self, store: &Store) -> Result<(), StoreError> {
        if store.audit_head().await?.seal.is_some() {
            return Ok(());
        }
        let mut tx = store.db().begin().await?;
        let mut head = tx.lock_audit_head().await?;
        let untouched = head.link == Link::START && head.checkpoint == 0 && head.base == 0;
        if head.seal.is_some() || !untouched || tx.has_audited_key().await? {
            return Ok(());
        }
        head.seal = Some(self.sealed(&head));
        tx.save_audit_head(&head).await?;
        tx.commit().await
    }

    /// Notes what happens too often for a transaction of its own. Never waits: when too much waits already, the event
    /// is counted, and the count becomes an event.
    pub fn note(&self, event: Event) {
        if !self.wants(event.kind()) {
            return;
        }
        let at = event.at();
        let id = EventId::new(at, random::bytes());
        let mut queue = self.queue();
        if queue.has_room_for(&event) {
            queue.events.push_back((id, event));
            if queue.events.len() == linker::BATCH {
                self.filled.notify_one();
            }
            return;
        }
        let dropped = queue.dropped.get_or_insert(Dropped {
            count: 0,
            first: at,
            last: at,
        });
        dropped.count += 1;
        dropped.last = at;
        drop(queue);
        metrics::audit_dropped().increment(1);
    }

    /// Whether events of that type are kept at all.
    #[must_use]
    pub const fn wants(&self, kind: EventType) -> bool {
        self.every_token || !kind.is_routine()
    }

    /// The public key of checkpoints, as a JWK.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        self.statements.public_jwk()
    }

    /// At most `limit` of what waits, oldest first, behind an event about what had no room.
    fn take(&self, limit: usize, now: Ts) -> Vec<(EventId, Event)> {
        let mut queue = self.queue();
        let mut taken = Vec::new();
        if let Some(dropped) = queue.dropped.take() {
            let event = Event::new(EventType::AuditDropped, &Origin::system(), now)
                .detail("count", dropped.count)
                .detail("first", dropped.first.rfc3339_micros())
                .detail("last", dropped.last.rfc3339_micros());
            taken.push((EventId::new(now, random::bytes()), event));
        }
        let room = limit.saturating_sub(taken.len()).min(queue.events.len());
        taken.extend(queue.events.drain(..room));
        taken
    }

    /// Waits until as many events wait in memory as are linked at once.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    fn is_waiting(&self) -> bool {
        let queue = self.queue();
        !queue.events.is_empty() || queue.dropped.is_some()
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self, head: &Head) -> Vec<u8> {
        let numbers = [
            head.link.position,
            head.checkpoint,
            head.checkpoint_position,
            head.checkpoint_at.micros(),
            head.base,
        ];
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        self.seal.tag(&[&head.link.hash, &numbers]).to_vec()
    }

    /// Whether Signet alone moved the head.
    fn is_sealed(&self, head: &Head) -> bool {
        let seal = head.seal.as_ref();
        seal.is_some_and(|seal| crate::crypto::digest::same(seal, &self.sealed(head)))
    }
}
