//! Finding who may, to what, and what may be done: by asking the one decision about everybody and everything.

use super::{DecisionRequest, Decisions};
use crate::domain::ids::UserId;
use crate::domain::policy::Question;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// A search looks at so many people or resources in one go; the caller may go on from there.
const LOOKED_AT: usize = 2000;
const LOOKED_AT_ROWS: i64 = 2000;

/// After so many decisions others have their turn.
const YIELD_EVERY: usize = 50;

/// People are read so many at a time.
const PAGE: i64 = 500;
const PAGE_LEN: usize = 500;

/// Where a search for resources stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among those that are written down.
    Written(String),
    /// Among those on which the person only has a level.
    Level(String),
}

impl Place {
    /// The resource's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Written(id) | Self::Level(id) => id,
        }
    }
}

impl Decisions {
    /// The people who may do something to a resource, in the order of their ids, from those after `after`; and after
    /// whom to go on, if there may be more.
    pub async fn search_subjects(
        &self,
        asked: &DecisionRequest,
        after: Option<UserId>,
        limit: usize,
        now: Ts,
    ) -> Result<(Vec<UserId>, Option<UserId>), StoreError> {
        // A search reads much; it may as well read what is newest.
        self.refresh().await?;
        let loaded = self.current().await?;
        let object = self.object(asked).await?;
        let client = self.client(asked, &loaded).await?;
        let (mut found, mut after, mut looked_at) = (Vec::new(), after, 0);
        while looked_at < LOOKED_AT {
            let page = self.store.list_subjects(after, PAGE).await?;
            let last = page.len() < PAGE_LEN;
            for subject in page {
                if looked_at % 50 == 0 {
                    // Deciding does not wait; others want their turn.
                    tokio::task::yield_now().await;
                }
                looked_at += 1;
                after = Some(subject.id);
                if loaded
                    .decide(&asked.question(&subject, &object, client.as_deref(), now))
                    .allowed
                {
                    found.push(subject.id);
                    if found.len() == limit {
                        return Ok((found, after));
                    }
                }
            }
            if last {
                return Ok((found, None));
            }
        }
        Ok((found, after))
    }

    /// The resources of a type to which a person may do something, of those that the store knows of: first those that
    /// are written down, then those on which a user only has a level. With them comes where to go on, if there may
    /// be more.
    pub async fn search_resources(
        &self,
        asked: &DecisionRequest,
        after: Option<Place>,
        limit: usize,
        now: Ts,
    ) -> Result<(Vec<String>, Option<Place>), StoreError> {
        self.refresh().await?;
        let loaded = self.current().await?;
        let Some(subject) = self.subject(&asked.subject).await? else {
            return Ok((Vec::new(), None));
        };
        let client = self.client(asked, &loaded).await?;
        let kind = &asked.resource_type;
        let mut candidates: Vec<Place> = Vec::new();
        let mut complete = true;
        let levels_after = match after {
            Some(Place::Level(id)) => Some(id),
            Some(Place::Written(_)) | None => {
                let after = after.as_ref().map_or("", Place::id);
                let written = self
                    .store
                    .list_object_ids(kind, after, LOOKED_AT_ROWS)
                    .await?;
                complete = written.len() < LOOKED_AT;
                candidates.extend(written.into_iter().map(Place::Written));
                None
            }
        };
        if complete {
            let ids = loaded.levelled(&subject, kind).into_iter();
            let left = ids.filter(|id| levels_after.as_ref().is_none_or(|after| id > after));
            let before = candidates.len();
            candidates.extend(left.take(LOOKED_AT).map(Place::Level));
            complete = candidates.len() - before < LOOKED_AT;
        }
        let mut found = Vec::new();
        for (at, place) in candidates.iter().enumerate() {
            if at % YIELD_EVERY == 0 {
                tokio::task::yield_now().await;
            }
            let asked = DecisionRequest {
                resource_id: place.id().to_owned(),
                ..asked.clone()
            };
            let stored = self.stored_object(kind, place.id()).await?;
            let told_before = matches!(place, Place::Level(_)) && stored.is_some();
            let object = asked.object(stored);
            let question = asked.question(&subject, &object, client.as_deref(), now);
            if !told_before && loaded.decide(&question).allowed {
                found.push(place.id().to_owned());
                if found.len() == limit {
                    return Ok((found, Some(place.clone())));
                }
            }
        }
        let more = if complete { None } else { candidates.pop() };
        Ok((found, more))
    }

    /// What a person may do to a resource, of the actions that roles, levels and policies speak of.
    pub async fn search_actions(
        &self,
        asked: &DecisionRequest,
        now: Ts,
    ) -> Result<Vec<String>, StoreError> {
        self.refresh().await?;
        let loaded = self.current().await?;
        let Some(subject) = self.subject(&asked.subject).await? else {
            return Ok(Vec::new());
        };
        let object = self.object(asked).await?;
        let client = self.client(asked, &loaded).await?;
        let mut actions: Vec<String> = Vec::new();
        for (at, action) in loaded
            .named_actions(&asked.resource_type)
            .into_iter()
            .enumerate()
        {
            if at % YIELD_EVERY == 0 {
                tokio::task::yield_now().await;
            }
            let question = Question {
                action: &action,
                ..asked.question(&subject, &object, client.as_deref(), now)
            };
            if loaded.decide(&question).allowed {
                actions.push(action);
            }
        }
        Ok(actions)
    }
}
