//! What people and groups may do to single resources: the `user_levels` and `group_levels` tables.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Store;
use super::assignments::Holder;
use super::db::{Engine, Run, Tx, reads};
use super::error::StoreError;
use crate::domain::ids::UserId;
use crate::domain::policy::{Level, ResourceName};

/// A level on one resource.
#[derive(Clone, Debug)]
pub struct LevelRow {
    /// The resource.
    pub resource: ResourceName,
    /// The level.
    pub level: Level,
}

reads! {
    /// The level that a user, or the members of a group, were given on a resource itself.
    find_level(holder: &Holder, resource: &ResourceName) -> Option<Level> = find;

    /// Every level that a user, or the members of a group, were given themselves.
    list_levels_of(holder: &Holder) -> BTreeMap<ResourceName, Level> = list_of;
}

async fn find(
    run: &mut impl Run,
    holder: &Holder,
    resource: &ResourceName,
) -> Result<Option<Level>, StoreError> {
    let find = match holder {
        Holder::User(id) => run.q(USER_LEVEL).bind(id.0),
        Holder::Group(name) => run.q(GROUP_LEVEL).bind(name.clone()),
    };
    let find = find.bind(resource.kind.clone()).bind(resource.id.clone());
    let row = find.opt::<(i64,)>().await?;
    Ok(row.and_then(|(number,)| Level::from_number(number)))
}

pub(super) async fn list_of(
    run: &mut impl Run,
    holder: &Holder,
) -> Result<BTreeMap<ResourceName, Level>, StoreError> {
    let levels = match holder {
        Holder::User(id) => run.q(LEVELS_OF_USER).bind(id.0),
        Holder::Group(name) => run.q(LEVELS_OF_GROUP).bind(name.clone()),
    };
    Ok(levels.all().await?.into_iter().filter_map(level).collect())
}

impl Store {
    /// Levels of a user, without those of their groups, in the order of the resources, behind `after`.
    pub async fn page_of_user_levels(
        &self,
        user: UserId,
        after: &(String, String),
        limit: i64,
    ) -> Result<Vec<LevelRow>, StoreError> {
        let rows = self.db.q(PAGE_OF_USER).bind(user.0);
        let rows = rows.bind(after.0.clone()).bind(after.1.clone()).bind(limit);
        Ok(page(rows.all().await?))
    }

    /// Levels of a group, without those of its parents, in the order of the resources, behind `after`.
    pub async fn page_of_group_levels(
        &self,
        group: &str,
        after: &(String, String),
        limit: i64,
    ) -> Result<Vec<LevelRow>, StoreError> {
        let rows = self.db.q(PAGE_OF_GROUP).bind(group.to_owned());
        let rows = rows.bind(after.0.clone()).bind(after.1.clone()).bind(limit);
        Ok(page(rows.all().await?))
    }
}

impl Tx {
    /// Gives a user, or the members of a group, a level on a resource; takes it if it is `None`. Whether anything
    /// changed.
    pub async fn set_level(
        &mut self,
        holder: &Holder,
        resource: &ResourceName,
        level: Option<Level>,
    ) -> Result<bool, StoreError> {
        let sql = match (holder, level) {
            (Holder::User(_), Some(_)) => SET_USER_LEVEL,
            (Holder::User(_), None) => REMOVE_USER_LEVEL,
            (Holder::Group(_), Some(_)) => SET_GROUP_LEVEL,
            (Holder::Group(_), None) => REMOVE_GROUP_LEVEL,
        };
        let change = match holder {
            Holder::User(id) => self.q(sql).bind(id.0),
            Holder::Group(name) => self.q(sql).bind(name.clone()),
        };
        let change = change.bind(resource.kind.clone()).bind(resource.id.clone());
        let change = match level {
            Some(level) => change.bind(level.number()),
            None => change,
        };
        let changed = change.exec().await? > 0;
        if changed {
            self.holder_changed(holder).await?;
        }
        Ok(changed)
    }

    /// Gives a user, or the members of a group, levels on resources, all in one statement.
    pub async fn set_levels(
        &mut self,
        holder: &Holder,
        levels: &[(&ResourceName, Level)],
    ) -> Result<(), StoreError> {
        if levels.is_empty() {
            return Ok(());
        }
        let kinds = levels.iter().map(|(resource, _)| resource.kind.clone());
        let ids = levels.iter().map(|(resource, _)| resource.id.clone());
        let numbers = levels.iter().map(|(_, level)| level.number());
        let (users, groups) = match self.engine() {
            Engine::Postgres => (SET_USER_LEVELS_POSTGRES, SET_GROUP_LEVELS_POSTGRES),
            Engine::Sqlite => (SET_USER_LEVELS_SQLITE, SET_GROUP_LEVELS_SQLITE),
        };
        let engine = self.engine();
        let set = match holder {
            Holder::User(id) => self.q(users).bind(id.0),
            Holder::Group(name) => self.q(groups).bind(name.clone()),
        };
        let set = match engine {
            Engine::Postgres => set
                .bind_pg(kinds.collect::<Vec<_>>())
                .bind_pg(ids.collect::<Vec<_>>())
                .bind_pg(numbers.collect::<Vec<_>>()),
            Engine::Sqlite => {
                let rows: Vec<_> = kinds.zip(ids).zip(numbers).collect();
                set.bind(Json(rows))
            }
        };
        set.exec().await?;
        self.holder_changed(holder).await
    }
}

type Row = (String, String, i64);

/// A level that this version does not know gives nothing.
fn level((kind, id, level): Row) -> Option<(ResourceName, Level)> {
    Some((ResourceName { kind, id }, Level::from_number(level)?))
}

fn page(rows: Vec<Row>) -> Vec<LevelRow> {
    let rows = rows.into_iter().filter_map(level);
    rows.map(|(resource, level)| LevelRow { resource, level })
        .collect()
}

const USER_LEVEL: &str =
    "SELECT level FROM user_levels WHERE user_id = $1 AND type = $2 AND id = $3";

const GROUP_LEVEL: &str =
    "SELECT level FROM group_levels WHERE group_name = $1 AND type = $2 AND id = $3";

const LEVELS_OF_USER: &str = "SELECT type, id, level FROM user_levels WHERE user_id = $1";

const LEVELS_OF_GROUP: &str = "SELECT type, id, level FROM group_levels WHERE group_name = $1";

const PAGE_OF_USER: &str = "SELECT type, id, level FROM user_levels WHERE user_id = $1 AND (type, id) > ($2, $3) \
    ORDER BY type, id LIMIT $4";

const PAGE_OF_GROUP: &str = "SELECT type, id, level FROM group_levels WHERE group_name = $1 AND (type, id) > ($2, $3) \
    ORDER BY type, id LIMIT $4";

const SET_USER_LEVEL: &str = "INSERT INTO user_levels (user_id, type, id, level) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (user_id, type, id) DO UPDATE SET level = excluded.level WHERE user_levels.level <> excluded.level";

const SET_USER_LEVELS_POSTGRES: &str = "INSERT INTO user_levels (user_id, type, id, level) \
    SELECT $1, type, id, level FROM UNNEST($2::text[], $3::text[], $4::bigint[]) AS l (type, id, level) \
    ON CONFLICT (user_id, type, id) DO UPDATE SET level = excluded.level";

const SET_USER_LEVELS_SQLITE: &str = "INSERT INTO user_levels (user_id, type, id, level) \
    SELECT $1, value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[1]' FROM json_each($2) WHERE true \
    ON CONFLICT (user_id, type, id) DO UPDATE SET level = excluded.level";

const SET_GROUP_LEVELS_POSTGRES: &str = "INSERT INTO group_levels (group_name, type, id, level) \
    SELECT $1, type, id, level FROM UNNEST($2::text[], $3::text[], $4::bigint[]) AS l (type, id, level) \
    ON CONFLICT (group_name, type, id) DO UPDATE SET level = excluded.level";

const SET_GROUP_LEVELS_SQLITE: &str = "INSERT INTO group_levels (group_name, type, id, level) \
    SELECT $1, value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[1]' FROM json_each($2) WHERE true \
    ON CONFLICT (group_name, type, id) DO UPDATE SET level = excluded.level";

const REMOVE_USER_LEVEL: &str =
    "DELETE FROM user_levels WHERE user_id = $1 AND type = $2 AND id = $3";

const SET_GROUP_LEVEL: &str = "INSERT INTO group_levels (group_name, type, id, level) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (group_name, type, id) DO UPDATE SET level = excluded.level WHERE group_levels.level <> excluded.level";

const REMOVE_GROUP_LEVEL: &str =
    "DELETE FROM group_levels WHERE group_name = $1 AND type = $2 AND id = $3";
