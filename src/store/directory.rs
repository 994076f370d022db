//! Groups as they are described, without what they give.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::changes::POLICY;
use super::changes::bump_changes;
use super::db::{Run, Tx, reads};
use super::error::StoreError;
use crate::domain::directory::{Group, GroupName};

reads! {
    /// The group of that name, without what it gives.
    describe_group(name: &str) -> Option<Group> = describe;
}

async fn describe(run: &mut impl Run, name: &str) -> Result<Option<Group>, StoreError> {
    let row = run.q(FIND).bind(name.to_owned());
    let row = row.opt::<(Option<String>, Json<Map<String, Value>>)>();
    let Some((description, attributes)) = row.await? else {
        return Ok(None);
    };
    let parents = run.q(PARENTS_OF).bind(name.to_owned());
    let parents = parents.all::<(String,)>().await?;
    Ok(Some(Group {
        description,
        parents: parents
            .into_iter()
            .map(|(name,)| GroupName::stored(name))
            .collect(),
        attributes: attributes.0,
    }))
}

impl Tx {
    /// Every group, without what it gives.
    pub async fn describe_groups(&mut self) -> Result<BTreeMap<GroupName, Group>, StoreError> {
        let mut groups: BTreeMap<GroupName, Group> = BTreeMap::new();
        for (name, description, attributes) in self.q(LIST).all::<Described>().await? {
            let group = Group {
                description,
                attributes: attributes.0,
                ..Group::default()
            };
            groups.insert(GroupName::stored(name), group);
        }
        for (member, parent) in self.q(PARENTS).all::<(String, String)>().await? {
            if let Some(group) = groups.get_mut(member.as_str()) {
                group.parents.insert(GroupName::stored(parent));
            }
        }
        Ok(groups)
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
        bump_changes(self, POLICY).await
    }
}

type Described = (String, Option<String>, Json<Map<String, Value>>);

const FIND: &str = "SELECT description, attributes FROM groups WHERE name = $1";

const LIST: &str = "SELECT name, description, attributes FROM groups";

const PARENTS_OF: &str = "SELECT parent FROM group_parents WHERE member = $1";

const PARENTS: &str = "SELECT member, parent FROM group_parents";

const ADD_PARENT: &str = "INSERT INTO group_parents (member, parent) VALUES ($1, $2)";

const REMOVE_PARENT: &str = "DELETE FROM group_parents WHERE member = $1 AND parent = $2";
