//! Groups, organizations and the facts about resources: what decisions know beside people and roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::assignments::{Holder, assignment};
use super::db::{Among, Run, Tx, among, reads};
use super::error::StoreError;
use super::names::{first, grouped};
use super::policy::{FACTS, POLICY};
use super::revocations::bump_changes;
use crate::domain::ids::UserId;
use crate::domain::policy::{Assignment, Level, ResourceName};

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

/// An organization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrganizationRecord {
    /// What it is.
    pub description: Option<String>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

/// To what a person belongs, and what they may do to single resources.
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
    /// Which of these groups there are.
    existing_groups(names: &BTreeSet<String>) -> BTreeSet<String> = existing_groups;

    /// These groups and all that they are in, each with its own parents. Groups without parents are left out. One
    /// statement, which reads no other group.
    find_group_ancestry(names: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> = ancestry;

    /// Names of at most 400 groups that stand next to a name in their order, to guess which one was meant.
    list_group_names_near(name: &str) -> Vec<String> = groups_near;

    /// The organization of that name.
    find_organization(name: &str) -> Option<OrganizationRecord> = find_organization;

    /// Which of these organizations there are.
    existing_organizations(names: &BTreeSet<String>) -> BTreeSet<String> = existing_organizations;

    /// Names of at most 400 organizations that stand next to a name in their order, to guess which one was meant.
    list_organization_names_near(name: &str) -> Vec<String> = organizations_near;
}

async fn find(run: &mut impl Run, name: &str) -> Result<Option<GroupRecord>, StoreError> {
    let row = run.q(FIND_GROUP).bind(name.to_owned());
    let row = row.opt::<(Option<String>, Json<Map<String, Value>>)>();
    let Some((description, attributes)) = row.await? else {
        return Ok(None);
    };
    let parents = run.q(PARENTS_OF).bind(name.to_owned());
    let parents = first(parents.all().await?);
    let roles = run.q(ROLES_OF).bind(name.to_owned());
    let roles = roles.all::<(String, String, Option<i64>)>().await?;
    let levels = run.q(LEVELS_OF_GROUP).bind(name.to_owned());
    let levels = levels.all::<(String, String, i64)>().await?;
    Ok(Some(GroupRecord {
        description,
        parents,
        roles: roles.into_iter().map(assignment).collect(),
        levels: by_resource(levels),
        attributes: attributes.0,
    }))
}

async fn existing_groups(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    Ok(first(run.q_among(EXISTING_GROUPS, names).all().await?))
}

async fn ancestry(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    Ok(grouped(run.q_among(ANCESTRY, names).all().await?))
}

async fn groups_near(run: &mut impl Run, name: &str) -> Result<Vec<String>, StoreError> {
    let rows = run.q(GROUPS_NEAR).bind(name.to_owned());
    let rows = rows.all::<(String,)>().await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

async fn find_organization(
    run: &mut impl Run,
    name: &str,
) -> Result<Option<OrganizationRecord>, StoreError> {
    let find = run.q(FIND_ORGANIZATION).bind(name.to_owned());
    let row = find.opt::<(Option<String>, Json<Map<String, Value>>)>();
    Ok(row
        .await?
        .map(|(description, attributes)| OrganizationRecord {
            description,
            attributes: attributes.0,
        }))
}

async fn existing_organizations(
    run: &mut impl Run,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    let rows = run.q_among(EXISTING_ORGANIZATIONS, names);
    Ok(first(rows.all().await?))
}

async fn organizations_near(run: &mut impl Run, name: &str) -> Result<Vec<String>, StoreError> {
    let rows = run.q(ORGANIZATIONS_NEAR).bind(name.to_owned());
    let rows = rows.all::<(String,)>().await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// A level that this version does not know gives nothing.
fn by_resource(rows: Vec<(String, String, i64)>) -> BTreeMap<ResourceName, Level> {
    let level = |(kind, id, level)| Some((ResourceName { kind, id }, Level::from_number(level)?));
    rows.into_iter().filter_map(level).collect()
}

impl Tx {
    /// The group of that name, with everything that hangs on it.
    pub async fn find_group(&mut self, name: &str) -> Result<Option<GroupRecord>, StoreError> {
        find(self, name).await
    }

    /// Every group there is.
    pub async fn list_groups(&mut self) -> Result<BTreeMap<String, GroupRecord>, StoreError> {
        let mut groups: BTreeMap<String, GroupRecord> = BTreeMap::new();
        for (name, description, attributes) in self.q(GROUPS).all::<Described>().await? {
            let group = groups.entry(name).or_default();
            group.description = description;
            group.attributes = attributes.0;
        }
        for (member, parent) in self.q(PARENTS).all::<(String, String)>().await? {
            groups.entry(member).or_default().parents.insert(parent);
        }
        for (group, role, organization, until) in self.q(GROUP_ROLES).all::<GroupRole>().await? {
            let roles = &mut groups.entry(group).or_default().roles;
            roles.insert(assignment((role, organization, until)));
        }
        for (group, kind, id, level) in self.q(GROUP_LEVELS).all::<GroupLevel>().await? {
            if let Some(level) = Level::from_number(level) {
                let levels = &mut groups.entry(group).or_default().levels;
                levels.insert(ResourceName { kind, id }, level);
            }
        }
        Ok(groups)
    }

    /// Creates a group, or gives it another description and other attributes.
    pub async fn save_group(
        &mut self,
        name: &str,
        description: Option<&str>,
        attributes: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        self.q(SAVE_GROUP)
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
        for clear in [CLEAR_PARENTS, CLEAR_GROUP_LEVELS] {
            self.q(clear).bind(name.to_owned()).exec().await?;
        }
        for parent in &group.parents {
            let add = self.q(ADD_PARENT).bind(name.to_owned());
            add.bind(parent.clone()).exec().await?;
        }
        let holder = Holder::Group(name.to_owned());
        self.replace_assignments(&holder, &group.roles).await?;
        for (resource, level) in &group.levels {
            self.q(ADD_GROUP_LEVEL)
                .bind(name.to_owned())
                .bind(resource.kind.clone())
                .bind(resource.id.clone())
                .bind(level.number())
                .exec()
                .await?;
        }
        bump_changes(self, POLICY).await
    }

    /// Removes a group.
    pub async fn delete_group(&mut self, name: &str) -> Result<(), StoreError> {
        self.q(DELETE_GROUP).bind(name.to_owned()).exec().await?;
        bump_changes(self, POLICY).await?;
        bump_changes(self, FACTS).await
    }

    /// The name of every organization.
    pub async fn list_organization_names(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let rows = self.q(ORGANIZATION_NAMES).all::<(String,)>().await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Every organization there is.
    pub async fn list_organizations(
        &mut self,
    ) -> Result<BTreeMap<String, OrganizationRecord>, StoreError> {
        let rows = self.q(ORGANIZATIONS).all::<Described>().await?;
        let rows = rows.into_iter().map(|(name, description, attributes)| {
            let attributes = attributes.0;
            let record = OrganizationRecord {
                description,
                attributes,
            };
            (name, record)
        });
        Ok(rows.collect())
    }

    /// Creates an organization, or gives it another description and other attributes.
    pub async fn save_organization(
        &mut self,
        name: &str,
        organization: &OrganizationRecord,
    ) -> Result<(), StoreError> {
        self.q(SAVE_ORGANIZATION)
            .bind(name.to_owned())
            .bind(organization.description.clone())
            .bind(Json(organization.attributes.clone()))
            .exec()
            .await?;
        bump_changes(self, POLICY).await
    }

    /// Removes an organization, and what was given for it.
    pub async fn delete_organization(&mut self, name: &str) -> Result<(), StoreError> {
        for delete in [
            DELETE_ORGANIZATION,
            DELETE_ORGANIZATION_ROLES,
            DELETE_ORGANIZATION_GROUP_ROLES,
            LEAVE_ORGANIZATION,
        ] {
            self.q(delete).bind(name.to_owned()).exec().await?;
        }
        bump_changes(self, POLICY).await?;
        bump_changes(self, FACTS).await
    }

    /// To what a person belongs.
    pub async fn list_memberships_of(&mut self, user: UserId) -> Result<Memberships, StoreError> {
        let groups = self.q(GROUPS_OF).bind(user.0).all::<(String,)>().await?;
        let organizations = self.q(ORGANIZATIONS_OF).bind(user.0);
        let organizations = organizations.all::<(String,)>().await?;
        let levels = self.q(LEVELS_OF).bind(user.0);
        let levels = levels.all::<(String, String, i64)>().await?;
        Ok(Memberships {
            groups: groups.into_iter().map(|(name,)| name).collect(),
            organizations: organizations.into_iter().map(|(name,)| name).collect(),
            levels: by_resource(levels),
        })
    }

    /// Replaces to what a person belongs; all of it must exist.
    pub async fn replace_memberships(
        &mut self,
        user: UserId,
        memberships: &Memberships,
    ) -> Result<(), StoreError> {
        for clear in [CLEAR_GROUPS_OF, CLEAR_ORGANIZATIONS_OF, CLEAR_LEVELS_OF] {
            self.q(clear).bind(user.0).exec().await?;
        }
        for group in &memberships.groups {
            let add = self.q(ADD_MEMBER).bind(user.0);
            add.bind(group.clone()).exec().await?;
        }
        for organization in &memberships.organizations {
            let add = self.q(ADD_ORGANIZATION_MEMBER).bind(user.0);
            add.bind(organization.clone()).exec().await?;
        }
        for (resource, level) in &memberships.levels {
            self.q(ADD_LEVEL)
                .bind(user.0)
                .bind(resource.kind.clone())
                .bind(resource.id.clone())
                .bind(level.number())
                .exec()
                .await?;
        }
        bump_changes(self, FACTS).await
    }
}

type Described = (String, Option<String>, Json<Map<String, Value>>);
type GroupRole = (String, String, String, Option<i64>);
type GroupLevel = (String, String, String, i64);

const FIND_GROUP: &str = "SELECT description, attributes FROM groups WHERE name = $1";

const PARENTS_OF: &str = "SELECT parent FROM group_parents WHERE member = $1";

const ROLES_OF: &str =
    "SELECT role, organization, expires_at FROM group_roles WHERE group_name = $1";

const LEVELS_OF_GROUP: &str = "SELECT type, id, level FROM group_levels WHERE group_name = $1";

const EXISTING_GROUPS: Among = among!("SELECT name FROM groups WHERE name IN (", ")");

const ANCESTRY: Among = among!(
    "WITH RECURSIVE reached (name) AS (",
    " UNION SELECT p.parent FROM group_parents p JOIN reached ON p.member = reached.name) \
    SELECT p.member, p.parent FROM group_parents p JOIN reached ON p.member = reached.name"
);

const GROUPS_NEAR: &str = "SELECT name FROM (SELECT name FROM groups WHERE name >= $1 ORDER BY name LIMIT 200) AS behind \
    UNION ALL SELECT name FROM (SELECT name FROM groups WHERE name < $1 ORDER BY name DESC LIMIT 200) AS before";

const GROUPS: &str = "SELECT name, description, attributes FROM groups";

const PARENTS: &str = "SELECT member, parent FROM group_parents";

const GROUP_ROLES: &str = "SELECT group_name, role, organization, expires_at FROM group_roles";

const GROUP_LEVELS: &str = "SELECT group_name, type, id, level FROM group_levels";

const SAVE_GROUP: &str = "INSERT INTO groups (name, description, attributes) VALUES ($1, $2, $3) \
    ON CONFLICT (name) DO UPDATE SET description = excluded.description, attributes = excluded.attributes";

const CLEAR_PARENTS: &str = "DELETE FROM group_parents WHERE member = $1";

const CLEAR_GROUP_LEVELS: &str = "DELETE FROM group_levels WHERE group_name = $1";

const ADD_PARENT: &str = "INSERT INTO group_parents (member, parent) VALUES ($1, $2)";

const ADD_GROUP_LEVEL: &str =
    "INSERT INTO group_levels (group_name, type, id, level) VALUES ($1, $2, $3, $4)";

const DELETE_GROUP: &str = "DELETE FROM groups WHERE name = $1";

const ORGANIZATION_NAMES: &str = "SELECT name FROM organizations";

const FIND_ORGANIZATION: &str = "SELECT description, attributes FROM organizations WHERE name = $1";

const EXISTING_ORGANIZATIONS: Among = among!("SELECT name FROM organizations WHERE name IN (", ")");

const ORGANIZATIONS_NEAR: &str = "SELECT name FROM (SELECT name FROM organizations WHERE name >= $1 ORDER BY name LIMIT 200) AS behind \
    UNION ALL SELECT name FROM (SELECT name FROM organizations WHERE name < $1 ORDER BY name DESC LIMIT 200) AS before";

const ORGANIZATIONS: &str = "SELECT name, description, attributes FROM organizations";

const SAVE_ORGANIZATION: &str = "INSERT INTO organizations (name, description, attributes) VALUES ($1, $2, $3) \
    ON CONFLICT (name) DO UPDATE SET description = excluded.description, attributes = excluded.attributes";

const DELETE_ORGANIZATION: &str = "DELETE FROM organizations WHERE name = $1";

const DELETE_ORGANIZATION_ROLES: &str = "DELETE FROM role_assignments WHERE organization = $1";

const DELETE_ORGANIZATION_GROUP_ROLES: &str = "DELETE FROM group_roles WHERE organization = $1";

/// Another organization of that name does not inherit its resources.
const LEAVE_ORGANIZATION: &str = "UPDATE objects SET organization = '' WHERE organization = $1";

const GROUPS_OF: &str = "SELECT group_name FROM group_members WHERE user_id = $1";

const ORGANIZATIONS_OF: &str = "SELECT organization FROM organization_members WHERE user_id = $1";

const LEVELS_OF: &str = "SELECT type, id, level FROM user_levels WHERE user_id = $1";

const CLEAR_GROUPS_OF: &str = "DELETE FROM group_members WHERE user_id = $1";

const CLEAR_ORGANIZATIONS_OF: &str = "DELETE FROM organization_members WHERE user_id = $1";

const CLEAR_LEVELS_OF: &str = "DELETE FROM user_levels WHERE user_id = $1";

const ADD_MEMBER: &str = "INSERT INTO group_members (user_id, group_name) VALUES ($1, $2)";

const ADD_ORGANIZATION_MEMBER: &str =
    "INSERT INTO organization_members (user_id, organization) VALUES ($1, $2)";

const ADD_LEVEL: &str =
    "INSERT INTO user_levels (user_id, type, id, level) VALUES ($1, $2, $3, $4)";
