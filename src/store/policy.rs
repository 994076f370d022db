//! What decisions are made from: the policy tables as a whole, and the facts about one person or resource.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::assignments::assignment;
use super::db::{Run, reads};
use super::error::StoreError;
use super::names::first;
use crate::domain::ids::UserId;
use crate::domain::policy::{
    Bounded, Count, Group, Level, Levels, Object, Permission, Role, Subject, Written,
};
use crate::domain::user::User;

use super::changes::{FACTS, POLICY, Version};

reads! {
    /// How much there is of everything that instances hold in memory. It looks at every row of nine tables: an act on one
    /// thing asks for what it adds to, with [`Tx::count_bounded`](super::db::Tx::count_bounded).
    count_policy() -> Vec<Count> = count_all;

    /// How much there is of one kind.
    count_bounded(what: Bounded) -> i64 = count;

    /// How many levels one group gives ([`Bounded::LevelsOfAGroup`]).
    count_levels_of_group(group: &str) -> i64 = count_levels_of;

    /// The types of the resources of which something is written down.
    list_object_types() -> BTreeSet<String> = list_object_types;
}

async fn count_all(run: &mut impl Run) -> Result<Vec<Count>, StoreError> {
    let mut counts = Vec::new();
    for what in COUNTED {
        counts.push((what, count(run, what).await?));
    }
    Ok(counts)
}

async fn count(run: &mut impl Run, what: Bounded) -> Result<i64, StoreError> {
    let sql = match what {
        Bounded::Roles => "SELECT COUNT(*) FROM roles",
        Bounded::Permissions => "SELECT COUNT(*) FROM role_permissions",
        Bounded::RoleParents => "SELECT COUNT(*) FROM role_parents",
        Bounded::Groups => "SELECT COUNT(*) FROM groups",
        Bounded::GroupParents => "SELECT COUNT(*) FROM group_parents",
        Bounded::GroupRoles => "SELECT COUNT(*) FROM group_roles",
        Bounded::LevelsOfAGroup => MOST_LEVELS,
        Bounded::GroupLevels => "SELECT COUNT(*) FROM group_levels",
        Bounded::Organizations => "SELECT COUNT(*) FROM organizations",
        Bounded::Policies => "SELECT COUNT(*) FROM policies",
        Bounded::Resources => "SELECT COUNT(*) FROM resources",
    };
    Ok(run.q(sql).one::<(i64,)>().await?.0)
}

async fn count_levels_of(run: &mut impl Run, group: &str) -> Result<i64, StoreError> {
    let count = run.q(LEVELS_OF_GROUP).bind(group.to_owned());
    Ok(count.one::<(i64,)>().await?.0)
}

async fn list_object_types(run: &mut impl Run) -> Result<BTreeSet<String>, StoreError> {
    Ok(first(run.q(OBJECT_TYPES).all().await?))
}

/// How often everything was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Roles, groups and policies.
    pub policy: Version,
    /// People and resources.
    pub facts: Version,
}

impl Store {
    /// How often everything was changed until now.
    pub async fn policy_versions(&self) -> Result<Versions, StoreError> {
        let mut versions = Versions::default();
        let rows = self.db.q(VERSIONS).all::<(String, i64, Option<i64>)>();
        for (topic, number, mark) in rows.await? {
            let version = Version { number, mark };
            match topic.as_str() {
                POLICY => versions.policy = version,
                FACTS => versions.facts = version,
                _ => {}
            }
        }
        Ok(versions)
    }

    /// Roles, groups and policies, and a version: what was changed after it, some of which is in it already, is told by
    /// [`read_policy_changes`](Self::read_policy_changes).
    pub async fn read_policy(&self) -> Result<(Version, Written), StoreError> {
        let version = self.policy_versions().await?.policy;
        Ok((version, self.read_tables().await?))
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
        let organizations = self.db.q(ORGANIZATIONS).all::<Attributes>().await?;
        written.organizations = organizations
            .into_iter()
            .map(|(name, attributes)| (name, attributes.0))
            .collect();
        written.declarations = self.list_declarations().await?;
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
        for (name, attributes) in self.db.q(GROUPS).all::<Attributes>().await? {
            let group = Group {
                attributes: attributes.0,
                ..Group::default()
            };
            groups.insert(name, group);
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
        Ok(self.subjects(vec![user]).await?.pop())
    }

    /// The same of everybody after `after`, in the order of their ids, at most `limit`.
    pub async fn list_subjects(
        &self,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<Subject>, StoreError> {
        let users = self.list_users_by_id(after, limit).await?;
        self.subjects(users).await
    }

    /// `users` come in the order of their ids; what belongs to them is read at once.
    async fn subjects(&self, users: Vec<User>) -> Result<Vec<Subject>, StoreError> {
        let (Some(first), Some(last)) = (users.first(), users.last()) else {
            return Ok(Vec::new());
        };
        let (from, to) = (first.id.0, last.id.0);
        let of = |sql| self.db.q(sql).bind(from).bind(to);
        let assignments = of(ROLES_OF).all::<UserRole>().await?;
        let groups = of(GROUPS_OF).all::<(Uuid, String)>().await?;
        let organizations = of(ORGANIZATIONS_OF).all::<(Uuid, String)>().await?;
        let levels = of(LEVELS_OF).all::<UserLevel>().await?;
        let mut subjects: BTreeMap<Uuid, Subject> = users
            .into_iter()
            .map(|user| (user.id.0, Subject::of_user(user)))
            .collect();
        for (user, role, organization, expires_at) in assignments {
            if let Some(subject) = subjects.get_mut(&user) {
                let assignment = assignment((role, organization, expires_at));
                subject.assignments.push(assignment);
            }
        }
        for (user, group) in groups {
            if let Some(subject) = subjects.get_mut(&user) {
                subject.groups.push(group);
            }
        }
        for (user, organization) in organizations {
            if let Some(subject) = subjects.get_mut(&user) {
                subject.organizations.push(organization);
            }
        }
        for (user, kind, resource, level) in levels {
            if let Some(subject) = subjects.get_mut(&user) {
                insert(&mut subject.levels, kind, resource, level);
            }
        }
        Ok(subjects.into_values().collect())
    }

    /// The id of the person who signs in under that name; `key` comes from [`crate::domain::user::username_key`].
    pub async fn find_user_id(&self, key: &str) -> Result<Option<UserId>, StoreError> {
        let row = self.db.q(ID_OF).bind(key.to_owned()).opt::<(Uuid,)>();
        Ok(row.await?.map(|(id,)| UserId(id)))
    }

    /// The ids of the resources of a type that are written down, after `after`, at most `limit`.
    pub async fn list_object_ids(
        &self,
        kind: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let rows = self
            .db
            .q(OBJECTS)
            .bind(kind.to_owned())
            .bind(after.to_owned())
            .bind(limit)
            .all::<(String,)>()
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
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
        Ok(row.map(|(organization, attributes)| {
            let organization = Some(organization).filter(|name| !name.is_empty());
            let mut attributes = attributes.0;
            attributes.remove("organization");
            attributes.extend(
                organization
                    .iter()
                    .map(|name| ("organization".to_owned(), name.as_str().into())),
            );
            Object {
                kind: kind.to_owned(),
                id: id.to_owned(),
                organization,
                attributes,
            }
        }))
    }
}

type UserRole = (Uuid, String, String, Option<i64>);
type UserLevel = (Uuid, String, String, i64);
type GroupRole = (String, String, String, Option<i64>);
type Attributes = (String, Json<Map<String, Value>>);
type GroupLevel = (String, String, String, i64);

/// A level that this version does not know gives nothing.
fn insert(levels: &mut Levels, kind: String, id: String, level: i64) {
    if let Some(level) = Level::from_number(level) {
        levels.entry(kind).or_default().insert(id, level);
    }
}

const COUNTED: [Bounded; 10] = [
    Bounded::Roles,
    Bounded::Permissions,
    Bounded::RoleParents,
    Bounded::Groups,
    Bounded::GroupParents,
    Bounded::GroupRoles,
    Bounded::LevelsOfAGroup,
    Bounded::GroupLevels,
    Bounded::Organizations,
    Bounded::Policies,
];

const MOST_LEVELS: &str = "SELECT COALESCE(MAX(n), 0) FROM \
    (SELECT COUNT(*) AS n FROM group_levels GROUP BY group_name) AS each_group";

const LEVELS_OF_GROUP: &str = "SELECT COUNT(*) FROM group_levels WHERE group_name = $1";

const VERSIONS: &str =
    "SELECT topic, version, mark FROM changes WHERE topic IN ('policy', 'facts')";

const ROLES: &str = "SELECT name FROM roles";

const ROLE_PARENTS: &str = "SELECT role, parent FROM role_parents";

const PERMISSIONS: &str = "SELECT role, permission FROM role_permissions";

const GROUPS: &str = "SELECT name, attributes FROM groups";

const ORGANIZATIONS: &str = "SELECT name, attributes FROM organizations";

const GROUP_PARENTS: &str = "SELECT member, parent FROM group_parents";

const GROUP_ROLES: &str = "SELECT group_name, role, organization, expires_at FROM group_roles";

const GROUP_LEVELS: &str = "SELECT group_name, type, id, level FROM group_levels";

const POLICIES: &str = "SELECT id, cedar FROM policies WHERE enabled";

const ROLES_OF: &str = "SELECT user_id, role, organization, expires_at FROM role_assignments WHERE user_id >= $1 AND user_id <= $2";

const GROUPS_OF: &str =
    "SELECT user_id, group_name FROM group_members WHERE user_id >= $1 AND user_id <= $2";

const ORGANIZATIONS_OF: &str =
    "SELECT user_id, organization FROM organization_members WHERE user_id >= $1 AND user_id <= $2";

const LEVELS_OF: &str =
    "SELECT user_id, type, id, level FROM user_levels WHERE user_id >= $1 AND user_id <= $2";

const ID_OF: &str = "SELECT id FROM users WHERE username_key = $1";

const OBJECT: &str = "SELECT organization, attributes FROM objects WHERE type = $1 AND id = $2";

const OBJECTS: &str = "SELECT id FROM objects WHERE type = $1 AND id > $2 ORDER BY id LIMIT $3";

// One step into the index for each type, however many resources there are.
const OBJECT_TYPES: &str = "WITH RECURSIVE types (type) AS (SELECT MIN(type) FROM objects UNION ALL \
    SELECT (SELECT MIN(o.type) FROM objects o WHERE o.type > types.type) FROM types WHERE types.type IS NOT NULL) \
    SELECT type FROM types WHERE type IS NOT NULL";
