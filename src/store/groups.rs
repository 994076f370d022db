//! Groups and their members: the `groups`, `group_parents` and `group_members` tables. The roles of a group are in
//! [`super::assignments`], its levels in [`super::levels`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Store;
use super::assignments::{Holder, assignment};
use super::changes::{FACTS, POLICY, bump_changes};
use super::db::{Among, Run, Tx, among, reads, row};
use super::error::StoreError;
use super::names::{ancestry, first, grouped, near, prefix_pattern};
use super::users::{Member, members};
use crate::domain::ids::UserId;
use crate::domain::policy::{Assignment, Level, ResourceName};

pub use super::users::Memberships;

/// A group with everything that hangs on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupRecord {
    /// What it is for.
    pub description: Option<String>,
    /// Groups whose members its members are too.
    pub parents: BTreeSet<String>,
    /// Roles of its members.
    pub roles: BTreeSet<Assignment>,
    /// What its members may do to single resources.
    pub levels: BTreeMap<ResourceName, Level>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

/// A group, without what it gives.
#[derive(Clone, Debug, Default)]
pub struct GroupPage {
    /// What it is for.
    pub description: Option<String>,
    /// Groups whose members its members are too.
    pub parents: BTreeSet<String>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

reads! {
    /// Which of these groups there are.
    existing_groups(names: &BTreeSet<String>) -> BTreeSet<String> = existing;

    /// These groups and all that they are in, each with its own parents. Groups without parents are left out. One
    /// statement, which reads no other group.
    find_group_ancestry(names: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> = ancestry;

    /// Names of at most 400 groups that stand next to a name in their order, to guess which one was meant.
    list_group_names_near(name: &str) -> Vec<String> = near;

    /// Every group there is.
    list_groups() -> BTreeMap<String, GroupRecord> = list;
}

async fn existing(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    Ok(first(run.q_among(EXISTING, names).all().await?))
}

async fn ancestry(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    Ok(grouped(run.q_among(ANCESTRY, names).all().await?))
}

async fn near(run: &mut impl Run, name: &str) -> Result<Vec<String>, StoreError> {
    Ok(first(run.q(NEAR).bind(name.to_owned()).all().await?))
}

async fn list(run: &mut impl Run) -> Result<BTreeMap<String, GroupRecord>, StoreError> {
    let mut groups: BTreeMap<String, GroupRecord> = BTreeMap::new();
    for row in run.q(LIST).all::<GroupRow>().await? {
        let group = groups.entry(row.name).or_default();
        group.description = row.description;
        group.attributes = row.attributes.0;
    }
    for (member, parent) in run.q(LIST_PARENTS).all::<(String, String)>().await? {
        groups.entry(member).or_default().parents.insert(parent);
    }
    for (group, role, organization, until) in run.q(LIST_ROLES).all::<GroupRole>().await? {
        let roles = &mut groups.entry(group).or_default().roles;
        roles.insert(assignment((role, organization, until)));
    }
    for (group, kind, id, level) in run.q(LIST_LEVELS).all::<GroupLevel>().await? {
        if let Some(level) = Level::from_number(level) {
            let levels = &mut groups.entry(group).or_default().levels;
            levels.insert(ResourceName { kind, id }, level);
        }
    }
    Ok(groups)
}

impl Store {
    /// The group of that name, without what it gives.
    pub async fn find_group(&self, name: &str) -> Result<Option<GroupPage>, StoreError> {
        let row = self.db.q(FIND).bind(name.to_owned());
        let Some(row) = row.opt::<GroupRow>().await? else {
            return Ok(None);
        };
        let parents = self.db.q(PARENTS_OF).bind(name.to_owned());
        Ok(Some(GroupPage {
            description: row.description,
            parents: first(parents.all().await?),
            attributes: row.attributes.0,
        }))
    }

    /// Groups whose names begin so, in the order of their names, behind `after`.
    pub async fn page_of_groups(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, GroupPage)>, StoreError> {
        let rows = self.db.q(PAGE).bind(after.to_owned()).bind(limit);
        let rows = rows.bind(prefix_pattern(begins));
        let rows = rows.all::<GroupRow>().await?;
        let (Some(from), Some(to)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let parents = self.db.q(PARENTS_WITHIN).bind(from.name.clone());
        let mut parents = grouped(parents.bind(to.name.clone()).all().await?);
        let page = |row: GroupRow| {
            let group = GroupPage {
                description: row.description,
                parents: parents.remove(&row.name).unwrap_or_default(),
                attributes: row.attributes.0,
            };
            (row.name, group)
        };
        Ok(rows.into_iter().map(page).collect())
    }

    /// Members of a group itself, in the order of their ids, behind `after`.
    pub async fn page_of_group_members(
        &self,
        group: &str,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        members(self, MEMBERS, group, after, limit).await
    }
}

impl Tx {
    /// The group of that name, with everything that hangs on it.
    pub async fn find_group(&mut self, name: &str) -> Result<Option<GroupRecord>, StoreError> {
        let row = self.q(FIND).bind(name.to_owned());
        let Some(row) = row.opt::<GroupRow>().await? else {
            return Ok(None);
        };
        let parents = self.q(PARENTS_OF).bind(name.to_owned());
        let parents = first(parents.all().await?);
        let holder = Holder::Group(name.to_owned());
        Ok(Some(GroupRecord {
            description: row.description,
            parents,
            roles: self.list_assignments_of(&holder).await?,
            levels: self.list_levels_of(&holder).await?,
            attributes: row.attributes.0,
        }))
    }

    /// Creates a group, or gives it another description and other attributes.
    pub async fn save_group(
        &mut self,
        name: &str,
        description: Option<&str>,
        attributes: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(name.to_owned())
            .bind(description.map(str::to_owned))
            .bind(Json(attributes.clone()))
            .exec()
            .await?;
        bump_changes(self, POLICY).await
    }

    /// Replaces a group's parents, roles and levels; parents and roles must exist.
    pub async fn replace_group_contents(
        &mut self,
        name: &str,
        group: &GroupRecord,
    ) -> Result<(), StoreError> {
        self.q(CLEAR_PARENTS).bind(name.to_owned()).exec().await?;
        for parent in &group.parents {
            let add = self.q(ADD_PARENT).bind(name.to_owned());
            add.bind(parent.clone()).exec().await?;
        }
        let holder = Holder::Group(name.to_owned());
        self.replace_assignments(&holder, &group.roles).await?;
        self.replace_levels(&holder, &group.levels).await?;
        bump_changes(self, POLICY).await
    }

    /// Removes a group.
    pub async fn delete_group(&mut self, name: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(name.to_owned()).exec().await?;
        bump_changes(self, POLICY).await?;
        bump_changes(self, FACTS).await
    }

    /// Makes a user a member of a group; whether they were not.
    pub async fn add_group_member(
        &mut self,
        user: UserId,
        group: &str,
    ) -> Result<bool, StoreError> {
        self.change_membership(ADD_MEMBER, user, group).await
    }

    /// Ends a user's membership in a group; whether they were a member.
    pub async fn remove_group_member(
        &mut self,
        user: UserId,
        group: &str,
    ) -> Result<bool, StoreError> {
        self.change_membership(REMOVE_MEMBER, user, group).await
    }
}

row! { $
    struct GroupRow, group_columns {
        name: String,
        description: Option<String>,
        attributes: Json<Map<String, Value>>,
    }
}

type GroupRole = (String, String, String, Option<i64>);
type GroupLevel = (String, String, String, i64);

const FIND: &str = concat!("SELECT ", group_columns!(), " FROM groups WHERE name = $1");

const PARENTS_OF: &str = "SELECT parent FROM group_parents WHERE member = $1";

const EXISTING: Among = among!("SELECT name FROM groups WHERE name IN (", ")");

const ANCESTRY: Among = ancestry!("group_parents", "member");

const NEAR: &str = near!("groups");

const LIST: &str = concat!("SELECT ", group_columns!(), " FROM groups");

const LIST_PARENTS: &str = "SELECT member, parent FROM group_parents";

const LIST_ROLES: &str = "SELECT group_name, role, organization, expires_at FROM group_roles";

const LIST_LEVELS: &str = "SELECT group_name, type, id, level FROM group_levels";

const PAGE: &str = concat!(
    "SELECT ",
    group_columns!(),
    " FROM groups WHERE name > $1 AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2"
);

const PARENTS_WITHIN: &str =
    "SELECT member, parent FROM group_parents WHERE member >= $1 AND member <= $2";

const MEMBERS: &str = "SELECT u.id, u.username FROM group_members m JOIN users u ON u.id = m.user_id \
    WHERE m.group_name = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";

const SAVE: &str = "INSERT INTO groups (name, description, attributes) VALUES ($1, $2, $3) \
    ON CONFLICT (name) DO UPDATE SET description = excluded.description, attributes = excluded.attributes";

const CLEAR_PARENTS: &str = "DELETE FROM group_parents WHERE member = $1";

const ADD_PARENT: &str = "INSERT INTO group_parents (member, parent) VALUES ($1, $2)";

const DELETE: &str = "DELETE FROM groups WHERE name = $1";

const ADD_MEMBER: &str =
    "INSERT INTO group_members (user_id, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const REMOVE_MEMBER: &str = "DELETE FROM group_members WHERE user_id = $1 AND group_name = $2";
