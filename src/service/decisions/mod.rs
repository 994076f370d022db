//! Deciding who may do what, without asking the store each time.
//!
//! Roles, groups and policies are compiled into one snapshot, which is replaced as a whole. What is known of a person
//! or a resource is read when it is first needed, and kept. Both count only under the version of the tables that was
//! current when they were read; every instance looks for newer versions several times a second.

mod search;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Services;
use crate::domain::ids::UserId;
use crate::domain::policy::{Decision, Object, Question, Reason, Snapshot, Standing, Subject};
use crate::domain::user::username_key;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::error::StoreError;

pub use search::Place;

/// Decisions are not made by what was looked at longer ago.
const STALE: Duration = Duration::from_secs(3);

/// Everything is read again after this time, even if nobody said that it changed.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// How often every instance looks whether something was changed elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// People, and resources, of whom something is kept.
const KEPT: u64 = 20_000;

/// The tables, ready to decide by.
pub struct Decisions {
    store: Store,
    current: RwLock<Option<Arc<Loaded>>>,
    facts: AtomicI64,
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

struct Loaded {
    snapshot: Snapshot,
}

/// What was looked at last, and when.
#[derive(Default)]
struct Last {
    looked: Option<Instant>,
    version: Option<i64>,
    facts: Option<i64>,
    read: Option<Instant>,
}

#[derive(Clone)]
struct Kept<T> {
    facts: i64,
    value: T,
}

/// A question as somebody asks it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who.
    pub subject: Who,
    /// Does what.
    pub action: String,
    /// To a resource of this type.
    pub resource_type: String,
    /// And this id.
    pub resource_id: String,
    /// What whoever asks knows of the resource; what is in the store goes before it.
    pub resource_attributes: Map<String, Value>,
    /// Circumstances.
    pub context: Map<String, Value>,
    /// Whether a refusal should name what would have allowed it.
    pub why: bool,
}

/// A person, by one of their two names, or nobody.
#[derive(Clone, Debug)]
pub enum Who {
    /// `sub`.
    Id(UserId),
    /// The name they sign in with.
    Username(String),
    /// Nobody that is known here.
    Nobody,
}

impl Who {
    /// A `sub` if it looks like one, else a user name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        UserId::parse(text).map_or_else(|| Self::Username(text.to_owned()), Self::Id)
    }
}

impl Asked {
    fn question<'a>(&'a self, subject: &'a Subject, object: &'a Object, now: Ts) -> Question<'a> {
        Question {
            subject,
            action: &self.action,
            object,
            context: &self.context,
            now,
            why: self.why,
        }
    }
}

fn kept<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let builder = Cache::builder().max_capacity(KEPT);
    builder.time_to_live(KEPT_FOR).build()
}

impl Decisions {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            current: RwLock::default(),
            facts: AtomicI64::new(0),
            types: RwLock::default(),
            looking: tokio::sync::Mutex::default(),
            looked: RwLock::default(),
            names: kept(),
            subjects: kept(),
            objects: kept(),
        }
    }

    /// Takes over what was changed since the last look. If that fails, what was there goes on deciding, for
    /// [`STALE`].
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut last = self.looking.lock().await;
        if last.looked.is_some_and(|looked| looked >= began) {
            // Somebody else looked while this one waited.
            return Ok(());
        }
        let looking = tokio::time::timeout(STALE, self.look(&mut last));
        looking.await.map_err(|_| {
            StoreError::Unavailable("reading the policies takes too long".to_owned())
        })??;
        last.looked = Some(began);
        *self.looked.write().unwrap_or_else(PoisonError::into_inner) = Some(began);
        Ok(())
    }

    async fn look(&self, last: &mut Last) -> Result<(), StoreError> {
        let versions = self.store.policy_versions().await?;
        let recent = last.read.is_some_and(|read| read.elapsed() < KEPT_FOR);
        if last.version != Some(versions.policy) || !recent {
            let (version, written) = self.store.read_policy().await?;
            let compiling = tokio::task::spawn_blocking(|| Snapshot::compile(written));
            let snapshot = compiling.await.map_err(|_| {
                StoreError::Unavailable("the policies could not be compiled".to_owned())
            })?;
            self.take_over(version, snapshot);
            (last.version, last.read) = (Some(version), Some(Instant::now()));
        }
        if last.facts != Some(versions.facts) || !recent {
            let types = Arc::new(self.store.list_object_types().await?);
            *self.types.write().unwrap_or_else(PoisonError::into_inner) = types;
            last.facts = Some(versions.facts);
        }
        // After the policies: new facts are never judged by older policies.
        self.facts.store(versions.facts, Ordering::Release);
        Ok(())
    }

    /// A snapshot that cannot be used whole does not take down the one that decides. Without one it is taken, and
    /// refuses everything.
    fn take_over(&self, version: i64, snapshot: Snapshot) {
        for broken in snapshot.broken() {
            tracing::error!(policy.id = %broken.id, "policy {} cannot be used: {}; no change of any policy counts until it is repaired", broken.id, broken.problem);
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let works = current
            .as_ref()
            .is_some_and(|current| current.snapshot.broken().is_empty());
        if snapshot.broken().is_empty() || !works {
            tracing::debug!(
                version,
                "decisions are made by version {version} of the policies"
            );
            *current = Some(Arc::new(Loaded { snapshot }));
        }
    }

    fn loaded(&self) -> Option<Arc<Loaded>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The one decision.
    pub async fn decide(&self, asked: &Asked, now: Ts) -> Result<Decision, StoreError> {
        self.current().await?;
        let Some(subject) = self.subject(&asked.subject).await? else {
            return Ok(Decision {
                allowed: false,
                reasons: vec![Reason::UnknownSubject],
            });
        };
        let object = self.object(asked).await?;
        // Taken last: whatever was read just now is judged by policies that are no older.
        let loaded = self.current().await?;
        Ok(loaded
            .snapshot
            .decide(&asked.question(&subject, &object, now)))
    }

    /// What a person has whatever they do; nothing is known of nobody and of the disabled.
    pub async fn standing(&self, user: UserId, now: Ts) -> Result<Option<Standing>, StoreError> {
        self.current().await?;
        let subject = self.subject(&Who::Id(user)).await?;
        let loaded = self.current().await?;
        Ok(subject
            .filter(|subject| subject.enabled && loaded.snapshot.broken().is_empty())
            .map(|subject| loaded.snapshot.standing(&subject, now)))
    }

    /// What was read, not longer ago than [`STALE`]; else it is read now.
    async fn current(&self) -> Result<Arc<Loaded>, StoreError> {
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
            Who::Nobody => return Ok(None),
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
        self.refresh().await?;
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
        self.refresh().await?;
        let kept = Kept {
            facts,
            value: value.clone(),
        };
        self.objects.insert(name, kept).await;
        Ok(value)
    }

    /// The resource as the store knows it, over what whoever asks says of it.
    async fn object(&self, asked: &Asked) -> Result<Arc<Object>, StoreError> {
        let stored = self
            .stored_object(&asked.resource_type, &asked.resource_id)
            .await?;
        let mut attributes = asked.resource_attributes.clone();
        let mut organization = attributes
            .get("organization")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Some(stored) = stored {
            if asked.resource_attributes.is_empty() {
                return Ok(stored);
            }
            attributes.remove("organization");
            attributes.extend(stored.attributes.clone());
            organization.clone_from(&stored.organization);
        }
        Ok(Arc::new(Object {
            kind: asked.resource_type.clone(),
            id: asked.resource_id.clone(),
            organization,
            attributes,
        }))
    }
}

/// Looks for changes until `stop`.
pub(super) async fn keep_fresh(services: Arc<Services>, stop: CancellationToken) {
    loop {
        if let Err(error) = services.decisions.refresh().await {
            tracing::warn!(%error, "decisions go on by the policies as they were read last");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
