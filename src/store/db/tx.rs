//! A transaction on either engine.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use super::super::error::StoreError;
use super::Engine;
use super::noted::{BUMP, EVERYTHING, MANY, Noted, Thing, WRITE};
use super::postgres::Open;
use super::query::{Ex, Q};
use super::writer::Lease;
use crate::crypto::random;

/// How long a transaction may stay open. A reader that follows the numbers of a serial column may forget a gap
/// after [`LONGEST_TX`] and some, because nothing can still be committed into it.
pub(crate) const LONGEST_TX: Duration = Duration::from_secs(30);

/// An open transaction. Dropping it rolls it back, and [`settled`](super::settled) waits for that.
pub struct Tx {
    kind: Connection,
    began: Instant,
    unhurried: bool,
    noted: Noted,
}

enum Connection {
    Postgres(Open),
    Sqlite(Lease),
}

impl Tx {
    pub(super) fn postgres(tx: Open) -> Self {
        Self {
            kind: Connection::Postgres(tx),
            began: Instant::now(),
            unhurried: false,
            noted: Noted::default(),
        }
    }

    pub(super) fn sqlite(lease: Lease) -> Self {
        Self {
            kind: Connection::Sqlite(lease),
            began: Instant::now(),
            unhurried: false,
            noted: Noted::default(),
        }
    }

    fn is_overdue(&self) -> bool {
        !self.unhurried && self.began.elapsed() > LONGEST_TX
    }

    /// Lets this transaction, and each of its statements, take minutes: it waits for another instance's
    /// migration or runs one itself. It must not write revocations.
    pub(crate) async fn take_your_time(&mut self) -> Result<(), StoreError> {
        self.unhurried = true;
        match self.engine() {
            Engine::Postgres => {
                self.run_ddl("SET LOCAL statement_timeout = '600s'".to_owned())
                    .await
            }
            Engine::Sqlite => Ok(()),
        }
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.kind {
            Connection::Postgres(_) => Engine::Postgres,
            Connection::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// A statement inside this transaction.
    pub fn q(&mut self, sql: &'static str) -> Q<'_> {
        let overdue = self.is_overdue();
        let ex = match &mut self.kind {
            _ if overdue => Ex::Expired,
            Connection::Postgres(tx) => match tx.connection() {
                Some(connection) => Ex::PgTx(connection, PgArguments::default()),
                None => Ex::Expired,
            },
            Connection::Sqlite(lease) => match lease.connection() {
                Some(connection) => Ex::LiteTx(connection, SqliteArguments::default()),
                None => Ex::Expired,
            },
        };
        Q::new(ex, sql)
    }

    /// Makes it durable. When this answers with an error the outcome is unknown only if the connection was
    /// lost; otherwise nothing was written.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if self.is_overdue() {
            return Err(StoreError::unavailable(
                "the transaction was open for too long and was rolled back",
            ));
        }
        if !self.noted.is_empty() {
            self.write_noted().await?;
        }
        match self.kind {
            Connection::Postgres(tx) => tx.commit().await,
            Connection::Sqlite(lease) => lease.commit().await,
        }
    }

    /// Runs text that is not a constant: an expanded migration, which was compiled in.
    pub(crate) async fn run_ddl(&mut self, sql: String) -> Result<(), StoreError> {
        match &mut self.kind {
            Connection::Postgres(tx) => {
                if let Some(connection) = tx.connection() {
                    sqlx::query(AssertSqlSafe(sql))
                        .persistent(false)
                        .execute(connection)
                        .await?;
                }
            }
            Connection::Sqlite(lease) => {
                if let Some(connection) = lease.connection() {
                    sqlx::query(AssertSqlSafe(sql))
                        .persistent(false)
                        .execute(connection)
                        .await?;
                }
            }
        }
        Ok(())
    }
}

impl Tx {
    /// Notes that a thing was changed or made; the commit tells every instance.
    pub(in crate::store) fn policy_changed(&mut self, thing: Thing) {
        self.noted.note(thing, false);
    }

    /// Notes that a thing was deleted, with what other things had of it.
    pub(in crate::store) fn policy_deleted(&mut self, thing: Thing) {
        self.noted.note(thing, true);
    }

    /// Writes what was noted, under one new version.
    /// Raises the version of a topic, and locks its row until the commit.
    pub(in crate::store) async fn bump(&mut self, topic: &str) -> Result<(), StoreError> {
        let mark = i64::from_le_bytes(random::bytes());
        let bump = self.q(BUMP).bind(topic.to_owned());
        bump.bind(mark).exec().await.map(drop)
    }

    async fn write_noted(&mut self) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut self.noted);
        // The row of the topic is locked from here to the commit: versions are committed in their order.
        self.bump("policy").await?;
        if noted.len() > MANY {
            return self.write_change(EVERYTHING, "", false).await;
        }
        for (thing, deleted) in noted.things() {
            let (kind, name) = thing.stored();
            self.write_change(kind, name, deleted).await?;
        }
        Ok(())
    }

    async fn write_change(
        &mut self,
        kind: &'static str,
        name: &str,
        deleted: bool,
    ) -> Result<(), StoreError> {
        let write = self.q(WRITE).bind(kind).bind(name.to_owned());
        write.bind(deleted).exec().await?;
        Ok(())
    }
}
