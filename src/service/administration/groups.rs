//! Groups of people: their parents and attributes. Their roles, levels and members are acts of their own.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::checking::Checking;
use super::kind::Kind;
use super::roles::number;
use super::{Act, AdministrationError, KindName, Named, WRITE_ATTRIBUTES};
use crate::domain::audit::EventType;
use crate::domain::directory::{Group, GroupName};
use crate::domain::policy::{Bounded, Count, Of, check_counts};
use crate::service::audit::views;
use crate::store::assignments::Holder;
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Group {
    type Key = GroupName;

    const KIND: KindName = KindName::Group;
    const READ: &'static str = "groups.read";
    const EVENTS: [EventType; 3] = [
        EventType::GroupCreated,
        EventType::GroupUpdated,
        EventType::GroupDeleted,
    ];

    async fn find(tx: &mut Tx, key: &GroupName) -> Result<Option<Self>, StoreError> {
        tx.find_group(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<GroupName, Self>, StoreError> {
        tx.list_groups().await
    }

    async fn save(
        tx: &mut Tx,
        key: &GroupName,
        was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        let none = Self::default();
        let differs = was.is_none_or(|was| {
            (&was.description, &was.attributes) != (&is.description, &is.attributes)
        });
        if differs {
            tx.save_group(key, is.description.as_deref(), &is.attributes)
                .await?;
        }
        let parents = &was.unwrap_or(&none).parents;
        if *parents != is.parents {
            tx.replace_group_parents(key, parents, &is.parents).await?;
        }
        Ok(())
    }

    async fn delete(tx: &mut Tx, key: &GroupName) -> Result<(), StoreError> {
        tx.delete_group(key).await
    }

    async fn check(&self, key: &GroupName, checking: &mut Checking<'_>) -> Result<(), StoreError> {
        checking.description(self.description.as_deref());
        checking.attributes(&Of::Group, &self.attributes).await?;
        for parent in self.parents.iter().filter(|parent| *parent != key) {
            checking.refer("parents", KindName::Group, parent).await?;
        }
        if !checking.is_document() && !self.parents.is_empty() {
            let parents = self.parents.iter().map(ToString::to_string).collect();
            let ancestry = checking.tx.find_group_ancestry(&parents).await?;
            if parents.contains(&**key) || ancestry.values().any(|all| all.contains(&**key)) {
                checking.refuse("parents", CYCLE);
            }
        }
        Ok(())
    }

    async fn judge(
        act: &mut Act,
        key: &GroupName,
        was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        let none = Self::default();
        let (before, after) = (was.unwrap_or(&none), is.unwrap_or(&none));
        if was.is_none() {
            act.rights
                .require_if_policies_name(Named::Group(key), "name")?;
        }
        if is.is_some() && before.attributes != after.attributes {
            act.require(WRITE_ATTRIBUTES, None).await?;
        }
        let (had, has) = (&before.attributes, &after.attributes);
        act.rights
            .require_if_policies_read(Named::Group(key), had, has, "attributes")?;
        // What the group gives about administration must be the administrator's, and what a policy names may forbid.
        if is.is_none() || !before.parents.is_subset(&after.parents) {
            act.rights.may_take_group(key, "name")?;
        }
        for parent in after.parents.difference(&before.parents) {
            act.rights.may_give_group(parent, "parents")?;
        }
        Ok(())
    }

    fn counts(&self) -> Vec<Count> {
        vec![
            (Bounded::Groups, 1),
            (Bounded::GroupParents, number(self.parents.len())),
        ]
    }

    /// What it gave its members.
    async fn hanging(tx: &mut Tx, key: &GroupName) -> Result<Map<String, Value>, StoreError> {
        let holder = Holder::Group(key.to_string());
        let roles = tx.list_assignments_of(&holder).await?;
        let levels = tx.list_levels_of(&holder).await?;
        let roles = roles.iter().map(views::assignment).collect();
        Ok(Map::from_iter([
            ("roles".to_owned(), roles),
            ("levels".to_owned(), views::levels(levels.iter())),
        ]))
    }

    async fn announce(tx: &mut Tx, key: &GroupName, is: &Self) -> Result<(), StoreError> {
        tx.save_group(key, is.description.as_deref(), &is.attributes)
            .await
    }
}

impl Act {
    /// Refuses a group that gives more levels than instances hold in memory of one.
    pub(super) async fn check_levels(
        &mut self,
        holder: &Holder,
    ) -> Result<(), AdministrationError> {
        let Holder::Group(name) = holder else {
            return Ok(());
        };
        let count = self.tx.count_levels_of_group(name).await?;
        check_counts(&[(Bounded::LevelsOfAGroup, count)]).map_err(AdministrationError::TooMany)
    }
}

/// What is wrong with a group among its own ancestors.
pub(super) const CYCLE: &str = "the group would be among its own parents' parents";
