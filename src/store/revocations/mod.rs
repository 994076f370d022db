//! Revoked means revoked everywhere: one check for all ways to revoke.
//!
//! SQL is the record of truth and is written first, with [`record`] inside the transaction of the act. After
//! its commit, and before success is answered, [`Revocations::publish`] puts the record wherever checks read:
//!
//! | deployment | a check is | a published record |
//! |---|---|---|
//! | SQLite | a look into memory, after asking the file whether anyone committed | needs nothing more |
//! | PostgreSQL | one SQL statement | needs nothing more |
//! | PostgreSQL and Redis | one script call on Redis; SQL when Redis cannot be trusted | is written to Redis |
//!
//! A record is kept until every token it concerns has expired by itself.

mod key;
mod memory;
mod redis;
mod sql;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use super::changes::bump_changes;
pub use key::Key;

use super::db::{Db, Engine, Tx};
use super::error::StoreError;
use crate::spec::time::Ts;

/// How often the copy is looked after.
pub const COPY_EVERY: Duration = Duration::from_secs(1);

/// How much longer than asked a record is kept, for machines whose clocks disagree.
const GRACE: Duration = Duration::from_mins(1);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The recorded version of each key, in the order of the keys; `None`: nothing is recorded.
    pub values: Vec<Option<i64>>,
    /// Grows whenever a client was changed: what is cached of clients is stale when it was read under
    /// another number.
    pub clients_version: i64,
}

/// Writes down a revocation in the transaction of the act that revokes.
///
/// Two acts on one client must be in order: change or lock the client's own row first. `expires_at` is when
/// the last token concerned has expired; a newer record of a key never goes before an older one.
pub async fn record(
    tx: &mut Tx,
    key: &Key<'_>,
    version: i64,
    expires_at: Ts,
) -> Result<(), StoreError> {
    tx.q(RECORD)
        .bind(key.kind())
        .bind(key.bytes())
        .bind(version)
        .bind(expires_at.micros())
        .exec()
        .await?;
    Ok(())
}

/// What was recorded of a key last, if that is not forgotten yet.
pub async fn last_recorded(tx: &mut Tx, key: &Key<'_>) -> Result<Option<i64>, StoreError> {
    let row = tx
        .q(LAST)
        .bind(key.kind())
        .bind(key.bytes())
        .opt::<(i64,)>()
        .await?;
    Ok(row.map(|(version,)| version))
}

/// The check, and what keeps it true. Clones share everything.
#[derive(Clone)]
pub struct Revocations {
    db: Db,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Memory(Arc<memory::Memory>),
    Sql(Arc<sql::Sql>),
    Redis(Arc<redis::Redis>),
}

impl Revocations {
    /// Prepares the check for this deployment. The schema must be migrated. A Redis that does not answer is
    /// no error: checks are answered from SQL until it does. Beside SQLite `redis_url` is not used.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] for a `redis_url` that is none.
    pub async fn start(db: Db, redis_url: Option<&str>) -> Result<Self, StoreError> {
        let source = match (db.engine(), redis_url) {
            (Engine::Sqlite, _) => Source::Memory(Arc::new(memory::Memory::load(&db).await?)),
            (Engine::Postgres, None) => Source::Sql(Arc::new(sql::Sql::new(db.clone()))),
            (Engine::Postgres, Some(url)) => {
                Source::Redis(Arc::new(redis::Redis::new(db.clone(), url)?))
            }
        };
        Ok(Self { db, source })
    }

    /// What is recorded of these keys right now: everything that was committed and published before the
    /// call, whichever instance or command did it.
    pub async fn check(&self, keys: &[Key<'_>]) -> Result<Recorded, StoreError> {
        match &self.source {
            Source::Memory(memory) => memory.check(keys).await,
            Source::Sql(sql) => sql.check(keys).await,
            Source::Redis(redis) => redis.check(keys).await,
        }
    }

    /// Makes committed records hold everywhere. Answer success only after this did.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when Redis cannot be written: SQL has the record, but an instance that
    /// still reaches Redis would call the token active. Answer 503; the background task goes on trying, so
    /// the repeated request finds it done.
    pub async fn publish(&self, records: &[(Key<'_>, i64, Ts)]) -> Result<(), StoreError> {
        match &self.source {
            Source::Memory(_) | Source::Sql(_) => Ok(()),
            Source::Redis(redis) => redis.publish(records).await,
        }
    }

    /// Makes a committed [`bump_changes`] visible everywhere; fails like [`publish`](Self::publish).
    pub async fn publish_change(&self, topic: &str) -> Result<(), StoreError> {
        match &self.source {
            Source::Memory(_) | Source::Sql(_) => Ok(()),
            Source::Redis(redis) => redis.publish_change(topic).await,
        }
    }

    /// Deletes at most `limit` records that no living token needs; how many.
    pub async fn purge_expired(&self, now: Ts, limit: i64) -> Result<u64, StoreError> {
        self.db
            .w(PURGE)
            .bind(now.minus(GRACE).micros())
            .bind(limit)
            .exec()
            .await
    }

    /// Whether there is a copy to be kept: every process that serves calls [`keep_copy`](Self::keep_copy) each
    /// second then, commands do not.
    #[must_use]
    pub fn has_copy(&self) -> bool {
        match &self.source {
            Source::Memory(_) | Source::Sql(_) => false,
            Source::Redis(_) => true,
        }
    }

    /// Connects to Redis, reloads it and copies what was committed but not published (`kill -9` between the two).
    pub async fn keep_copy(&self) -> Result<(), StoreError> {
        match &self.source {
            Source::Memory(_) | Source::Sql(_) => Ok(()),
            Source::Redis(redis) => redis.tend().await,
        }
    }

    /// Waits until something is found wrong with the copy, at least a tenth of a second.
    pub async fn copy_failed(&self) {
        match &self.source {
            Source::Memory(_) | Source::Sql(_) => std::future::pending().await,
            Source::Redis(redis) => redis.woken().await,
        }
    }
}

const RECORD: &str = "INSERT INTO revocations (kind, key, version, expires_at)
SELECT $1, $2, $3, CASE WHEN older.expires_at > $4 THEN older.expires_at ELSE $4 END
FROM (SELECT MAX(expires_at) AS expires_at FROM revocations WHERE kind = $1 AND key = $2) AS older
WHERE $1 = 5 OR NOT EXISTS (SELECT 1 FROM revocations
WHERE kind = $1 AND key = $2 AND version >= $3 AND revocations.expires_at >= $4)";

const LAST: &str =
    "SELECT version FROM revocations WHERE kind = $1 AND key = $2 ORDER BY seq DESC LIMIT 1";

const PURGE: &str = "DELETE FROM revocations WHERE seq IN
(SELECT seq FROM revocations WHERE expires_at < $1 ORDER BY expires_at, seq LIMIT $2)";
