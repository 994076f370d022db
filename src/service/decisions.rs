//! Deciding who may do what, without asking the store each time.
//!
//! Roles, groups and policies are compiled into one snapshot, which is replaced as a whole. What is known of a person
//! or a resource is read when it is first needed, and kept. Both count only under the version of the tables that was
//! current when they were read; every instance looks for newer versions several times a second.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Services;
use crate::domain::ids::UserId;
use crate::domain::policy::{Decision, Object, Question, Reason, Snapshot, Subject};
use crate::domain::user::username_key;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::error::StoreError;

/// How often every instance looks whether something was changed elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// People, and resources, of whom something is kept.
const KEPT: u64 = 20_000;

/// The tables, ready to decide by.
pub struct Decisions {
    store: Store,
    current: RwLock<Option<Arc<Loaded>>>,
    facts: AtomicI64,
    /// One reads at a time.
    reading: tokio::sync::Mutex<()>,
    subjects: Cache<UserId, Kept<Option<Arc<Subject>>>>,
    objects: Cache<(String, String), Kept<Option<Arc<Object>>>>,
}

struct Loaded {
    version: i64,
    snapshot: Snapshot,
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

/// A person, by one of their two names.
#[derive(Clone, Debug)]
pub enum Who {
    /// `sub`.
    Id(UserId),
    /// The name they sign in with.
    Username(String),
}

impl Who {
    /// A `sub` if it looks like one, else a user name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        UserId::parse(text).map_or_else(|| Self::Username(text.to_owned()), Self::Id)
    }
}

impl Decisions {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            current: RwLock::default(),
            facts: AtomicI64::new(0),
            reading: tokio::sync::Mutex::default(),
            subjects: Cache::builder().max_capacity(KEPT).build(),
            objects: Cache::builder().max_capacity(KEPT).build(),
        }
    }

    /// Takes over what was changed since the last look. If that fails, what was there goes on deciding.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _one = self.reading.lock().await;
        let versions = self.store.policy_versions().await?;
        self.facts.store(versions.facts, Ordering::Release);
        let known = self.loaded().map(|loaded| loaded.version);
        if known == Some(versions.policy) {
            return Ok(());
        }
        let (version, written) = self.store.read_policy().await?;
        let snapshot = Snapshot::compile(written);
        for broken in snapshot.broken() {
            tracing::error!(policy.id = %broken.id, "policy {} cannot be used and is left out: {}", broken.id, broken.problem);
        }
        tracing::debug!(
            version,
            "decisions are made by version {version} of the policies"
        );
        let loaded = Arc::new(Loaded { version, snapshot });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(())
    }

    fn loaded(&self) -> Option<Arc<Loaded>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The one decision.
    pub async fn decide(&self, asked: &Asked, now: Ts) -> Result<Decision, StoreError> {
        let unread = || StoreError::Unavailable("no policies were read".to_owned());
        if self.loaded().is_none() {
            self.refresh().await?;
        }
        let loaded = self.loaded().ok_or_else(unread)?;
        let Some(subject) = self.subject(&asked.subject).await? else {
            return Ok(Decision {
                allowed: false,
                reasons: vec![Reason::UnknownSubject],
            });
        };
        let object = self.object(asked).await?;
        let question = Question {
            subject: &subject,
            action: &asked.action,
            object: &object,
            context: &asked.context,
            now,
            why: asked.why,
        };
        Ok(loaded.snapshot.decide(&question))
    }

    async fn subject(&self, who: &Who) -> Result<Option<Arc<Subject>>, StoreError> {
        let id = match who {
            Who::Id(id) => *id,
            Who::Username(name) => {
                let Some(key) = username_key(name) else {
                    return Ok(None);
                };
                match self.store.find_user_id(&key).await? {
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
        let kept = Kept {
            facts,
            value: value.clone(),
        };
        self.subjects.insert(id, kept).await;
        Ok(value)
    }

    /// The resource as the store knows it, over what whoever asks says of it.
    async fn object(&self, asked: &Asked) -> Result<Arc<Object>, StoreError> {
        let facts = self.facts.load(Ordering::Acquire);
        let name = (asked.resource_type.clone(), asked.resource_id.clone());
        let stored = match self.objects.get(&name).await {
            Some(kept) if kept.facts == facts => kept.value,
            _ => {
                let value = self.store.find_object(&name.0, &name.1).await?;
                let value = value.map(Arc::new);
                let kept = Kept {
                    facts,
                    value: value.clone(),
                };
                self.objects.insert(name, kept).await;
                value
            }
        };
        if asked.resource_attributes.is_empty()
            && let Some(stored) = stored
        {
            return Ok(stored);
        }
        let mut attributes = asked.resource_attributes.clone();
        let mut organization = attributes
            .get("organization")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Some(stored) = stored {
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
