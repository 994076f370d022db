//! Looking for what was changed, and taking it over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{Decisions, STALE};
use crate::domain::policy::{Snapshot, check_counts};
use crate::store::changes::Version;
use crate::store::error::StoreError;
use crate::store::policy::Versions;
use crate::store::policy_changes::Since;

/// Reading all the tables takes no longer.
const READING: Duration = Duration::from_secs(20);

/// So often it is tried again where something is changed in between.
const ROUNDS: usize = 5;

/// What was looked at last, and when.
#[derive(Default)]
pub(super) struct Last {
    /// When the last look began, and what came of it.
    look: Option<(Instant, Result<(), StoreError>)>,
    /// Which version of the policies it saw.
    version: Option<Version>,
    /// The version that the snapshot is of, if everything up to it was taken over.
    caught_up: Option<Version>,
    /// Which version of the facts it saw, and the number under which what was read since then is kept.
    facts: Option<(Version, i64)>,
}

fn slow() -> StoreError {
    StoreError::Unavailable("reading the policies takes too long".to_owned())
}

/// Why what is written is not taken over.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// It is more than instances hold in memory.
    #[error("{0}")]
    TooMuch(String),
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Unusable {
    /// Whether it will be so until what is written changes.
    fn lasts(&self) -> bool {
        match self {
            Self::TooMuch(_) => true,
            Self::Store(error) => error.is_unreadable(),
        }
    }
}

impl From<Unusable> for StoreError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::TooMuch(problem) => Self::Unavailable(problem),
            Unusable::Store(error) => error,
        }
    }
}

/// Compiles on a thread on which it may take long.
async fn compiled(
    compile: impl FnOnce() -> Snapshot + Send + 'static,
) -> Result<Snapshot, StoreError> {
    let compiling = tokio::task::spawn_blocking(compile).await;
    compiling.map_err(|_| StoreError::Unavailable("the policies could not be compiled".to_owned()))
}

impl Decisions {
    /// Takes over what was changed until now. If that fails, what was there goes on deciding, for [`STALE`].
    ///
    /// A caller that waits for a look that began after it asked is answered by it, whether it succeeded or failed.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let asked = Instant::now();
        let looking = tokio::time::timeout(STALE, self.looking.lock()).await;
        let mut last = looking.map_err(|_| slow())?;
        if let Some((began, outcome)) = &last.look
            && *began >= asked
        {
            return outcome.clone();
        }
        let began = Instant::now();
        let outcome = self.look(&mut last).await;
        if outcome.is_ok() {
            *self.looked.write().unwrap_or_else(PoisonError::into_inner) = Some(began);
        }
        last.look = Some((began, outcome.clone()));
        outcome
    }

    async fn look(&self, last: &mut Last) -> Result<(), StoreError> {
        let mut versions = self.versions().await?;
        for _ in 0..ROUNDS {
            if last.version == Some(versions.policy) {
                break;
            }
            match self.catch_up(last).await {
                // Nothing came in between: these versions belong together.
                Ok(Some(version)) if version == versions.policy => break,
                Ok(_) => {}
                // What cannot be read, because a newer version wrote it, or held takes nothing down.
                Err(unusable) if unusable.lasts() && self.loaded().is_some() => {
                    self.keep(versions.policy, last, &unusable.to_string());
                    break;
                }
                Err(unusable) => return Err(unusable.into()),
            }
            // What is known of users and resources must be no older than the policies that were read, nor newer.
            versions = self.versions().await?;
        }
        let facts = last.facts.filter(|(version, _)| *version == versions.facts);
        let kept_under = if let Some((_, kept_under)) = facts {
            kept_under
        } else {
            let types = tokio::time::timeout(STALE, self.store.list_object_types());
            let types = Arc::new(types.await.map_err(|_| slow())??);
            *self.types.write().unwrap_or_else(PoisonError::into_inner) = types;
            // A number of its own: a database that is restored comes to the same versions again.
            let kept_under = self.unkept.fetch_sub(1, Ordering::AcqRel);
            last.facts = Some((versions.facts, kept_under));
            kept_under
        };
        if last.version != Some(versions.policy) {
            // Something changes all the time. The policies are newer than these facts: nothing that is kept counts.
            last.facts = None;
            return Ok(());
        }
        // After the policies: new facts are never judged by older policies.
        self.facts.store(kept_under, Ordering::Release);
        Ok(())
    }

    async fn versions(&self) -> Result<Versions, StoreError> {
        let versions = tokio::time::timeout(STALE, self.store.policy_versions());
        versions.await.map_err(|_| slow())?
    }

    /// Brings the snapshot up to date by what was changed, if that is known; else makes it anew. The version that it is
    /// of, if nothing was changed until all was read.
    async fn catch_up(&self, last: &mut Last) -> Result<Option<Version>, Unusable> {
        if let (Some(from), Some(before)) = (last.caught_up, self.loaded()) {
            match self.changes_since(from).await? {
                Since::Nothing => {
                    last.version = Some(from);
                    return Ok(Some(from));
                }
                Since::Changed(changed) => {
                    let (version, is_last) = (changed.version, changed.is_last);
                    let snapshot = compiled(move || before.with(changed.changes)).await?;
                    self.take_over(version, snapshot, last)?;
                    return Ok(is_last.then_some(version));
                }
                Since::Unknown => {}
            }
        }
        // However long it takes to compile them, they are compiled once.
        let (version, is_last, snapshot) = self.read_everything().await?;
        self.take_over(version, snapshot, last)?;
        Ok(is_last.then_some(version))
    }

    async fn changes_since(&self, from: Version) -> Result<Since, StoreError> {
        let reading = tokio::time::timeout(READING, self.store.read_policy_changes(from));
        reading.await.map_err(|_| slow())?
    }

    /// Everything, the version that it is of, and whether nothing was changed until all was read. What was changed while
    /// it was read is read once more.
    async fn read_everything(&self) -> Result<(Version, bool, Snapshot), Unusable> {
        for _ in 0..ROUNDS {
            let counting = tokio::time::timeout(STALE, self.store.count_policy());
            let counts = counting.await.map_err(|_| slow())??;
            check_counts(&counts).map_err(Unusable::TooMuch)?;
            let reading = tokio::time::timeout(READING, self.store.read_policy());
            let (version, written) = reading.await.map_err(|_| slow())??;
            let snapshot = compiled(|| Snapshot::compile(written)).await?;
            match self.changes_since(version).await? {
                Since::Nothing => return Ok((version, true, snapshot)),
                Since::Changed(changed) => {
                    let (version, is_last) = (changed.version, changed.is_last);
                    let snapshot = compiled(move || snapshot.with(changed.changes)).await?;
                    return Ok((version, is_last, snapshot));
                }
                Since::Unknown => {}
            }
        }
        let problem = "the policy tables change faster than they can be read";
        Err(StoreError::Unavailable(problem.to_owned()).into())
    }

    /// Reads everything again, even if nothing says that it changed: it may have been changed in another way than by
    /// Signet. Looks and decisions go on meanwhile.
    pub async fn read_anew(&self) -> Result<(), StoreError> {
        let read = self.read_everything().await;
        let mut last = self.looking.lock().await;
        last.facts = None;
        match read {
            // A look that came first knows more.
            Ok((version, ..)) if last.version.is_some_and(|it| it.number > version.number) => {
                Ok(self.look(&mut last).await?)
            }
            Ok((version, _, snapshot)) => {
                self.take_over(version, snapshot, &mut last)?;
                Ok(self.look(&mut last).await?)
            }
            Err(unusable) => {
                if unusable.lasts() {
                    last.caught_up = None;
                    self.complete.store(false, Ordering::Release);
                }
                Err(unusable.into())
            }
        }
    }

    /// Goes on with what was there, until something is changed again; then everything is read.
    fn keep(&self, version: Version, last: &mut Last, problem: &str) {
        tracing::error!(
            "no change of any role, group or policy counts until this is repaired: {problem}"
        );
        last.version = Some(version);
        last.caught_up = None;
        self.complete.store(false, Ordering::Release);
    }

    /// A policy that cannot be used does not take down those that decide: they stay, with the new roles and groups.
    /// Without any there is nothing to keep, and everything is refused.
    fn take_over(
        &self,
        version: Version,
        snapshot: Snapshot,
        last: &mut Last,
    ) -> Result<(), Unusable> {
        check_counts(&snapshot.counts()).map_err(Unusable::TooMuch)?;
        for broken in snapshot.unusable() {
            tracing::error!(policy.id = %broken.id, "policy {} cannot be used: {}; no change of any policy counts until it is repaired", broken.id, broken.problem);
        }
        let complete = snapshot.unusable().is_empty();
        self.complete.store(complete, Ordering::Release);
        // What is kept of users and resources may be older than these policies: until the look ends nothing of it counts.
        let nothing = self.unkept.fetch_sub(1, Ordering::AcqRel);
        self.facts.store(nothing, Ordering::Release);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let snapshot = match current.as_ref() {
            Some(before) => snapshot.or_policies_of(before),
            None => snapshot,
        };
        tracing::debug!(
            version = version.number,
            "decisions are made by version {} of the policies",
            version.number
        );
        *current = Some(Arc::new(snapshot));
        last.version = Some(version);
        last.caught_up = Some(version);
        Ok(())
    }
}
