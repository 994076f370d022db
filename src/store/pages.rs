//! What the administration lists, a page at a time in the order of its keys: nothing is skipped or shown twice while
//! others insert and delete.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use super::groups::OrganizationRecord;
use super::names::prefix_pattern;
use super::roles::{PolicyRecord, RoleRecord};
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, ResourceName};

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

/// A member of a group or an organization.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// Their name.
    pub username: String,
}

/// What somebody may do to one resource.
#[derive(Clone, Debug)]
pub struct LevelRow {
    /// Which.
    pub resource: ResourceName,
    /// How much.
    pub level: Level,
}

impl Store {
    /// Roles after that name.
    pub async fn page_of_roles(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, RoleRecord)>, StoreError> {
        let rows = self.db.q(ROLES).bind(after.to_owned());
        let rows = rows.bind(limit).bind(prefix_pattern(begins));
        let rows = rows.all::<(String, Option<String>)>().await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let range = (first.0.clone(), last.0.clone());
        let mut parents = self.pairs(ROLE_PARENTS, &range).await?;
        let mut permissions = self.pairs(ROLE_PERMISSIONS, &range).await?;
        let role = |(name, description): (String, Option<String>)| {
            let record = RoleRecord {
                description,
                parents: parents.remove(&name).unwrap_or_default(),
                permissions: permissions.remove(&name).unwrap_or_default(),
            };
            (name, record)
        };
        Ok(rows.into_iter().map(role).collect())
    }

    /// Groups after that name.
    pub async fn page_of_groups(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, GroupPage)>, StoreError> {
        let rows = self.db.q(GROUPS).bind(after.to_owned());
        let rows = rows.bind(limit).bind(prefix_pattern(begins));
        let rows = rows.all::<NamedRow>().await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let range = (first.0.clone(), last.0.clone());
        let mut parents = self.pairs(GROUP_PARENTS, &range).await?;
        let group = |(name, description, attributes): NamedRow| {
            let parents = parents.remove(&name).unwrap_or_default();
            (
                name,
                GroupPage {
                    description,
                    parents,
                    attributes: attributes.0,
                },
            )
        };
        Ok(rows.into_iter().map(group).collect())
    }

    /// The group of that name.
    pub async fn find_group(&self, name: &str) -> Result<Option<GroupPage>, StoreError> {
        let row = self.db.q(GROUP).bind(name.to_owned());
        let Some((description, attributes)) = row.opt::<Described>().await? else {
            return Ok(None);
        };
        let range = (name.to_owned(), name.to_owned());
        let parents = self.pairs(GROUP_PARENTS, &range).await?.remove(name);
        let parents = parents.unwrap_or_default();
        Ok(Some(GroupPage {
            description,
            parents,
            attributes: attributes.0,
        }))
    }

    async fn pairs(
        &self,
        sql: &'static str,
        (first, last): &(String, String),
    ) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let rows = self.db.q(sql).bind(first.clone()).bind(last.clone());
        let mut pairs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in rows.all::<(String, String)>().await? {
            pairs.entry(name).or_default().insert(value);
        }
        Ok(pairs)
    }

    /// Organizations after that name.
    pub async fn page_of_organizations(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, OrganizationRecord)>, StoreError> {
        let rows = self.db.q(ORGANIZATIONS).bind(after.to_owned());
        let rows = rows.bind(limit).bind(prefix_pattern(begins));
        let rows = rows.all::<NamedRow>().await?.into_iter();
        let organization = |(name, description, attributes): NamedRow| {
            let attributes = attributes.0;
            let record = OrganizationRecord {
                description,
                attributes,
            };
            (name, record)
        };
        Ok(rows.map(organization).collect())
    }

    /// Policies after that id.
    pub async fn page_of_policies(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, PolicyRecord)>, StoreError> {
        let rows = self.db.q(POLICIES).bind(after.to_owned());
        let rows = rows.bind(limit).bind(prefix_pattern(begins));
        let rows = rows.all::<(String, String, Option<String>, bool)>().await?;
        let policy = |(id, cedar, description, enabled)| {
            let record = PolicyRecord {
                cedar,
                description,
                enabled,
            };
            (id, record)
        };
        Ok(rows.into_iter().map(policy).collect())
    }

    /// Members of a group itself, in the order of their ids.
    pub async fn page_of_group_members(
        &self,
        group: &str,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        self.members(GROUP_MEMBERS, group, after, limit).await
    }

    /// Members of an organization, in the order of their ids.
    pub async fn page_of_organization_members(
        &self,
        organization: &str,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let members = self.members(ORGANIZATION_MEMBERS, organization, after, limit);
        members.await
    }

    async fn members(
        &self,
        sql: &'static str,
        of: &str,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Member>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows = self.db.q(sql).bind(of.to_owned()).bind(after).bind(limit);
        let rows = rows.all::<(Uuid, String)>().await?;
        let member = |(id, username)| Member {
            id: UserId(id),
            username,
        };
        Ok(rows.into_iter().map(member).collect())
    }

    /// What a person was given on single resources themselves, after that one.
    pub async fn page_of_user_levels(
        &self,
        user: UserId,
        after: &(String, String),
        limit: i64,
    ) -> Result<Vec<LevelRow>, StoreError> {
        let rows = self.db.q(USER_LEVELS).bind(user.0);
        let rows = rows.bind(after.0.clone()).bind(after.1.clone()).bind(limit);
        Ok(levels(rows.all().await?))
    }

    /// What a group gives on single resources itself, after that one.
    pub async fn page_of_group_levels(
        &self,
        group: &str,
        after: &(String, String),
        limit: i64,
    ) -> Result<Vec<LevelRow>, StoreError> {
        let rows = self.db.q(GROUP_LEVELS).bind(group.to_owned());
        let rows = rows.bind(after.0.clone()).bind(after.1.clone()).bind(limit);
        Ok(levels(rows.all().await?))
    }
}

type Described = (Option<String>, Json<Map<String, Value>>);
type NamedRow = (String, Option<String>, Json<Map<String, Value>>);

fn levels(rows: Vec<(String, String, i64)>) -> Vec<LevelRow> {
    rows.into_iter()
        .filter_map(|(kind, id, level)| {
            Some(LevelRow {
                resource: ResourceName { kind, id },
                level: Level::from_number(level)?,
            })
        })
        .collect()
}

const GROUP: &str = "SELECT description, attributes FROM groups WHERE name = $1";

const ROLES: &str = "SELECT name, description FROM roles WHERE name > $1 AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2";

const ROLE_PARENTS: &str = "SELECT role, parent FROM role_parents WHERE role >= $1 AND role <= $2";

const ROLE_PERMISSIONS: &str =
    "SELECT role, permission FROM role_permissions WHERE role >= $1 AND role <= $2";

const GROUPS: &str = "SELECT name, description, attributes FROM groups WHERE name > $1 AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2";

const GROUP_PARENTS: &str =
    "SELECT member, parent FROM group_parents WHERE member >= $1 AND member <= $2";

const ORGANIZATIONS: &str = "SELECT name, description, attributes FROM organizations WHERE name > $1 AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2";

const POLICIES: &str = "SELECT id, cedar, description, enabled FROM policies WHERE id > $1 AND ($3 = '' OR LOWER(id) LIKE LOWER($3) ESCAPE '!') ORDER BY id LIMIT $2";

const GROUP_MEMBERS: &str = "SELECT u.id, u.username FROM group_members m JOIN users u ON u.id = m.user_id \
    WHERE m.group_name = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";

const ORGANIZATION_MEMBERS: &str = "SELECT u.id, u.username FROM organization_members m JOIN users u ON u.id = m.user_id \
    WHERE m.organization = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";

const USER_LEVELS: &str = "SELECT type, id, level FROM user_levels WHERE user_id = $1 AND (type, id) > ($2, $3) \
    ORDER BY type, id LIMIT $4";

const GROUP_LEVELS: &str = "SELECT type, id, level FROM group_levels WHERE group_name = $1 AND (type, id) > ($2, $3) \
    ORDER BY type, id LIMIT $4";
