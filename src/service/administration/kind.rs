//! Acts on a single thing: find it, judge the change, check it, store what differs, and write the event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};

use serde::Serialize;
use serde_json::{Map, Value};

use super::checking::Checking;
use super::{Act, AdministrationError, KindName, Outcome};
use crate::domain::audit::{Event, EventType};
use crate::domain::policy::Count;
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// A kind of thing that administrators describe.
///
/// One description serves `signet apply`, `/v1`, the audit trail and OpenAPI; what differs between kinds stands in its
/// own file and nowhere else.
pub trait Kind: Clone + Debug + PartialEq + Serialize + Send + Sync + 'static {
    /// What names one.
    type Key: Clone + Ord + Debug + Display + Send + Sync + 'static;

    /// What it is called in reports and events.
    const KIND: KindName;
    /// The action on `signet` that reading them needs.
    const READ: &'static str;
    /// Created, updated, deleted.
    const EVENTS: [EventType; 3];

    /// Reads one, by its key.
    fn find(
        tx: &mut Tx,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    /// Reads all of them, for a document.
    fn list(
        tx: &mut Tx,
    ) -> impl Future<Output = Result<BTreeMap<Self::Key, Self>, StoreError>> + Send;

    /// Writes what differs.
    fn save(
        tx: &mut Tx,
        key: &Self::Key,
        was: Option<&Self>,
        is: &Self,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes one, and what hangs on it.
    fn delete(tx: &mut Tx, key: &Self::Key) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes what is wrong with it among all that will be there; its types have refused the rest already.
    fn check(
        &self,
        key: &Self::Key,
        checking: &mut Checking<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Refuses what the administrator may not change, give or take.
    fn judge(
        act: &mut Act,
        key: &Self::Key,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> impl Future<Output = Result<(), AdministrationError>> + Send;

    /// How much of what instances hold in memory it is.
    fn counts(&self) -> Vec<Count> {
        Vec::new()
    }

    /// What it always has, whatever is said of it.
    #[must_use]
    fn normal(self, _key: &Self::Key) -> Self {
        self
    }

    /// The key under which it stands, where one is named by several.
    fn own_key(&self, key: &Self::Key) -> Self::Key {
        key.clone()
    }

    /// Makes it exist, so that others of its kind can refer to it before it is written as a whole.
    fn announce(
        _tx: &mut Tx,
        _key: &Self::Key,
        _is: &Self,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// What must be known before the first change of an act.
    fn before(_act: &mut Act) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// What must hold of everything else after a change.
    fn after(_act: &mut Act) -> impl Future<Output = Result<(), AdministrationError>> + Send {
        std::future::ready(Ok(()))
    }

    /// What hangs on it and is gone with it, for the event of its deletion.
    fn hanging(
        _tx: &mut Tx,
        _key: &Self::Key,
    ) -> impl Future<Output = Result<Map<String, Value>, StoreError>> + Send {
        std::future::ready(Ok(Map::new()))
    }

    /// Says more in an event about it.
    #[must_use]
    fn tell(event: Event, _key: &Self::Key) -> Event {
        event
    }
}

impl Act {
    /// The thing of that key as it is.
    pub async fn find<K: Kind>(&mut self, key: &K::Key) -> Result<K, AdministrationError> {
        let found = K::find(&mut self.tx, key).await?;
        found.ok_or_else(|| AdministrationError::not_found::<K>(key))
    }

    /// Makes one thing so.
    pub async fn put<K: Kind>(
        &mut self,
        key: &K::Key,
        is: K,
    ) -> Result<Outcome, AdministrationError> {
        let was = K::find(&mut self.tx, key).await?;
        self.change(key, was.as_ref(), is).await
    }

    /// Makes one thing that is not there yet.
    pub async fn create<K: Kind>(
        &mut self,
        key: &K::Key,
        is: K,
    ) -> Result<(), AdministrationError> {
        if K::find(&mut self.tx, key).await?.is_some() {
            return Err(AdministrationError::exists::<K>(key));
        }
        self.change(key, None, is).await.map(drop)
    }

    /// Makes one thing so that was read in this act.
    pub async fn change<K: Kind>(
        &mut self,
        key: &K::Key,
        was: Option<&K>,
        is: K,
    ) -> Result<Outcome, AdministrationError> {
        // It keeps the name that it has.
        let key = &was.map_or_else(|| key.clone(), |was| was.own_key(key));
        let is = is.normal(key);
        K::judge(self, key, was, Some(&is)).await?;
        // Who may read names may be told those that were meant.
        let hints = self.may(K::READ, None).await?;
        let mut checking = Checking::one(&mut self.tx, self.now, hints);
        checking.at(K::KIND, key);
        is.check(key, &mut checking).await?;
        checking.done()?;
        let outcome = self.store(key, was, &is).await?;
        if outcome != Outcome::Unchanged {
            K::after(self).await?;
        }
        Ok(outcome)
    }

    /// Removes one thing that is there.
    pub async fn remove<K: Kind>(&mut self, key: &K::Key) -> Result<K, AdministrationError> {
        let was = self.find::<K>(key).await?;
        let key = &was.own_key(key);
        K::judge(self, key, Some(&was), None).await?;
        self.erase(key, &was).await?;
        K::after(self).await?;
        Ok(was)
    }

    /// Stores what was judged and checked.
    pub(super) async fn store<K: Kind>(
        &mut self,
        key: &K::Key,
        was: Option<&K>,
        is: &K,
    ) -> Result<Outcome, AdministrationError> {
        if was == Some(is) {
            return Ok(Outcome::Unchanged);
        }
        K::before(self).await?;
        K::save(&mut self.tx, key, was, is).await?;
        self.count(was, Some(is));
        let [created, updated, _] = K::EVENTS;
        let (kind, outcome) = match was {
            None => (created, Outcome::Created),
            Some(was) => {
                let changed = differing(&view(was)?, &view(is)?);
                (updated, Outcome::Changed(changed))
            }
        };
        let before = was.map(view).transpose()?;
        self.tell::<K>(kind, key, before, Some(view(is)?)).await?;
        Ok(outcome)
    }

    /// Deletes what was judged.
    pub(super) async fn erase<K: Kind>(
        &mut self,
        key: &K::Key,
        was: &K,
    ) -> Result<(), AdministrationError> {
        K::before(self).await?;
        let mut before = view(was)?;
        before.extend(K::hanging(&mut self.tx, key).await?);
        K::delete(&mut self.tx, key).await?;
        self.count(Some(was), None);
        let [_, _, deleted] = K::EVENTS;
        self.tell::<K>(deleted, key, Some(before), None).await
    }

    fn count<K: Kind>(&mut self, was: Option<&K>, is: Option<&K>) {
        for (what, count) in is.map(K::counts).unwrap_or_default() {
            *self.counted.entry(what).or_default() += count;
        }
        for (what, count) in was.map(K::counts).unwrap_or_default() {
            *self.counted.entry(what).or_default() -= count;
        }
    }

    async fn tell<K: Kind>(
        &mut self,
        kind: EventType,
        key: &K::Key,
        was: Option<Map<String, Value>>,
        is: Option<Map<String, Value>>,
    ) -> Result<(), AdministrationError> {
        let mut event = K::tell(self.event(kind).target(K::KIND.as_str(), key), key);
        if let Some(was) = was {
            event = event.before(Value::Object(was));
        }
        if let Some(is) = is {
            event = event.after(Value::Object(is));
        }
        self.record(event).await
    }
}

/// A record as events and reports show it.
///
/// # Errors
/// [`StoreError::Unwritable`] where it is no JSON object: an event never shows less than there was.
pub(super) fn view(record: &impl Serialize) -> Result<Map<String, Value>, StoreError> {
    match serde_json::to_value(record)? {
        Value::Object(members) => Ok(members),
        other => Err(StoreError::Unwritable(format!("{other} is no object"))),
    }
}

/// The names of the members in which two records differ.
pub(super) fn differing(was: &Map<String, Value>, is: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    names
        .into_iter()
        .filter(|name| was.get(*name) != is.get(*name))
        .cloned()
        .collect()
}
