//! Roles: the `roles`, `role_parents` and `role_permissions` tables. Who has them is in [`super::assignments`].

use std::collections::{BTreeMap, BTreeSet};

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Among, Run, Thing, Tx, among, reads};
use super::error::StoreError;
use super::names::{ancestry, first, grouped, near, prefix_pattern};
use crate::domain::directory::{Role, RoleName};
use crate::domain::policy::Permission;

reads! {
    /// The role of that name, with its own parents and permissions.
    find_role(name: &str) -> Option<Role> = find;

    /// Which of these roles there are.
    existing_roles(names: &BTreeSet<String>) -> BTreeSet<String> = existing;

    /// These roles and all their ancestors, each with its own parents. Roles without parents are left out. One statement,
    /// which reads no other role.
    find_role_ancestry(names: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>> = ancestry;

    /// Names of at most 400 roles that stand next to a name in their order, to guess which one was meant.
    list_role_names_near(name: &str) -> Vec<String> = near;

    /// Every permission that some role has, once.
    list_permissions() -> BTreeSet<String> = permissions;

    /// Whether any user who can sign in holds the role, for every organization and without an end: directly, as a member
    /// of a group, or by a role that inherits from it.
    has_holder(role: &str) -> bool = has_holder;

    /// Every role there is.
    list_roles() -> BTreeMap<RoleName, Role> = list;
}

async fn find(run: &mut impl Run, name: &str) -> Result<Option<Role>, StoreError> {
    let row = run.q(FIND).bind(name.to_owned());
    let Some((description,)) = row.opt::<(Option<String>,)>().await? else {
        return Ok(None);
    };
    let parents = run.q(PARENTS_OF).bind(name.to_owned());
    let parents = parents.all::<(String,)>().await?;
    let permissions = run.q(PERMISSIONS_OF).bind(name.to_owned());
    let permissions = permissions.all::<(String,)>().await?;
    Ok(Some(role(description, first(parents), &first(permissions))))
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

async fn permissions(run: &mut impl Run) -> Result<BTreeSet<String>, StoreError> {
    Ok(first(run.q(PERMISSIONS).all().await?))
}

async fn has_holder(run: &mut impl Run, role: &str) -> Result<bool, StoreError> {
    let holder = run.q(HOLDER).bind(role.to_owned());
    Ok(holder.opt::<(i64,)>().await?.is_some())
}

async fn list(run: &mut impl Run) -> Result<BTreeMap<RoleName, Role>, StoreError> {
    let rows = run.q(LIST).all::<(String, Option<String>)>().await?;
    let mut parents = grouped(run.q(LIST_PARENTS).all().await?);
    let mut permissions = grouped(run.q(LIST_PERMISSIONS).all().await?);
    let role = |(name, description)| named(name, description, &mut parents, &mut permissions);
    Ok(rows.into_iter().map(role).collect())
}

fn named(
    name: String,
    description: Option<String>,
    parents: &mut BTreeMap<String, BTreeSet<String>>,
    permissions: &mut BTreeMap<String, BTreeSet<String>>,
) -> (RoleName, Role) {
    let parents = parents.remove(&name).unwrap_or_default();
    let permissions = permissions.remove(&name).unwrap_or_default();
    (
        RoleName::stored(name),
        role(description, parents, &permissions),
    )
}

fn role(
    description: Option<String>,
    parents: BTreeSet<String>,
    permissions: &BTreeSet<String>,
) -> Role {
    let permissions = permissions.iter();
    Role {
        description,
        parents: parents.into_iter().map(RoleName::stored).collect(),
        // A permission that cannot be read gives nothing.
        permissions: permissions
            .filter_map(|text| Permission::parse(text))
            .collect(),
    }
}

impl Store {
    /// Roles whose names begin so, in the order of their names, behind `after`.
    pub async fn page_of_roles(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(RoleName, Role)>, StoreError> {
        let rows = self.db.q(PAGE).bind(after.to_owned()).bind(limit);
        let rows = rows.bind(prefix_pattern(begins));
        let rows = rows.all::<(String, Option<String>)>().await?;
        let (Some(from), Some(to)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let within = |sql| self.db.q(sql).bind(from.0.clone()).bind(to.0.clone());
        let mut parents = grouped(within(PARENTS_WITHIN).all().await?);
        let mut permissions = grouped(within(PERMISSIONS_WITHIN).all().await?);
        let role = |(name, description)| named(name, description, &mut parents, &mut permissions);
        Ok(rows.into_iter().map(role).collect())
    }
}

impl Tx {
    /// Creates a role, or gives it another description.
    pub async fn save_role(
        &mut self,
        name: &str,
        description: Option<&str>,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(name.to_owned())
            .bind(description.map(str::to_owned))
            .exec()
            .await?;
        self.policy_changed(Thing::Role(name.to_owned()));
        Ok(())
    }

    /// Replaces a role's parents and permissions; every parent must exist.
    pub async fn replace_role_contents(
        &mut self,
        name: &str,
        role: &Role,
    ) -> Result<(), StoreError> {
        self.q(CLEAR_PARENTS).bind(name.to_owned()).exec().await?;
        self.q(CLEAR_PERMISSIONS)
            .bind(name.to_owned())
            .exec()
            .await?;
        for parent in &role.parents {
            self.q(ADD_PARENT)
                .bind(name.to_owned())
                .bind(parent.as_str().to_owned())
                .exec()
                .await?;
        }
        for permission in &role.permissions {
            self.q(ADD_PERMISSION)
                .bind(name.to_owned())
                .bind(permission.to_string())
                .exec()
                .await?;
        }
        self.policy_changed(Thing::Role(name.to_owned()));
        Ok(())
    }

    /// Removes a role.
    pub async fn delete_role(&mut self, name: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(name.to_owned()).exec().await?;
        self.policy_deleted(Thing::Role(name.to_owned()));
        // It is taken from every user and group.
        bump_changes(self, FACTS).await
    }
}

const FIND: &str = "SELECT description FROM roles WHERE name = $1";

const PARENTS_OF: &str = "SELECT parent FROM role_parents WHERE role = $1";

const PERMISSIONS_OF: &str = "SELECT permission FROM role_permissions WHERE role = $1";

const EXISTING: Among = among!("SELECT name FROM roles WHERE name IN (", ")");

const ANCESTRY: Among = ancestry!("role_parents", "role");

const NEAR: &str = near!("roles");

const PERMISSIONS: &str = "SELECT DISTINCT permission FROM role_permissions";

const HOLDER: &str = "WITH RECURSIVE giving (role) AS (SELECT $1 UNION SELECT p.role FROM role_parents p \
    JOIN giving ON p.parent = giving.role), \
    within (group_name) AS (SELECT r.group_name FROM group_roles r JOIN giving ON r.role = giving.role \
    WHERE r.organization = '' AND r.expires_at IS NULL \
    UNION SELECT p.member FROM group_parents p JOIN within ON p.parent = within.group_name), \
    holders (id) AS (SELECT a.user_id FROM role_assignments a JOIN giving ON a.role = giving.role \
    WHERE a.organization = '' AND a.expires_at IS NULL \
    UNION ALL SELECT m.user_id FROM group_members m JOIN within ON m.group_name = within.group_name) \
    SELECT CAST(1 AS BIGINT) FROM holders JOIN users u ON u.id = holders.id \
    WHERE u.disabled_at IS NULL \
    AND (u.password_hash IS NOT NULL OR EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id)) LIMIT 1";

const LIST: &str = "SELECT name, description FROM roles ORDER BY name";

const LIST_PARENTS: &str = "SELECT role, parent FROM role_parents ORDER BY role, parent";

const LIST_PERMISSIONS: &str =
    "SELECT role, permission FROM role_permissions ORDER BY role, permission";

const PAGE: &str = "SELECT name, description FROM roles WHERE name > $1 \
    AND ($3 = '' OR LOWER(name) LIKE LOWER($3) ESCAPE '!') ORDER BY name LIMIT $2";

const PARENTS_WITHIN: &str =
    "SELECT role, parent FROM role_parents WHERE role >= $1 AND role <= $2";

const PERMISSIONS_WITHIN: &str =
    "SELECT role, permission FROM role_permissions WHERE role >= $1 AND role <= $2";

const SAVE: &str = "INSERT INTO roles (name, description) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET description = excluded.description";

const CLEAR_PARENTS: &str = "DELETE FROM role_parents WHERE role = $1";

const CLEAR_PERMISSIONS: &str = "DELETE FROM role_permissions WHERE role = $1";

const ADD_PARENT: &str = "INSERT INTO role_parents (role, parent) VALUES ($1, $2)";

const ADD_PERMISSION: &str = "INSERT INTO role_permissions (role, permission) VALUES ($1, $2)";

const DELETE: &str = "DELETE FROM roles WHERE name = $1";
