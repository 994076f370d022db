//! A transaction on either engine.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use super::super::error::StoreError;
use super::super::policy_changes::Noted;
use super::Engine;
use super::postgres::Open;
use super::query::{Ex, Q};
use super::writer::Lease;

/// How long a transaction may stay open. A reader that follows the numbers of a serial column may forget a gap
/// after [`LONGEST_TX`] and some, because nothing can still be committed into it.
pub(crate) const LONGEST_TX: Duration = Duration::from_secs(30);

/// An open transaction. Dropping it rolls it back, and [`settled`](super::settled) waits for that.
pub struct Tx {
    kind: Kind,
    began: Instant,
    unhurried: bool,
    noted: Noted,
}

enum Kind {
    Postgres(Open),
    Sqlite(Lease),
}

impl Tx {
    pub(super) fn postgres(tx: Open) -> Self {
        Self {
            kind: Kind::Postgres(tx),
            began: Instant::now(),
            unhurried: false,
            noted: Noted::default(),
        }
    }

    pub(super) fn sqlite(lease: Lease) -> Self {
        Self {
            kind: Kind::Sqlite(lease),
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
            Kind::Postgres(_) => Engine::Postgres,
            Kind::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// A statement inside this transaction.
    pub fn q(&mut self, sql: &'static str) -> Q<'_> {
        let overdue = self.is_overdue();
        let ex = match &mut self.kind {
            _ if overdue => Ex::Expired,
            Kind::Postgres(tx) => match tx.connection() {
                Some(connection) => Ex::PgTx(connection, PgArguments::default()),
                None => Ex::Expired,
            },
            Kind::Sqlite(lease) => match lease.connection() {
                Some(connection) => Ex::LiteTx(connection, SqliteArguments::default()),
                None => Ex::Expired,
            },
        };
        Q::new(ex, sql)
    }

    /// What it changed of what decisions are made from; [`commit`](Self::commit) writes it.
    pub(in crate::store) fn noted(&mut self) -> &mut Noted {
        &mut self.noted
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
            Kind::Postgres(tx) => tx.commit().await,
            Kind::Sqlite(lease) => lease.commit().await,
        }
    }

    /// Runs text that is not a constant: an expanded migration, which was compiled in.
    pub(crate) async fn run_ddl(&mut self, sql: String) -> Result<(), StoreError> {
        match &mut self.kind {
            Kind::Postgres(tx) => {
                if let Some(connection) = tx.connection() {
                    sqlx::query(AssertSqlSafe(sql))
                        .persistent(false)
                        .execute(connection)
                        .await?;
                }
            }
            Kind::Sqlite(lease) => {
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
