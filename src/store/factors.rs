//! What accounts prove themselves with: the `factors` table, and `users.password_hash` beside it.
//!
//! This is the one place that knows both. `migrations/0012_factors.sql` says why there are two and when the column
//! goes.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use super::users::{UserRow, user_columns};
use crate::domain::ids::UserId;
use crate::domain::sign_in::{Account, Factor};

/// An account, and what a password is checked against.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub account: Account,
    /// The PHC string; none when the account has no password.
    pub password_hash: Option<String>,
}

impl Store {
    /// The account that signs in under that name. `key` comes from [`crate::domain::user::username_key`].
    ///
    /// An account with a factor that this version does not know is [`StoreError::Inconsistent`]: signing it in
    /// without that factor would be less than it takes.
    pub async fn find_credentials(&self, key: &str) -> Result<Option<Credentials>, StoreError> {
        let rows = self.db.q(FIND_CREDENTIALS).bind(key.to_owned());
        let rows = rows.all::<CredentialRow>().await?;
        let mut factors = BTreeSet::new();
        for row in &rows {
            if let Some(kind) = &row.kind {
                factors.insert(Factor::parse(kind).ok_or_else(|| unknown_kind(row.user.id()))?);
            }
        }
        Ok(rows.into_iter().next().map(|row| {
            // The version before this one knows no rows.
            factors.extend(row.password_hash.is_some().then_some(Factor::Password));
            Credentials {
                account: Account {
                    user: row.user.into_user(),
                    factors,
                },
                password_hash: row.password_hash,
            }
        }))
    }

    /// Replaces a hash made with weaker settings; does nothing if the password was changed meanwhile.
    pub async fn rehash_password(
        &self,
        id: UserId,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let rehash = tx.q(REHASH).bind(id.0).bind(old.to_owned());
        if rehash.bind(new.to_owned()).exec().await? == 1 {
            tx.save_password(id, new).await?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// Sets the hash of a user's password.
    pub async fn set_password_hash(&mut self, id: UserId, hash: String) -> Result<(), StoreError> {
        let set = self.q(SET_COLUMN).bind(id.0).bind(hash.clone());
        if set.exec().await? == 0 {
            return Ok(());
        }
        self.save_password(id, &hash).await
    }

    /// Writes the row of a user's password; the caller writes the column.
    pub(super) async fn save_password(&mut self, id: UserId, hash: &str) -> Result<(), StoreError> {
        let save = self.q(SAVE_PASSWORD).bind(id.0).bind(hash.to_owned());
        save.exec().await.map(drop)
    }
}

/// The password of a row of `users`, as an expression named `password_hash`.
macro_rules! password_hash {
    ($users:literal) => {
        concat!(
            "COALESCE(",
            $users,
            ".password_hash, (SELECT verifier FROM factors p WHERE p.user_id = ",
            $users,
            ".id AND p.id = ",
            $users,
            ".id)) AS password_hash"
        )
    };
}

pub(super) use password_hash;

#[derive(sqlx::FromRow)]
struct CredentialRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: Option<String>,
    kind: Option<String>,
}

fn unknown_kind(user: Uuid) -> StoreError {
    StoreError::Inconsistent {
        table: "factors",
        column: "kind",
        id: user.to_string(),
    }
}

const FIND_CREDENTIALS: &str = concat!(
    "SELECT ",
    user_columns!("u."),
    ", ",
    password_hash!("u"),
    ", f.kind FROM users u LEFT JOIN factors f ON f.user_id = u.id WHERE u.username_key = $1"
);

const REHASH: &str = "UPDATE users SET password_hash = $3 WHERE id = $1 AND $2 = \
    COALESCE(password_hash, (SELECT verifier FROM factors p WHERE p.user_id = users.id AND p.id = users.id))";

const SET_COLUMN: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";

const SAVE_PASSWORD: &str = "INSERT INTO factors (user_id, id, kind, verifier) VALUES ($1, $1, 'password', $2) \
    ON CONFLICT (user_id, id) DO UPDATE SET verifier = excluded.verifier";
