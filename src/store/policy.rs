//! What decisions are made from: the policy tables as a whole, and the facts about one person or resource.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use crate::domain::ids::UserId;
use crate::domain::policy::{
    Assignment, Group, Level, Levels, Object, Permission, Role, Subject, Written,
};
use crate::spec::time::Ts;

/// The topic that every change of roles, groups and policies bumps ([`super::revocations::bump_changes`]).
pub const POLICY: &str = "policy";

/// The topic that every change of what is known of people and resources bumps.
pub const FACTS: &str = "facts";

/// How often everything was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Roles, groups and policies.
    pub policy: i64,
    /// People and resources.
    pub facts: i64,
}

/// A change may come in between the reads so many times in a row.
const ATTEMPTS: usize = 5;

impl Store {
    /// How often everything was changed until now.
    pub async fn policy_versions(&self) -> Result<Versions, StoreError> {
        let mut versions = Versions::default();
        for (topic, version) in self.db.q(VERSIONS).all::<(String, i64)>().await? {
            match topic.as_str() {
                POLICY => versions.policy = version,
                FACTS => versions.facts = version,
                _ => {}
            }
        }
        Ok(versions)
    }

    /// Roles, groups and policies as they stand together at one moment, and which that is.
    pub async fn read_policy(&self) -> Result<(i64, Written), StoreError> {
        let mut version = self.policy_versions().await?.policy;
        for _ in 0..ATTEMPTS {
            let written = self.read_tables().await?;
            let after = self.policy_versions().await?.policy;
            if after == version {
                return Ok((version, written));
            }
            version = after;
        }
        Err(StoreError::unavailable(
            "the policy tables change faster than they can be read",
        ))
    }

    async fn read_tables(&self) -> Result<Written, StoreError> {
        let mut written = Written::default();
        for (name,) in self.db.q(ROLES).all::<(String,)>().await? {
            written.roles.insert(name, Role::default());
        }
        for (role, parent) in self.db.q(ROLE_PARENTS).all::<(String, String)>().await? {
            if let Some(role) = written.roles.get_mut(&role) {
                role.parents.insert(parent);
            }
        }
        for (role, permission) in self.db.q(PERMISSIONS).all::<(String, String)>().await? {
            let role = written.roles.get_mut(&role);
            if let (Some(role), Some(permission)) = (role, Permission::parse(&permission)) {
                role.permissions.push(permission);
            }
        }
        self.read_groups(&mut written.groups).await?;
        written.policies = self
            .db
            .q(POLICIES)
            .all::<(String, String)>()
            .await?
            .into_iter()
            .collect();
        Ok(written)
    }

    async fn read_groups(&self, groups: &mut BTreeMap<String, Group>) -> Result<(), StoreError> {
        for (name,) in self.db.q(GROUPS).all::<(String,)>().await? {
            groups.insert(name, Group::default());
        }
        for (member, parent) in self.db.q(GROUP_PARENTS).all::<(String, String)>().await? {
            if let Some(group) = groups.get_mut(&member) {
                group.parents.insert(parent);
            }
        }
        for (group, role, organization, expires_at) in
            self.db.q(GROUP_ROLES).all::<GroupRole>().await?
        {
            if let Some(group) = groups.get_mut(&group) {
                let assignment = assignment((role, organization, expires_at));
                group.assignments.push(assignment);
            }
        }
        for (group, kind, id, level) in self.db.q(GROUP_LEVELS).all::<GroupLevel>().await? {
            if let Some(group) = groups.get_mut(&group) {
                insert(&mut group.levels, kind, id, level);
            }
        }
        Ok(())
    }

    /// What decisions need to know of a person.
    pub async fn find_subject(&self, id: UserId) -> Result<Option<Subject>, StoreError> {
        let Some(user) = self.find_user(id).await? else {
            return Ok(None);
        };
        // What Signet itself knows goes before what the operator says of it.
        let mut attributes = user.attributes.clone();
        attributes.insert("username".to_owned(), user.username.clone().into());
        attributes.insert("email_verified".to_owned(), user.email_verified.into());
        attributes.remove("email");
        if let Some(email) = &user.email {
            attributes.insert("email".to_owned(), email.clone().into());
        }
        let assignments = self
            .db
            .q(ROLES_OF)
            .bind(id.0)
            .all::<AssignmentRow>()
            .await?;
        let groups = self.db.q(GROUPS_OF).bind(id.0).all::<(String,)>().await?;
        let organizations = self
            .db
            .q(ORGANIZATIONS_OF)
            .bind(id.0)
            .all::<(String,)>()
            .await?;
        let mut levels = Levels::default();
        let rows = self.db.q(LEVELS_OF).bind(id.0);
        for (kind, resource, level) in rows.all::<(String, String, i64)>().await? {
            insert(&mut levels, kind, resource, level);
        }
        Ok(Some(Subject {
            id,
            enabled: user.disabled_at.is_none(),
            attributes,
            assignments: assignments.into_iter().map(assignment).collect(),
            groups: groups.into_iter().map(|(name,)| name).collect(),
            organizations: organizations.into_iter().map(|(name,)| name).collect(),
            levels,
        }))
    }

    /// The id of the person who signs in under that name; `key` comes from [`crate::domain::user::username_key`].
    pub async fn find_user_id(&self, key: &str) -> Result<Option<UserId>, StoreError> {
        let row = self.db.q(ID_OF).bind(key.to_owned()).opt::<(Uuid,)>();
        Ok(row.await?.map(|(id,)| UserId(id)))
    }

    /// What is written down of a resource.
    pub async fn find_object(&self, kind: &str, id: &str) -> Result<Option<Object>, StoreError> {
        let row = self
            .db
            .q(OBJECT)
            .bind(kind.to_owned())
            .bind(id.to_owned())
            .opt::<(String, Json<Map<String, Value>>)>()
            .await?;
        Ok(row.map(|(organization, attributes)| Object {
            kind: kind.to_owned(),
            id: id.to_owned(),
            organization: Some(organization).filter(|name| !name.is_empty()),
            attributes: attributes.0,
        }))
    }
}

type AssignmentRow = (String, String, Option<i64>);
type GroupRole = (String, String, String, Option<i64>);
type GroupLevel = (String, String, String, i64);

fn assignment((role, organization, expires_at): AssignmentRow) -> Assignment {
    Assignment {
        role,
        organization: Some(organization).filter(|name| !name.is_empty()),
        until: expires_at.map(Ts),
    }
}

/// A level that this version does not know gives nothing.
fn insert(levels: &mut Levels, kind: String, id: String, level: i64) {
    let place = usize::try_from(level - 1).ok();
    if let Some(level) = place.and_then(|place| Level::ALL.get(place)) {
        levels.entry(kind).or_default().insert(id, *level);
    }
}

const VERSIONS: &str = "SELECT topic, version FROM changes WHERE topic IN ('policy', 'facts')";

const ROLES: &str = "SELECT name FROM roles";

const ROLE_PARENTS: &str = "SELECT role, parent FROM role_parents";

const PERMISSIONS: &str = "SELECT role, permission FROM role_permissions";

const GROUPS: &str = "SELECT name FROM groups";

const GROUP_PARENTS: &str = "SELECT member, parent FROM group_parents";

const GROUP_ROLES: &str = "SELECT group_name, role, organization, expires_at FROM group_roles";

const GROUP_LEVELS: &str = "SELECT group_name, type, id, level FROM group_levels";

const POLICIES: &str = "SELECT id, cedar FROM policies WHERE enabled";

const ROLES_OF: &str =
    "SELECT role, organization, expires_at FROM role_assignments WHERE user_id = $1";

const GROUPS_OF: &str = "SELECT group_name FROM group_members WHERE user_id = $1";

const ORGANIZATIONS_OF: &str = "SELECT organization FROM organization_members WHERE user_id = $1";

const LEVELS_OF: &str = "SELECT type, id, level FROM user_levels WHERE user_id = $1";

const ID_OF: &str = "SELECT id FROM users WHERE username_key = $1";

const OBJECT: &str = "SELECT organization, attributes FROM objects WHERE type = $1 AND id = $2";
