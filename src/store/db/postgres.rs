//! The PostgreSQL pool.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

use super::super::error::StoreError;
use super::ACQUIRE_TIMEOUT;

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
