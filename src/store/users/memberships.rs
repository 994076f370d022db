//! To what people belong, and what they may do to single resources.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::Store;
use super::super::assignments::Holder;
use super::super::changes::{FACTS, bump_changes};
use super::super::db::{Run, Tx, reads};
use super::super::error::StoreError;
use super::super::levels;
use super::super::names::first;
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, ResourceName};

/// A user as a member of a group or an organization.
#[derive(Clone, Debug)]
pub struct Member {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub username: String,
}

/// To what a user belongs, and what they may do to single resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Organizations.
    pub organizations: BTreeSet<String>,
    /// Levels.
    pub levels: BTreeMap<ResourceName, Level>,
}

reads! {
    /// To what a user belongs.
    list_memberships_of(user: UserId) -> Memberships = memberships;
}

async fn memberships(run: &mut impl Run, user: UserId) -> Result<Memberships, StoreError> {
    Ok(Memberships {
        groups: first(run.q(GROUPS_OF).bind(user.0).all().await?),
        organizations: first(run.q(ORGANIZATIONS_OF).bind(user.0).all().await?),
        levels: levels::list_of(run, &Holder::User(user)).await?,
    })
}

/// Members of something, in the order of their ids, behind `after`.
pub(in crate::store) async fn members(
    store: &Store,
    sql: &'static str,
    of: &str,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Member>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = store.db.q(sql).bind(of.to_owned()).bind(after).bind(limit);
    let rows = rows.all::<(Uuid, String)>().await?.into_iter();
    let member = |(id, username)| Member {
        id: UserId(id),
        username,
    };
    Ok(rows.map(member).collect())
}

impl Tx {
    /// Gives or ends one membership; whether anything changed.
    pub(in crate::store) async fn change_membership(
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
}

const GROUPS_OF: &str = "SELECT group_name FROM group_members WHERE user_id = $1";

const ORGANIZATIONS_OF: &str = "SELECT organization FROM organization_members WHERE user_id = $1";
