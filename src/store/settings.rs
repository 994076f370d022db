//! Facts that every instance on one store must agree on, and one-time set-up links: the `settings` and
//! `setup_tokens` tables.

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use crate::crypto::secret::TokenDigest;
use crate::spec::time::Ts;

impl Store {
    /// Sets a fact unless it is set already, and returns what holds now.
    pub async fn settle(&self, name: &'static str, value: &str) -> Result<String, StoreError> {
        self.db
            .w(SETTLE)
            .bind(name.to_owned())
            .bind(value.to_owned())
            .exec()
            .await?;
        let (settled,) = self
            .db
            .q(FIND)
            .bind(name.to_owned())
            .one::<(String,)>()
            .await?;
        Ok(settled)
    }

    /// Whether the link may still be used.
    pub async fn setup_token_is_valid(
        &self,
        digest: TokenDigest,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let row = self
            .db
            .q(FIND_SETUP)
            .bind(digest.as_bytes().to_vec())
            .bind(now.micros())
            .opt::<(i64,)>()
            .await?;
        Ok(row.is_some())
    }
}

impl Tx {
    /// Stores the digest of a one-time set-up link.
    pub async fn insert_setup_token(
        &mut self,
        digest: TokenDigest,
        now: Ts,
        expires_at: Ts,
    ) -> Result<(), StoreError> {
        self.q(INSERT_SETUP)
            .bind(digest.as_bytes().to_vec())
            .bind(now.micros())
            .bind(expires_at.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// What a fact is set to.
    pub async fn find_setting(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self
            .q(FIND)
            .bind(name.to_owned())
            .opt::<(String,)>()
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Sets a fact, whatever it was before.
    pub async fn save_setting(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(name.to_owned())
            .bind(value.to_owned())
            .exec()
            .await?;
        Ok(())
    }

    /// Forgets a fact.
    pub async fn delete_setting(&mut self, name: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(name.to_owned()).exec().await?;
        Ok(())
    }

    /// Uses the link up, for the one transaction that wins it; every other link ends with it.
    pub async fn use_setup_token(
        &mut self,
        digest: TokenDigest,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let used = self
            .q(USE_SETUP)
            .bind(digest.as_bytes().to_vec())
            .bind(now.micros())
            .exec()
            .await?;
        if used == 1 {
            self.q(END_SETUP).bind(now.micros()).exec().await?;
        }
        Ok(used == 1)
    }
}

const SETTLE: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const FIND: &str = "SELECT value FROM settings WHERE name = $1";

const SAVE: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const DELETE: &str = "DELETE FROM settings WHERE name = $1";

const INSERT_SETUP: &str =
    "INSERT INTO setup_tokens (digest, created_at, expires_at) VALUES ($1, $2, $3)";

const FIND_SETUP: &str =
    "SELECT created_at FROM setup_tokens WHERE digest = $1 AND used_at IS NULL AND expires_at > $2";

const USE_SETUP: &str = "UPDATE setup_tokens SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2";

const END_SETUP: &str = "UPDATE setup_tokens SET used_at = $1 WHERE used_at IS NULL";
