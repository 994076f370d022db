//! How much of the policy tables there is, to be compared with what fits into memory.

use super::db::{Run, reads};
use super::error::StoreError;
use crate::domain::policy::{Bounded, Count};

reads! {
    /// How much there is of everything that instances hold in memory. It looks at every row of ten tables: an act on one
    /// thing asks for what it adds to, with [`Tx::count_bounded`](super::db::Tx::count_bounded).
    count_policy() -> Vec<Count> = count_all;

    /// How much there is of one kind.
    count_bounded(what: Bounded) -> i64 = count;

    /// How many levels one group gives ([`Bounded::LevelsOfAGroup`]).
    count_levels_of_group(group: &str) -> i64 = count_levels_of;
}

async fn count_all(run: &mut impl Run) -> Result<Vec<Count>, StoreError> {
    Ok(named(&run.q(COUNT).one::<Row>().await?))
}

async fn count(run: &mut impl Run, what: Bounded) -> Result<i64, StoreError> {
    let sql = match what {
        Bounded::Roles => "SELECT COUNT(*) FROM roles",
        Bounded::Permissions => "SELECT COUNT(*) FROM role_permissions",
        Bounded::RoleParents => "SELECT COUNT(*) FROM role_parents",
        Bounded::Groups => "SELECT COUNT(*) FROM groups",
        Bounded::GroupParents => "SELECT COUNT(*) FROM group_parents",
        Bounded::GroupRoles => "SELECT COUNT(*) FROM group_roles",
        Bounded::LevelsOfAGroup => MOST_LEVELS_OF_A_GROUP,
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

const MOST_LEVELS_OF_A_GROUP: &str = "SELECT COALESCE(MAX(n), 0) FROM \
    (SELECT COUNT(*) AS n FROM group_levels GROUP BY group_name) AS each_group";

const LEVELS_OF_GROUP: &str = "SELECT COUNT(*) FROM group_levels WHERE group_name = $1";

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
