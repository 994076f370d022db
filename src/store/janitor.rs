//! The steady, small clean-up: rows of no further use, a bounded number at a time.

use super::Store;
use super::error::StoreError;
use crate::spec::time::Ts;

/// At most this many rows of each table in one sweep.
const SWEEP: i64 = 500;

impl Store {
    /// Deletes some of what ended before `before`; returns how many rows went.
    pub async fn sweep(&self, before: Ts) -> Result<u64, StoreError> {
        let mut gone = 0;
        for sql in [GRANTS, SESSIONS, SETUP_TOKENS] {
            gone += self
                .db
                .w(sql)
                .bind(before.micros())
                .bind(SWEEP)
                .exec()
                .await?;
        }
        Ok(gone + self.purge_policy_changes().await?)
    }
}

const GRANTS: &str = "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

const SESSIONS: &str = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

const SETUP_TOKENS: &str = "DELETE FROM setup_tokens WHERE digest IN (SELECT digest FROM setup_tokens WHERE expires_at < $1 LIMIT $2)";
