//! People: the `users` table.

mod memberships;
mod row;

use uuid::Uuid;

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Run, Tx, reads};
use super::error::StoreError;
use super::factors::password_hash;
use super::names::prefix_pattern;
use crate::domain::ids::UserId;
use crate::domain::user::User;
use crate::spec::time::Ts;

pub(super) use memberships::members;
pub use memberships::{Member, Memberships};
pub use row::UserFields;
pub(super) use row::{UserRow, user_columns};
use row::{bind_user, user_writes};

/// A person and the hash of their password.
#[derive(Clone, Debug)]
pub struct UserWithPassword {
    /// The person.
    pub user: User,
    /// The PHC string; none when they have no password.
    pub password_hash: Option<String>,
}

reads! {
    /// The person of that id.
    find_user(id: UserId) -> Option<User> = find_alone;

    /// The person of that id, with the hash of their password.
    find_user_with_password(id: UserId) -> Option<UserWithPassword> = find;

    /// The person who signs in under that name, with the hash of their password. `key` comes from
    /// [`crate::domain::user::username_key`].
    find_user_by_key(key: &str) -> Option<UserWithPassword> = find_by_key;
}

async fn find_alone(run: &mut impl Run, id: UserId) -> Result<Option<User>, StoreError> {
    let row = run.q(FIND).bind(id.0).opt::<UserRow>().await?;
    Ok(row.map(UserRow::into_user))
}

async fn find(run: &mut impl Run, id: UserId) -> Result<Option<UserWithPassword>, StoreError> {
    let row = run.q(FIND_WITH_PASSWORD).bind(id.0);
    Ok(row.opt::<WithPasswordRow>().await?.map(Into::into))
}

async fn find_by_key(
    run: &mut impl Run,
    key: &str,
) -> Result<Option<UserWithPassword>, StoreError> {
    let row = run.q(FIND_BY_KEY).bind(key.to_owned());
    Ok(row.opt::<WithPasswordRow>().await?.map(Into::into))
}

impl Store {
    /// People in the order of their names, after `after`, at most `limit`.
    pub async fn list_users(&self, after: &str, limit: i64) -> Result<Vec<User>, StoreError> {
        let rows = self
            .db
            .q(LIST)
            .bind(after.to_owned())
            .bind(limit)
            .all::<UserRow>()
            .await?;
        Ok(rows.into_iter().map(UserRow::into_user).collect())
    }

    /// People in the order of their ids, after `after`, at most `limit`.
    pub async fn list_users_by_id(
        &self,
        after: Option<UserId>,
        limit: i64,
    ) -> Result<Vec<User>, StoreError> {
        let rows = self
            .db
            .q(LIST_BY_ID)
            .bind(after.map_or(Uuid::nil(), |id| id.0))
            .bind(limit)
            .all::<UserRow>()
            .await?;
        Ok(rows.into_iter().map(UserRow::into_user).collect())
    }

    /// People in the order of their names, after `after`, at most `limit`, that the filter lets through.
    pub async fn search_users(
        &self,
        filter: &UserFilter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<UserWithPassword>, StoreError> {
        let disabled = match filter.disabled {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        let rows = self
            .db
            .q(SEARCH)
            .bind(after.to_owned())
            .bind(prefix_pattern(&filter.begins))
            .bind(filter.organization.clone())
            .bind(filter.group.clone())
            .bind(filter.role.clone())
            .bind(disabled)
            .bind(limit)
            .all::<WithPasswordRow>()
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The people whose verified e-mail address that is; upper and lower case are the same.
    pub async fn find_users_by_email(&self, email: &str) -> Result<Vec<UserId>, StoreError> {
        let rows = self.db.q(BY_EMAIL).bind(email.to_lowercase());
        let rows = rows.all::<(Uuid,)>().await?;
        Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
    }
}

/// Selects users; an empty condition selects all.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// How their name or e-mail address begins, in lower case.
    pub begins: String,
    /// An organization they are members of.
    pub organization: String,
    /// A group they are members of themselves.
    pub group: String,
    /// A role they were given themselves.
    pub role: String,
    /// Whether they are disabled.
    pub disabled: Option<bool>,
}

impl Tx {
    /// Gives a person another name. [`StoreError::Conflict`] when it is taken.
    pub async fn rename_user(
        &mut self,
        id: UserId,
        username: &str,
        key: &str,
    ) -> Result<(), StoreError> {
        let rename = self.q(RENAME).bind(id.0).bind(username.to_owned());
        rename.bind(key.to_owned()).exec().await?;
        bump_changes(self, FACTS).await
    }

    /// Every person's id and the name under which they are found.
    pub async fn list_user_keys(&mut self) -> Result<Vec<(UserId, String)>, StoreError> {
        let rows = self.q(LIST_KEYS).all::<(Uuid, String)>().await?;
        Ok(rows
            .into_iter()
            .map(|(id, key)| (UserId(id), key))
            .collect())
    }

    /// Creates a person. [`StoreError::Conflict`] when the name is taken.
    pub async fn insert_user(
        &mut self,
        id: UserId,
        fields: &UserFields,
        password_hash: Option<String>,
        now: Ts,
    ) -> Result<(), StoreError> {
        let insert = self.q(INSERT).bind(id.0).bind(now.micros());
        let insert = bind_user(insert, fields).bind(password_hash.clone());
        insert.exec().await?;
        if let Some(hash) = &password_hash {
            self.save_password(id, hash).await?;
        }
        bump_changes(self, FACTS).await
    }

    /// Changes what a person is made of.
    pub async fn update_user(
        &mut self,
        id: UserId,
        fields: &UserFields,
        now: Ts,
    ) -> Result<(), StoreError> {
        let update = self.q(UPDATE).bind(id.0).bind(now.micros());
        bind_user(update, fields).exec().await?;
        bump_changes(self, FACTS).await
    }

    /// Raises the token version, which ends every session, grant and token of the person; returns it.
    pub async fn raise_token_version(&mut self, id: UserId) -> Result<Option<i64>, StoreError> {
        let row = self.q(RAISE_VERSION).bind(id.0).opt::<(i64,)>().await?;
        Ok(row.map(|(version,)| version))
    }

    /// Disables (`Some`) or enables (`None`) the person.
    pub async fn set_user_disabled(
        &mut self,
        id: UserId,
        disabled_at: Option<Ts>,
    ) -> Result<(), StoreError> {
        self.q(SET_DISABLED)
            .bind(id.0)
            .bind(disabled_at.map(Ts::micros))
            .exec()
            .await?;
        bump_changes(self, FACTS).await
    }

    /// Removes a person and what hangs on them.
    pub async fn delete_user(&mut self, id: UserId) -> Result<(), StoreError> {
        self.q(DELETE).bind(id.0).exec().await?;
        bump_changes(self, FACTS).await
    }
}

#[derive(sqlx::FromRow)]
struct WithPasswordRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
}

impl From<WithPasswordRow> for UserWithPassword {
    fn from(row: WithPasswordRow) -> Self {
        Self {
            user: row.user.into_user(),
            password_hash: row.password_hash,
        }
    }
}

const FIND: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");

const FIND_WITH_PASSWORD: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    password_hash!("users"),
    " FROM users WHERE id = $1"
);

const FIND_BY_KEY: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    password_hash!("users"),
    " FROM users WHERE username_key = $1"
);

const LIST: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE username_key > $1 ORDER BY username_key LIMIT $2"
);

const LIST_BY_ID: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE id > $1 ORDER BY id LIMIT $2"
);

const SEARCH: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    password_hash!("users"),
    " FROM users WHERE username_key > $1 \
    AND ($2 = '' OR username_key LIKE $2 ESCAPE '!' OR LOWER(email) LIKE $2 ESCAPE '!') \
    AND ($3 = '' OR EXISTS (SELECT 1 FROM organization_members m WHERE m.user_id = users.id AND m.organization = $3)) \
    AND ($4 = '' OR EXISTS (SELECT 1 FROM group_members g WHERE g.user_id = users.id AND g.group_name = $4)) \
    AND ($5 = '' OR EXISTS (SELECT 1 FROM role_assignments r WHERE r.user_id = users.id AND r.role = $5)) \
    AND ($6 = 0 OR ($6 = 1 AND disabled_at IS NOT NULL) OR ($6 = 2 AND disabled_at IS NULL)) \
    ORDER BY username_key LIMIT $7"
);

const BY_EMAIL: &str =
    "SELECT id FROM users WHERE LOWER(email) = $1 AND email_verified ORDER BY id LIMIT 1000";

const RENAME: &str = "UPDATE users SET username = $2, username_key = $3 WHERE id = $1";

const LIST_KEYS: &str = "SELECT id, username_key FROM users ORDER BY username_key";

const INSERT: &str = concat!(
    "INSERT INTO users (",
    user_writes!(names),
    ", id, token_version, created_at, updated_at, password_hash) VALUES (",
    user_writes!(values),
    ", $1, 0, $2, $2, ",
    user_writes!(next),
    ")"
);

const UPDATE: &str = concat!(
    "UPDATE users SET ",
    user_writes!(set),
    ", updated_at = $2 WHERE id = $1"
);

const RAISE_VERSION: &str =
    "UPDATE users SET token_version = token_version + 1 WHERE id = $1 RETURNING token_version";

const SET_DISABLED: &str = "UPDATE users SET disabled_at = $2 WHERE id = $1";

const DELETE: &str = "DELETE FROM users WHERE id = $1";
