//! How much of the policy tables there is, to be compared with what fits into memory.

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use crate::domain::policy::{Bounded, Count};

impl Store {
    /// How much there is of everything that instances hold in memory.
    pub async fn count_policy(&self) -> Result<Vec<Count>, StoreError> {
        Ok(named(&self.db.q(COUNT).one::<Row>().await?))
    }
}

impl Tx {
    /// The same, with what the transaction has written.
    pub async fn count_policy(&mut self) -> Result<Vec<Count>, StoreError> {
        Ok(named(&self.q(COUNT).one::<Row>().await?))
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    roles: i64,
    permissions: i64,
    role_parents: i64,
    groups: i64,
    group_parents: i64,
    group_roles: i64,
    levels_of_a_group: i64,
    group_levels: i64,
    organizations: i64,
    policies: i64,
}

fn named(row: &Row) -> Vec<Count> {
    vec![
        (Bounded::Roles, row.roles),
        (Bounded::Permissions, row.permissions),
        (Bounded::RoleParents, row.role_parents),
        (Bounded::Groups, row.groups),
        (Bounded::GroupParents, row.group_parents),
        (Bounded::GroupRoles, row.group_roles),
        (Bounded::LevelsOfAGroup, row.levels_of_a_group),
        (Bounded::GroupLevels, row.group_levels),
        (Bounded::Organizations, row.organizations),
        (Bounded::Policies, row.policies),
    ]
}

const COUNT: &str = "SELECT (SELECT COUNT(*) FROM roles) AS roles, \
    (SELECT COUNT(*) FROM role_permissions) AS permissions, \
    (SELECT COUNT(*) FROM role_parents) AS role_parents, \
    (SELECT COUNT(*) FROM groups) AS groups, \
    (SELECT COUNT(*) FROM group_parents) AS group_parents, \
    (SELECT COUNT(*) FROM group_roles) AS group_roles, \
    (SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM group_levels GROUP BY group_name) AS each_group) AS levels_of_a_group, \
    (SELECT COUNT(*) FROM group_levels) AS group_levels, \
    (SELECT COUNT(*) FROM organizations) AS organizations, \
    (SELECT COUNT(*) FROM policies) AS policies";
