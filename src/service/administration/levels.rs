//! Levels of people and groups on single resources.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Act, AdministrationError};
use crate::domain::audit::EventType;
use crate::domain::directory::{Group, GroupName};
use crate::domain::policy::{Bounded, Level, ResourceName};
use crate::store::assignments::Holder;

impl Act {
    /// Gives a level on a resource.
    pub async fn set_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
        level: Level,
    ) -> Result<(), AdministrationError> {
        match holder {
            Holder::User(user) => self.find_user(*user).await.map(drop)?,
            Holder::Group(name) => {
                let name = GroupName::stored(name.clone());
                self.find::<Group>(&name).await.map(drop)?;
            }
        }
        self.rights.may_give_level(resource, level, "level")?;
        let had = self.tx.find_level(holder, resource).await?;
        if had == Some(level) {
            return Ok(());
        }
        if let Some(had) = had {
            self.rights.may_take_level(resource, had, "level")?;
        }
        self.tx.set_level(holder, resource, Some(level)).await?;
        self.check_levels(holder).await?;
        self.tell_level(holder, resource, had, Some(level)).await
    }

    /// Takes a level on a resource; `false` when there was none.
    pub async fn remove_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
    ) -> Result<bool, AdministrationError> {
        let Some(had) = self.tx.find_level(holder, resource).await? else {
            return Ok(false);
        };
        self.rights.may_take_level(resource, had, "level")?;
        self.tx.set_level(holder, resource, None).await?;
        self.tell_level(holder, resource, Some(had), None).await?;
        Ok(true)
    }

    /// The levels of a person or group in a document; whether anything changed.
    pub(super) async fn put_levels(
        &mut self,
        holder: &Holder,
        had: &BTreeMap<ResourceName, Level>,
        wanted: &BTreeMap<ResourceName, Level>,
    ) -> Result<bool, AdministrationError> {
        self.judge_whole_lists("levels")?;
        let gone = had.iter().filter(|(name, _)| !wanted.contains_key(*name));
        for (name, level) in gone {
            self.tx.set_level(holder, name, None).await?;
            self.tell_level(holder, name, Some(*level), None).await?;
        }
        let new = wanted
            .iter()
            .filter(|(name, level)| had.get(*name) != Some(*level));
        let new: Vec<(&ResourceName, Level)> = new.map(|(name, level)| (name, *level)).collect();
        self.tx.set_levels(holder, &new).await?;
        for (name, level) in new {
            let before = had.get(name).copied();
            self.tell_level(holder, name, before, Some(level)).await?;
        }
        Ok(had != wanted)
    }

    /// Writes down that a level was given (there is no `before`), is another, or was taken (there is no `after`).
    async fn tell_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
        before: Option<Level>,
        after: Option<Level>,
    ) -> Result<(), AdministrationError> {
        let kind = match after {
            Some(_) => EventType::LevelSet,
            None => EventType::LevelRemoved,
        };
        if matches!(holder, Holder::Group(_)) {
            let by = i64::from(before.is_none()) - i64::from(after.is_none());
            *self.counted.entry(Bounded::GroupLevels).or_default() += by;
        }
        let view = |level| json!({ "resource": resource, "level": level });
        let mut event = self.about(kind, holder);
        if let Some(before) = before {
            event = event.before(view(before));
        }
        if let Some(after) = after {
            event = event.after(view(after));
        }
        self.record(event).await
    }
}
