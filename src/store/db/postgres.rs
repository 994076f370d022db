//! The PostgreSQL pool.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction};
use tracing::debug;

use super::super::error::StoreError;
use super::{ACQUIRE_TIMEOUT, settle};

pub(super) async fn open(url: &str, max_connections: u32) -> Result<PgPool, StoreError> {
    // The parser's own message may quote the URL, and with it the password.
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| {
            StoreError::BadUrl(
                "database_url: expected postgres://user:password@host:port/database".into(),
            )
        })?
        .application_name("signet")
        .options([
            ("statement_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "30s"),
            // What is locked must be looked at again after waiting.
            ("default_transaction_isolation", "read committed"),
        ])
        .statement_cache_capacity(512)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A ping before every use would double the round trips; one after a pause finds what a restarted
        // server or a firewall has cut.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > Duration::from_secs(1) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Begins a transaction, and not half: sqlx 0.9 forgets to roll back when `BEGIN` itself is cancelled and
/// returns the connection to the pool inside an open transaction, where the next single write would seem to
/// succeed and be lost. So `BEGIN` runs in a task of its own that is never cancelled; when the caller has gone,
/// the finished transaction is dropped properly.
pub(super) async fn begin(pool: &PgPool) -> Result<Open, StoreError> {
    match begin_on(pool.acquire().await?).await {
        Err(StoreError::Unavailable(_)) => begin_on(live(pool).await?).await,
        begun => begun,
    }
}

async fn begin_on(connection: PoolConnection<Postgres>) -> Result<Open, StoreError> {
    let begun = tokio::spawn(Transaction::begin(connection, None)).await;
    let begun = begun.map_err(|_| StoreError::unavailable("BEGIN was abandoned"))??;
    Ok(Open(Some(begun)))
}

/// An open transaction; absent once it is being ended.
pub(super) struct Open(Option<Transaction<'static, Postgres>>);

impl Open {
    pub(super) fn connection(&mut self) -> Option<&mut PgConnection> {
        self.0.as_deref_mut()
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        match self.0.take() {
            Some(tx) => Ok(tx.commit().await?),
            None => Err(StoreError::unavailable("the transaction has ended")),
        }
    }
}

impl Drop for Open {
    /// Dropping cannot wait, and sqlx only queues the `ROLLBACK` until the connection is used again. A task sends it
    /// now and waits for the answer.
    fn drop(&mut self) {
        if let Some(tx) = self.0.take() {
            settle::spawn(async move {
                if let Err(error) = tx.rollback().await {
                    debug!(%error, "the connection was lost; the database rolls back by itself");
                }
            });
        }
    }
}

/// A connection that has just answered: after one was found dead the others of the pool may be, too.
pub(super) async fn live(pool: &PgPool) -> Result<PoolConnection<Postgres>, sqlx::Error> {
    for _ in 0..=pool.size() {
        let mut connection = pool.acquire().await?;
        if connection.ping().await.is_ok() {
            return Ok(connection);
        }
        connection.close_on_drop();
    }
    Err(sqlx::Error::PoolTimedOut)
}
