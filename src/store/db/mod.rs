//! One handle on either engine: [`Db`], its queries ([`Q`]) and its transactions ([`Tx`]).
//!
//! A query is one `&'static str` that runs on both engines:
//!
//! ```text
//! db.q(FIND).bind(id).opt::<Row>().await?         a read
//! db.w(INSERT).bind(id).bind(name).exec().await?  a write of one statement
//! let mut tx = db.begin().await?;                 several statements, all or nothing
//! tx.q(INSERT).bind(id).exec().await?;
//! tx.commit().await?;
//! ```
//!
//! SQLite has one connection that writes, owned by one task ([`writer`]): several writers stall each other
//! for seconds, one that commits what waits together does not. While a [`Tx`] is open on SQLite nothing else
//! is written, so await nothing but its own queries.
//!
//! A [`Tx`] that is dropped is rolled back at once, by a task. A handler runs its work inside
//! [`settled`], which gives the result back only when those tasks are done: no answer leaves while its own
//! transaction still holds a lock.

mod columns;
mod noted;
mod postgres;
mod query;
mod readable;
mod run;
mod settle;
mod sqlite;
mod tx;
mod wal_index;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use sqlx::{PgPool, SqlitePool};

pub(in crate::store) use columns::{numbered, row, writes};
pub(in crate::store) use noted::{MANY, Noted, Thing};
pub use query::{Q, Row};
pub(in crate::store) use readable::Readable;
pub(in crate::store) use run::{Among, Run, among, reads};
pub use settle::{settled, settled_with};
pub(crate) use sqlite::Probe;
pub(crate) use tx::LONGEST_TX;
pub use tx::Tx;
pub(crate) use wal_index::Stamp;

use super::error::StoreError;
use query::Ex;
use writer::Writer;

/// How long a request waits for a connection, or for room in a queue, before it is answered with 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database is behind a [`Db`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL, or what speaks its protocol and its SQL.
    Postgres,
    /// A SQLite file.
    Sqlite,
}

/// A handle on the database; clones share the same connections.
#[derive(Clone)]
pub struct Db {
    kind: Pools,
}

#[derive(Clone)]
enum Pools {
    Postgres(PgPool),
    Sqlite {
        readers: SqlitePool,
        writer: Writer,
        probe: Probe,
    },
}

impl Db {
    /// Opens `sqlite://path` (the directory and the file are made, readable by the owner only) or
    /// `postgres://…` with at most `max_connections` connections.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] says what was expected; [`StoreError::Unavailable`] when nothing answers.
    pub async fn open(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let kind = if let Some(path) = url.strip_prefix("sqlite://") {
            let (readers, writer, probe) = sqlite::open(path).await?;
            Pools::Sqlite {
                readers,
                writer,
                probe,
            }
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Pools::Postgres(postgres::open(url, max_connections).await?)
        } else {
            return Err(StoreError::BadUrl(
                "database_url: expected sqlite://path/to/file.db or postgres://user@host/database"
                    .into(),
            ));
        };
        Ok(Self { kind })
    }

    /// Which engine this is, for the few places where the SQL differs.
    pub fn engine(&self) -> Engine {
        match self.kind {
            Pools::Postgres(_) => Engine::Postgres,
            Pools::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// A statement that only reads. On PostgreSQL it is repeated once when the connection turns out to be
    /// lost.
    pub fn q(&self, sql: &'static str) -> Q<'_> {
        Q::new(
            match &self.kind {
                Pools::Postgres(pool) => Ex::Pg(pool, sqlx::postgres::PgArguments::default()),
                Pools::Sqlite { readers, .. } => {
                    Ex::Lite(readers, sqlx::sqlite::SqliteArguments::default())
                }
            },
            sql,
        )
    }

    /// One statement that writes, in a transaction of its own. On SQLite it shares a commit with whatever
    /// else waits; on PostgreSQL a serialization failure is retried three times.
    pub fn w(&self, sql: &'static str) -> Q<'_> {
        Q::new(
            match &self.kind {
                Pools::Postgres(pool) => Ex::PgWrite(pool, sqlx::postgres::PgArguments::default()),
                Pools::Sqlite { writer, .. } => {
                    Ex::LiteWrite(writer, sqlx::sqlite::SqliteArguments::default())
                }
            },
            sql,
        )
    }

    /// Begins a transaction. Dropping it without [`Tx::commit`] rolls it back.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match &self.kind {
            Pools::Postgres(pool) => Ok(Tx::postgres(postgres::begin(pool).await?)),
            Pools::Sqlite { writer, .. } => Ok(Tx::sqlite(writer.lease().await?)),
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let (_one,): (i64,) = self.q(PING).one().await?;
        Ok(())
    }

    /// Finishes what is queued and closes every connection.
    pub async fn close(&self) {
        match &self.kind {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite {
                readers,
                writer,
                probe,
            } => {
                readers.close().await;
                probe.close().await;
                writer.close().await;
            }
        }
    }

    /// The connection that tells what other connections and other processes have committed (SQLite only).
    pub(crate) fn probe(&self) -> Option<&Probe> {
        match &self.kind {
            Pools::Postgres(_) => None,
            Pools::Sqlite { probe, .. } => Some(probe),
        }
    }
}

const PING: &str = "SELECT CAST(1 AS BIGINT)";
