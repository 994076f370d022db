//! An administrator's act: a transaction that no other act overlaps, with its events, and what every instance must
//! learn before it is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::idempotency::Running;
use super::{AdministrationError, Administrator, KEPT_FOR, RequestKey, Rights, idempotency};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME;
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::domain::policy::{ADMIN_ROLE, Bounded, Vocabulary, check_counts};
use crate::service::Services;
use crate::service::tokens::{keys, revoke};
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use crate::store::changes::{APPLIED, CLIENTS};
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::idempotency::StoredAnswer;
use crate::store::revocations::{Key, bump_changes};
use crate::telemetry::metrics;

/// What was answered to an act.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// `Location`.
    pub location: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// What is kept of an act: its answer, and what every instance had to learn before it was given.
#[derive(Serialize, Deserialize)]
struct Kept {
    answer: Answered,
    revoked: Vec<Revoked>,
}

/// Whether there is still something to do.
pub enum Begun {
    /// It was done before; this is what was answered then.
    Before(Answered),
    /// It is to be done.
    Now(Box<Act>),
}

/// An act that has begun. Dropping it undoes everything.
pub struct Act {
    pub(super) services: Arc<Services>,
    pub(super) tx: Tx,
    pub(super) rights: Rights,
    /// Who acts, from where.
    pub(super) origin: Origin,
    pub(super) now: Ts,
    pub(super) revoked: Vec<Revoked>,
    pub(super) clients_changed: bool,
    /// What is to be written down.
    events: Vec<Event>,
    /// The algorithms that clients and resource servers need from now on.
    pub(super) algs: BTreeSet<SigningAlg>,
    /// By how much the numbers of things that instances hold in memory change.
    pub(super) counted: BTreeMap<Bounded, i64>,
    /// What policies could speak of before the first declaration of this act.
    pub(super) declared_before: Option<Vocabulary>,
    /// Whether anyone could administrate before it.
    administrated: bool,
    answers: Option<Answers>,
    /// No other act is done in this process meanwhile.
    turn: Option<OwnedSemaphorePermit>,
}

/// Where the answer to a repeatable request is kept.
struct Answers {
    caller: String,
    key: RequestKey,
    /// No other request of this process works on the same key meanwhile.
    _running: Running,
}

/// So many events of an act are written together.
const EVENTS_AT_ONCE: usize = 500;

/// Begins an administrator's act. Administrators act one after the other, on every instance.
pub async fn begin(
    services: &Arc<Services>,
    by: &Administrator,
    key: Option<RequestKey>,
    now: Ts,
) -> Result<Begun, AdministrationError> {
    let caller = by.name();
    let running = match &key {
        Some(key) => Some(
            services
                .idempotency
                .begin(&caller, key)
                .ok_or(AdministrationError::Running)?,
        ),
        None => None,
    };
    // One at a time in this process: a request that waits for another holds no connection meanwhile.
    let turn = services.idempotency.turn().await?;
    let mut tx = services.store.db().begin().await?;
    if let Some(key) = &key
        && !tx.claim_key(&caller, &key.key).await?
    {
        return Err(AdministrationError::Running);
    }
    lock(&mut tx).await?;
    let now = now.max(services.clock.now());
    if let Some(key) = &key
        && let Some(stored) = tx
            .find_answer(&caller, &key.key, now.minus(KEPT_FOR))
            .await?
    {
        drop(tx);
        return again(services, &caller, key, &stored, now)
            .await
            .map(Begun::Before);
    }
    let rights = Rights::read(services, by, now).await?;
    let mut act = Act::new(services, tx, rights, &by.origin, now).await?;
    act.answers = key.zip(running).map(|(key, running)| Answers {
        caller,
        key,
        _running: running,
    });
    act.turn = Some(turn);
    Ok(Begun::Now(Box::new(act)))
}

/// The answer of before. Its first request may have ended before every instance knew what it revoked.
async fn again(
    services: &Services,
    caller: &str,
    key: &RequestKey,
    stored: &StoredAnswer,
    now: Ts,
) -> Result<Answered, AdministrationError> {
    if !services.idempotency.is_same(caller, key, stored) {
        return Err(AdministrationError::KeyReused);
    }
    let broken = || StoreError::Inconsistent {
        table: "idempotency_keys",
        column: "answer",
        id: caller.to_owned(),
    };
    let sealer = &services.idempotency.sealer;
    let plain = sealer
        .open(&idempotency::sealed_for(caller, key), &stored.answer)
        .ok_or_else(broken)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(|_| broken())?;
    publish(services, &kept.revoked, now.plus(MAX_ACCESS_TOKEN_LIFETIME)).await?;
    Ok(kept.answer)
}

/// Waits until no other act is being done, on every engine and in every process.
async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    bump_changes(tx, APPLIED).await
}

impl Act {
    /// An act of an operator, who may do everything: the command line, a document, a set-up link.
    pub(in crate::service) async fn of_operator(
        services: &Arc<Services>,
        origin: &Origin,
        now: Ts,
    ) -> Result<Self, StoreError> {
        let mut tx = services.store.db().begin().await?;
        lock(&mut tx).await?;
        // Hashing and waiting may have taken minutes; what is revoked is revoked from now on.
        let now = now.max(services.clock.now());
        Self::new(services, tx, Rights::of_operator(now), origin, now).await
    }

    async fn new(
        services: &Arc<Services>,
        mut tx: Tx,
        rights: Rights,
        origin: &Origin,
        now: Ts,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            services: Arc::clone(services),
            administrated: tx.has_holder(ADMIN_ROLE).await?,
            tx,
            rights,
            origin: origin.clone(),
            now,
            revoked: Vec::new(),
            clients_changed: false,
            events: Vec::new(),
            algs: BTreeSet::new(),
            counted: BTreeMap::new(),
            declared_before: None,
            answers: None,
            turn: None,
        })
    }

    /// The transaction.
    pub const fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// When it is done.
    #[must_use]
    pub const fn now(&self) -> Ts {
        self.now
    }

    /// Until when a revocation must be remembered that is made now.
    pub(super) fn until(&self) -> Ts {
        self.now.plus(MAX_ACCESS_TOKEN_LIFETIME)
    }

    /// Refuses an administrator who may not do this on `signet`, to what belongs to that organization or to none.
    pub(super) async fn require(
        &self,
        action: &str,
        organization: Option<&str>,
    ) -> Result<(), AdministrationError> {
        if self.may(action, organization).await? {
            Ok(())
        } else {
            Err(AdministrationError::Forbidden(action.to_owned()))
        }
    }

    /// Whether the administrator may do this on `signet`.
    pub(super) async fn may(
        &self,
        action: &str,
        organization: Option<&str>,
    ) -> Result<bool, AdministrationError> {
        match self.rights.by() {
            None => Ok(true),
            Some(by) => Ok(by
                .may(&self.services, action, organization, self.now)
                .await?),
        }
    }

    /// An event of this act, to be [recorded](Self::record).
    #[must_use]
    pub fn event(&self, kind: EventType) -> Event {
        Event::new(kind, &self.origin, self.now)
    }

    /// Writes an event beside the act: with all others of it, when many have come together or the act ends.
    pub async fn record(&mut self, event: Event) -> Result<(), AdministrationError> {
        self.events.push(event);
        if self.events.len() >= EVENTS_AT_ONCE {
            self.write_events().await?;
        }
        Ok(())
    }

    async fn write_events(&mut self) -> Result<(), StoreError> {
        self.tx.record_events(&self.events).await?;
        self.events.clear();
        Ok(())
    }

    /// Ends a person's browser session with every token that lives in it.
    pub async fn end_session(
        &mut self,
        id: SessionId,
        user: UserId,
    ) -> Result<(), AdministrationError> {
        self.rights.may_control(&self.services, user).await?;
        revoke::session_in(&mut self.tx, id, &self.origin, self.now).await?;
        self.revoked.push(Revoked::Session(id));
        Ok(())
    }

    /// Revokes a person's grant with every token made from it.
    pub async fn revoke_grant(
        &mut self,
        id: GrantId,
        user: UserId,
    ) -> Result<(), AdministrationError> {
        self.rights.may_control(&self.services, user).await?;
        revoke::grant_in(&mut self.tx, id, &self.origin, self.now).await?;
        self.revoked.push(Revoked::Grant(id));
        Ok(())
    }

    /// Refuses an act that would leave no administrator, or more than instances hold in memory.
    pub(super) async fn verify(&mut self) -> Result<(), AdministrationError> {
        self.write_events().await?;
        if self.administrated && !self.tx.has_holder(ADMIN_ROLE).await? {
            return Err(AdministrationError::LastAdministrator);
        }
        let grown = self.counted.iter().filter(|(_, change)| **change > 0);
        let grown: Vec<Bounded> = grown.map(|(what, _)| *what).collect();
        for what in grown {
            let count = self.tx.count_bounded(what).await?;
            check_counts(&[(what, count)]).map_err(AdministrationError::TooMany)?;
        }
        Ok(())
    }

    /// Writes it with its answer, makes every instance know, and only then gives the answer back.
    pub async fn finish(
        mut self: Box<Self>,
        answer: Answered,
    ) -> Result<Answered, AdministrationError> {
        let kept = Kept {
            answer,
            revoked: self.revoked.clone(),
        };
        if let Some(Answers { caller, key, .. }) = &self.answers {
            let plain = serde_json::to_vec(&kept).map_err(|_| AdministrationError::Unwritable)?;
            let sealer = &self.services.idempotency.sealer;
            let stored = StoredAnswer {
                request: self.services.idempotency.digest(caller, key),
                answer: sealer.seal(&idempotency::sealed_for(caller, key), &plain),
            };
            self.tx
                .save_answer(caller, &key.key, &stored, self.now)
                .await?;
        }
        let services = Arc::clone(&self.services);
        self.commit().await?;
        // Decisions of this instance know at once; if that fails, they do in a moment.
        let _ = services.decisions.refresh().await;
        Ok(kept.answer)
    }

    /// Makes the keys that clients and resource servers need from now on, so that they are published before the first
    /// token is signed with them.
    async fn provide_keys(&mut self) -> Result<(), AdministrationError> {
        for alg in std::mem::take(&mut self.algs) {
            let provided = self.services.keys.provide_in(&mut self.tx, alg, self.now);
            if let Some(key) = provided.await? {
                let event = keys::about(self.event(EventType::KeyRotated), &key);
                self.record(event).await?;
            }
        }
        Ok(())
    }

    /// Commits it and makes every instance know.
    pub(super) async fn commit(mut self) -> Result<(), AdministrationError> {
        self.provide_keys().await?;
        self.verify().await?;
        if self.clients_changed {
            bump_changes(&mut self.tx, CLIENTS).await?;
        }
        let until = self.until();
        self.tx.commit().await?;
        for revoked in &self.revoked {
            metrics::revoked(revoked.what());
        }
        publish(&self.services, &self.revoked, until)
            .await
            .map_err(|source| AdministrationError::NotPublished {
                report: Box::default(),
                source,
            })
    }
}

/// What every instance must learn before success is reported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::service) enum Revoked {
    User(UserId, i64),
    Client(ClientId, i64),
    Session(SessionId),
    Grant(GrantId),
}

impl Revoked {
    /// What it is called in metrics.
    const fn what(&self) -> &'static str {
        match self {
            Self::User(..) => "user",
            Self::Client(..) => "client",
            Self::Session(_) => "session",
            Self::Grant(_) => "grant",
        }
    }

    fn key(&self) -> (Key<'_>, i64) {
        match self {
            Self::User(id, version) => (Key::User(id.bytes()), *version),
            Self::Client(id, version) => (Key::Client(id.as_str()), *version),
            Self::Session(id) => (Key::Session(id.bytes()), 1),
            Self::Grant(id) => (Key::Grant(id.bytes()), 1),
        }
    }
}

/// Also when nothing was changed: an act before this one may have failed just here.
async fn publish(services: &Services, revoked: &[Revoked], until: Ts) -> Result<(), StoreError> {
    for some in revoked.chunks(500) {
        let records: Vec<(Key<'_>, i64, Ts)> = some
            .iter()
            .map(|revoked| {
                let (key, version) = revoked.key();
                (key, version, until)
            })
            .collect();
        services.revocations.publish(&records).await?;
    }
    services.revocations.publish_change(CLIENTS).await
}
