//! Groups and their members: the `groups`, `group_parents` and `group_members` tables. The roles of a group are in
//! [`super::assignments`], its levels in [`super::levels`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Among, Run, Thing, Tx, among, reads, row};
use super::error::StoreError;
use super::names::{ancestry, first, grouped, near, prefix_pattern};
use super::users::{Member, members};
use crate::domain::directory::{Group, GroupName};
use crate::domain::ids::UserId;

reads! {
    /// The group of that name, with its own parents.
    find_group(name: &str) -> Option<Group> = find;

    /// Which of these groups there are.
    existing_groups(names: &BTreeSet<String>) -> BTreeSet<String> = existing;

    /// These groups and all that they are in, each with its own parents. Groups without parents are left out. One
    /// statement, which reads no other group.
    find_group_ancestry(names: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> = ancestry;

    /// Names of at most 400 groups that stand next to a name in their order, to guess which one was meant.
    list_group_names_near(name: &str) -> Vec<String> = near;

    /// Every group there is.
    list_groups() -> BTreeMap<GroupName, Group> = list;
}

async fn find(run: &mut impl Run, name: &str) -> Result<Option<Group>, StoreError> {
    let row = run.q(FIND).bind(name.to_owned()).opt::<GroupRow>().await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let parents = run.q(PARENTS_OF).bind(name.to_owned());
    Ok(Some(row.into_named(first(parents.all().await?)).1))
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

async fn list(run: &mut impl Run) -> Result<BTreeMap<GroupName, Group>, StoreError> {
    let rows = run.q(LIST).all().await?;
    Ok(named(rows, run.q(LIST_PARENTS).all().await?).collect())
}

/// Groups with their parents.
fn named(
    rows: Vec<GroupRow>,
    parents: Vec<(String, String)>,
) -> impl Iterator<Item = (GroupName, Group)> {
    let mut parents = grouped(parents);
    rows.into_iter().map(move |row| {
        let parents = parents.remove(&row.name).unwrap_or_default();
        row.into_named(parents)
    })
}

impl Store {
    /// Groups whose names begin so, in the order of their names, behind `after`.
    pub async fn page_of_groups(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(GroupName, Group)>, StoreError> {
        let rows = self.db.q(PAGE).bind(after.to_owned()).bind(limit);
        let rows = rows.bind(prefix_pattern(begins));
        let rows = rows.all::<GroupRow>().await?;
        let (Some(from), Some(to)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let parents = self.db.q(PARENTS_WITHIN).bind(from.name.clone());
        let parents = parents.bind(to.name.clone()).all().await?;
        Ok(named(rows, parents).collect())
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
        self.policy_changed(Thing::Group(name.to_owned()));
        Ok(())
    }

    /// Replaces a group's parents, which must exist.
    pub async fn replace_group_parents(
        &mut self,
        name: &GroupName,
        was: &BTreeSet<GroupName>,
        is: &BTreeSet<GroupName>,
    ) -> Result<(), StoreError> {
        for gone in was.difference(is) {
            let remove = self.q(REMOVE_PARENT).bind(name.as_str().to_owned());
            remove.bind(gone.as_str().to_owned()).exec().await?;
        }
        for new in is.difference(was) {
            let add = self.q(ADD_PARENT).bind(name.as_str().to_owned());
            add.bind(new.as_str().to_owned()).exec().await?;
        }
        self.policy_changed(Thing::Group(name.as_str().to_owned()));
        Ok(())
    }

    /// Removes a group.
    pub async fn delete_group(&mut self, name: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(name.to_owned()).exec().await?;
        self.policy_deleted(Thing::Group(name.to_owned()));
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

impl GroupRow {
    fn into_named(self, parents: BTreeSet<String>) -> (GroupName, Group) {
        let group = Group {
            description: self.description,
            parents: parents.into_iter().map(GroupName::stored).collect(),
            attributes: self.attributes.0,
        };
        (GroupName::stored(self.name), group)
    }
}

const FIND: &str = concat!("SELECT ", group_columns!(), " FROM groups WHERE name = $1");

const PARENTS_OF: &str = "SELECT parent FROM group_parents WHERE member = $1";

const EXISTING: Among = among!("SELECT name FROM groups WHERE name IN (", ")");

const ANCESTRY: Among = ancestry!("group_parents", "member");

const NEAR: &str = near!("groups");

const LIST: &str = concat!("SELECT ", group_columns!(), " FROM groups");

const LIST_PARENTS: &str = "SELECT member, parent FROM group_parents";

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

const ADD_PARENT: &str = "INSERT INTO group_parents (member, parent) VALUES ($1, $2)";

const REMOVE_PARENT: &str = "DELETE FROM group_parents WHERE member = $1 AND parent = $2";

const DELETE: &str = "DELETE FROM groups WHERE name = $1";

const ADD_MEMBER: &str =
    "INSERT INTO group_members (user_id, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const REMOVE_MEMBER: &str = "DELETE FROM group_members WHERE user_id = $1 AND group_name = $2";
