//! Deciding who may do what, without asking the store each time.
//!
//! Roles, groups and policies are compiled into one snapshot, which is replaced as a whole by one that was brought up
//! to date by what was changed; every minute by one that was made anew. What is known of a person
//! or a resource is read when it is first needed, and kept. Both count only under the version of the tables that was
//! current when they were read; every instance looks for newer versions several times a second.

pub mod access;
mod asked;
mod look;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use moka::future::Cache;
use serde_json::Value;

use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::{Application, Decision, Object, Reason, Snapshot, Standing, Subject};
use crate::domain::user::username_key;
use crate::service::registry::clients::Clients;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::error::StoreError;

pub use asked::{DecisionRequest, Who};
use look::Last;
pub use search::Place;

/// Decisions are not made by what was looked at longer ago.
const STALE: Duration = Duration::from_secs(3);

/// Everything is read again after this time, even if nothing says that it changed.
pub const KEPT_FOR: Duration = Duration::from_mins(1);

/// How often every instance looks whether something was changed elsewhere.
pub const LOOK_EVERY: Duration = Duration::from_millis(400);

/// A decision is made again so often where what is known changes meanwhile.
const ATTEMPTS: usize = 10;

/// People, and resources, of whom something is kept.
const KEPT: u64 = 20_000;

/// The tables, ready to decide by.
pub struct Decisions {
    store: Store,
    clients: Clients,
    current: RwLock<Option<Arc<Snapshot>>>,
    /// Whether everything that is written was taken over: nothing of it is too much or cannot be used.
    complete: AtomicBool,
    facts: AtomicI64,
    /// A version of the facts under which nothing was ever kept.
    unkept: AtomicI64,
    /// How often a person or a resource was read.
    read: AtomicU64,
    /// The types of the resources of which something is written down; of others nothing need be read.
    types: RwLock<Arc<BTreeSet<String>>>,
    /// One looks at a time.
    looking: tokio::sync::Mutex<Last>,
    /// When the last look that succeeded began.
    looked: RwLock<Option<Instant>>,
    /// By the name they sign in with.
    names: Cache<String, Kept<Option<UserId>>>,
    subjects: Cache<UserId, Kept<Option<Arc<Subject>>>>,
    objects: Cache<(String, String), Kept<Option<Arc<Object>>>>,
}

#[derive(Clone)]
struct Kept<T> {
    facts: i64,
    value: T,
}

fn kept<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let builder = Cache::builder().max_capacity(KEPT);
    builder.time_to_live(KEPT_FOR).build()
}

fn unsettled() -> StoreError {
    StoreError::Unavailable("what is known of users changes faster than it can be read".to_owned())
}

impl Decisions {
    pub(super) fn new(store: Store, clients: Clients) -> Self {
        Self {
            store,
            clients,
            current: RwLock::default(),
            complete: AtomicBool::new(false),
            facts: AtomicI64::new(0),
            unkept: AtomicI64::new(-1),
            read: AtomicU64::new(0),
            types: RwLock::default(),
            looking: tokio::sync::Mutex::default(),
            looked: RwLock::default(),
            names: kept(),
            subjects: kept(),
            objects: kept(),
        }
    }

    /// Whether decisions are made by everything that is written: nothing of it is too much or cannot be used.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn loaded(&self) -> Option<Arc<Snapshot>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The one decision.
    pub async fn decide(&self, asked: &DecisionRequest, now: Ts) -> Result<Decision, StoreError> {
        for _ in 0..ATTEMPTS {
            self.current().await?;
            let (facts, read) = (
                self.facts.load(Ordering::Acquire),
                self.read.load(Ordering::Acquire),
            );
            let Some(subject) = self.subject(&asked.subject).await? else {
                return Ok(Decision {
                    allowed: false,
                    reasons: vec![Reason::UnknownSubject],
                });
            };
            // Whatever was read just now is judged by policies, and beside facts, that are no older.
            self.refresh_if_read_since(read).await?;
            let decision = self.decide_of(&subject, asked, now).await?;
            // Nor is a user as they were judged by policies that are newer: a role may be another of the same name.
            if !decision.allowed || self.facts.load(Ordering::Acquire) == facts {
                return Ok(decision);
            }
        }
        Err(unsettled())
    }

    /// The same of a user as they are given, whatever is written of them.
    pub async fn decide_of(
        &self,
        subject: &Subject,
        asked: &DecisionRequest,
        now: Ts,
    ) -> Result<Decision, StoreError> {
        let read = self.read.load(Ordering::Acquire);
        let object = self.object(asked).await?;
        self.refresh_if_read_since(read).await?;
        let loaded = self.current().await?;
        let client = self.client(asked, &loaded).await?;
        Ok(loaded.decide(&asked.question(subject, &object, client.as_deref(), now)))
    }

    /// What a user has whatever they do; `None` for a user that is disabled or does not exist.
    pub async fn standing(&self, user: UserId, now: Ts) -> Result<Option<Standing>, StoreError> {
        for _ in 0..ATTEMPTS {
            self.current().await?;
            let facts = self.facts.load(Ordering::Acquire);
            let read = self.read.load(Ordering::Acquire);
            let subject = self.subject(&Who::Id(user)).await?;
            self.refresh_if_read_since(read).await?;
            let loaded = self.current().await?;
            if self.facts.load(Ordering::Acquire) == facts {
                return Ok(subject
                    .filter(|subject| subject.enabled && loaded.broken().is_empty())
                    .map(|subject| loaded.standing(&subject, now)));
            }
        }
        Err(unsettled())
    }

    /// The policies, and a person as they are known beside them.
    pub(super) async fn known(
        &self,
        user: Option<UserId>,
    ) -> Result<(Arc<Snapshot>, Option<Arc<Subject>>), StoreError> {
        let subject = match user {
            Some(user) => self.subject(&Who::Id(user)).await?,
            None => None,
        };
        Ok((self.current().await?, subject))
    }

    /// Looks for changes if a person or a resource was read since the counter stood there.
    async fn refresh_if_read_since(&self, read: u64) -> Result<u64, StoreError> {
        let now = self.read.load(Ordering::Acquire);
        if now != read {
            self.refresh().await?;
        }
        Ok(now)
    }

    /// What was read, not longer ago than [`STALE`]; else it is read now.
    async fn current(&self) -> Result<Arc<Snapshot>, StoreError> {
        let looked = *self.looked.read().unwrap_or_else(PoisonError::into_inner);
        if looked.is_none_or(|looked| looked.elapsed() > STALE) {
            self.refresh().await?;
        }
        self.loaded()
            .ok_or_else(|| StoreError::Unavailable("no policies were read".to_owned()))
    }

    async fn subject(&self, who: &Who) -> Result<Option<Arc<Subject>>, StoreError> {
        let id = match who {
            Who::Id(id) => *id,
            Who::Unknown => return Ok(None),
            Who::Username(name) => {
                let Some(key) = username_key(name) else {
                    return Ok(None);
                };
                match self.id_of(key).await? {
                    Some(id) => id,
                    None => return Ok(None),
                }
            }
        };
        // Looked at before the read: what is changed in between is read again after the next look.
        let facts = self.facts.load(Ordering::Acquire);
        if let Some(kept) = self.subjects.get(&id).await
            && kept.facts == facts
        {
            return Ok(kept.value);
        }
        let value = self.store.find_subject(id).await?.map(Arc::new);
        self.read.fetch_add(1, Ordering::AcqRel);
        let kept = Kept {
            facts,
            value: value.clone(),
        };
        self.subjects.insert(id, kept).await;
        Ok(value)
    }

    async fn id_of(&self, key: String) -> Result<Option<UserId>, StoreError> {
        let facts = self.facts.load(Ordering::Acquire);
        if let Some(kept) = self.names.get(&key).await
            && kept.facts == facts
        {
            return Ok(kept.value);
        }
        let value = self.store.find_user_id(&key).await?;
        self.names.insert(key, Kept { facts, value }).await;
        Ok(value)
    }

    async fn stored_object(&self, kind: &str, id: &str) -> Result<Option<Arc<Object>>, StoreError> {
        let facts = self.facts.load(Ordering::Acquire);
        let known = Arc::clone(&self.types.read().unwrap_or_else(PoisonError::into_inner));
        if !known.contains(kind) {
            return Ok(None);
        }
        let name = (kind.to_owned(), id.to_owned());
        if let Some(kept) = self.objects.get(&name).await
            && kept.facts == facts
        {
            return Ok(kept.value);
        }
        let value = self.store.find_object(kind, id).await?.map(Arc::new);
        self.read.fetch_add(1, Ordering::AcqRel);
        let kept = Kept {
            facts,
            value: value.clone(),
        };
        self.objects.insert(name, kept).await;
        Ok(value)
    }

    /// The application, if some policy may ask about it.
    async fn client(
        &self,
        asked: &DecisionRequest,
        loaded: &Snapshot,
    ) -> Result<Option<Arc<Application>>, StoreError> {
        if !loaded.speaks_of_clients() {
            return Ok(None);
        }
        if asked.client.is_some() {
            return Ok(asked.client.clone());
        }
        let id = asked.context.get("client_id").and_then(Value::as_str);
        let Some(id) = id.and_then(ClientId::parse) else {
            return Ok(None);
        };
        let client = self.clients.find(&id).await?;
        Ok(client.map(|client| Arc::new(client.application())))
    }

    /// The resource, and policies that are no older than what is known of it.
    pub(super) async fn object(&self, asked: &DecisionRequest) -> Result<Arc<Object>, StoreError> {
        let stored = self
            .stored_object(&asked.resource_type, &asked.resource_id)
            .await?;
        Ok(asked.object(stored))
    }
}
