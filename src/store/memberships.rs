//! Single memberships and levels, one at a time, as the administration gives and takes them.

use super::Store;
use super::assignments::Holder;
use super::db::Tx;
use super::error::StoreError;
use super::policy::{FACTS, POLICY};
use super::revocations::bump_changes;
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, ResourceName};

impl Store {
    /// The organizations of which a person is a member.
    pub async fn list_organizations_of(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let rows = self.db.q(ORGANIZATIONS_OF).bind(user.0);
        let rows = rows.all::<(String,)>().await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }
}

impl Tx {
    /// Makes a person a member of a group; whether they were not.
    pub async fn add_group_member(
        &mut self,
        user: UserId,
        group: &str,
    ) -> Result<bool, StoreError> {
        self.change_membership(JOIN_GROUP, user, group).await
    }

    /// Ends a person's membership in a group; whether they were a member.
    pub async fn remove_group_member(
        &mut self,
        user: UserId,
        group: &str,
    ) -> Result<bool, StoreError> {
        self.change_membership(LEAVE_GROUP, user, group).await
    }

    /// Makes a person a member of an organization; whether they were not.
    pub async fn add_organization_member(
        &mut self,
        user: UserId,
        organization: &str,
    ) -> Result<bool, StoreError> {
        let join = self.change_membership(JOIN_ORGANIZATION, user, organization);
        join.await
    }

    /// Ends a person's membership in an organization; whether they were a member.
    pub async fn remove_organization_member(
        &mut self,
        user: UserId,
        organization: &str,
    ) -> Result<bool, StoreError> {
        let leave = self.change_membership(LEAVE_ORGANIZATION, user, organization);
        leave.await
    }

    async fn change_membership(
        &mut self,
        sql: &'static str,
        user: UserId,
        of: &str,
    ) -> Result<bool, StoreError> {
        let change = self.q(sql).bind(user.0).bind(of.to_owned());
        let changed = change.exec().await? > 0;
        if changed {
            bump_changes(self, FACTS).await?;
        }
        Ok(changed)
    }

    /// What a person, or the members of a group, were allowed on a resource by their own level.
    pub async fn find_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
    ) -> Result<Option<Level>, StoreError> {
        let find = match holder {
            Holder::User(id) => self.q(USER_LEVEL).bind(id.0),
            Holder::Group(name) => self.q(GROUP_LEVEL).bind(name.clone()),
        };
        let find = find.bind(resource.kind.clone()).bind(resource.id.clone());
        let row = find.opt::<(i64,)>().await?;
        Ok(row.and_then(|(number,)| Level::from_number(number)))
    }

    /// Gives a person, or the members of a group, a level on a resource; takes it if it is `None`. Whether anything
    /// changed.
    pub async fn set_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
        level: Option<Level>,
    ) -> Result<bool, StoreError> {
        let sql = match (holder, level) {
            (Holder::User(_), Some(_)) => SET_USER_LEVEL,
            (Holder::User(_), None) => REMOVE_USER_LEVEL,
            (Holder::Group(_), Some(_)) => SET_GROUP_LEVEL,
            (Holder::Group(_), None) => REMOVE_GROUP_LEVEL,
        };
        let change = self.q(sql);
        let change = match holder {
            Holder::User(id) => change.bind(id.0),
            Holder::Group(name) => change.bind(name.clone()),
        };
        let change = change.bind(resource.kind.clone()).bind(resource.id.clone());
        let change = match level {
            Some(level) => change.bind(level.number()),
            None => change,
        };
        let changed = change.exec().await? > 0;
        let topic = match holder {
            Holder::User(_) => FACTS,
            Holder::Group(_) => POLICY,
        };
        if changed {
            bump_changes(self, topic).await?;
        }
        Ok(changed)
    }
}

const USER_LEVEL: &str =
    "SELECT level FROM user_levels WHERE user_id = $1 AND type = $2 AND id = $3";

const GROUP_LEVEL: &str =
    "SELECT level FROM group_levels WHERE group_name = $1 AND type = $2 AND id = $3";

const ORGANIZATIONS_OF: &str = "SELECT organization FROM organization_members WHERE user_id = $1";

const JOIN_GROUP: &str =
    "INSERT INTO group_members (user_id, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const LEAVE_GROUP: &str = "DELETE FROM group_members WHERE user_id = $1 AND group_name = $2";

const JOIN_ORGANIZATION: &str = "INSERT INTO organization_members (user_id, organization) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const LEAVE_ORGANIZATION: &str =
    "DELETE FROM organization_members WHERE user_id = $1 AND organization = $2";

const SET_USER_LEVEL: &str = "INSERT INTO user_levels (user_id, type, id, level) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (user_id, type, id) DO UPDATE SET level = excluded.level WHERE user_levels.level <> excluded.level";

const REMOVE_USER_LEVEL: &str =
    "DELETE FROM user_levels WHERE user_id = $1 AND type = $2 AND id = $3";

const SET_GROUP_LEVEL: &str = "INSERT INTO group_levels (group_name, type, id, level) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (group_name, type, id) DO UPDATE SET level = excluded.level WHERE group_levels.level <> excluded.level";

const REMOVE_GROUP_LEVEL: &str =
    "DELETE FROM group_levels WHERE group_name = $1 AND type = $2 AND id = $3";
