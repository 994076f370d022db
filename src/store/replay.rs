//! What may be used once: the `jti` of a client's assertion
//! ([RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)), of a DPoP proof
//! ([RFC 9449 §11.1](https://www.rfc-editor.org/rfc/rfc9449#section-11.1)) and the like.
//!
//! The record is SQL on every deployment, Redis or not. `SET NX` would be faster, but a Redis that loses its
//! memory (flush, restart, failover to a lagging replica) forgets what was used while the assertions are
//! still valid, and a fallback to SQL while Redis is down would not see what Redis has seen, nor the other
//! way round. One guarded insert has neither hole.

use super::db::Db;
use super::error::StoreError;
use crate::spec::time::Ts;

/// What kind of thing may be used once. The numbers are stored: a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneTime {
    /// The `jti` of an assertion with which a client authenticates (RFC 7523 §3).
    ClientAssertion,
}

impl OneTime {
    /// Its number in the table.
    const fn number(self) -> i64 {
        match self {
            Self::ClientAssertion => 1,
        }
    }
}

/// The memory of what has been used.
#[derive(Clone)]
pub struct Replay {
    db: Db,
}

impl Replay {
    /// Remembers in `db`.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Whether this is the first use of `id` among those of its `kind`. It is remembered until `until`, when
    /// whatever carries it has expired; callers pass a digest when the id can be long.
    pub async fn once(&self, kind: OneTime, id: &[u8], until: Ts) -> Result<bool, StoreError> {
        let inserted = self
            .db
            .w(INSERT)
            .bind(kind.number())
            .bind(id)
            .bind(until.micros())
            .exec()
            .await?;
        Ok(inserted == 1)
    }

    /// Forgets at most `limit` of those that have expired; how many.
    pub async fn purge_expired(&self, now: Ts, limit: i64) -> Result<u64, StoreError> {
        self.db.w(PURGE).bind(now.micros()).bind(limit).exec().await
    }
}

const INSERT: &str = "INSERT INTO replay (kind, id, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (kind, id) DO NOTHING";

const PURGE: &str = "DELETE FROM replay WHERE (kind, id) IN
(SELECT kind, id FROM replay WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
