//! What can go wrong in the store, sorted by what the caller does about it.

use std::sync::Arc;

/// A failure of the store.
///
/// It is `Clone` because one failed commit answers everyone who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or does not answer in time; the same request may succeed later,
    /// so it is answered with 503 and `Retry-After`.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A row with this key exists already.
    #[error("already exists: {what}")]
    Conflict {
        /// The constraint on PostgreSQL, the table and columns on SQLite.
        what: String,
    },
    /// Another transaction was in the way (SQLSTATE 40001 and 40P01, `SQLITE_BUSY`); nothing was written
    /// and the whole transaction may be run again.
    #[error("the transaction collided with another one: {0}")]
    Retryable(Arc<sqlx::Error>),
    /// A row holds a value that no version of Signet writes.
    #[error("table {table}, column {column}, row {id}: the stored value makes no sense")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The primary key of the row.
        id: String,
    },
    /// A value cannot be written as JSON; nothing was stored.
    #[error("a value cannot be written as JSON: {0}")]
    Unwritable(String),
    /// The database refused the statement.
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// Redis answered with an error.
    #[error("redis: {0}")]
    Redis(redis::RedisError),
    /// A `database_url` or `redis_url` that cannot be used. Says what was expected and never quotes the
    /// URL, which may carry a password.
    #[error("{0}")]
    BadUrl(String),
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(error.to_string())
    }
}

impl StoreError {
    /// Whether the same request may succeed in a moment: answer 503 with `Retry-After`, not 500.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Retryable(_) | Self::Redis(_) => true,
            Self::Conflict { .. }
            | Self::Inconsistent { .. }
            | Self::Unwritable(_)
            | Self::Database(_)
            | Self::BadUrl(_) => false,
        }
    }

    /// Whether a row that was read makes no sense, so that reading it again will not help.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Inconsistent { .. } => true,
            Self::Database(error) => matches!(
                **error,
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
            ),
            Self::Unavailable(_)
            | Self::Retryable(_)
            | Self::Redis(_)
            | Self::Conflict { .. }
            | Self::Unwritable(_)
            | Self::BadUrl(_) => false,
        }
    }

    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            sqlx::Error::Database(cause) => {
                let code = cause.code().unwrap_or_default().into_owned();
                if cause.is_unique_violation() {
                    // SQLite names no constraint, only "UNIQUE constraint failed: users.username".
                    let what = cause
                        .constraint()
                        .unwrap_or_else(|| cause.message())
                        .to_owned();
                    return Self::Conflict { what };
                }
                match verdict(&code) {
                    Verdict::Retryable => Self::Retryable(Arc::new(error)),
                    Verdict::Unavailable => Self::Unavailable(error.to_string()),
                    Verdict::Refused => Self::Database(Arc::new(error)),
                }
            }
            _ => Self::Database(Arc::new(error)),
        }
    }
}

enum Verdict {
    Retryable,
    Unavailable,
    Refused,
}

/// SQLSTATEs have five characters (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), SQLite's
/// extended result codes are numbers whose low byte is the primary code (<https://www.sqlite.org/rescode.html>).
fn verdict(code: &str) -> Verdict {
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" => Verdict::Retryable,
            // Connection exceptions, insufficient resources, operator intervention (shutdown, and a
            // statement that ran into its timeout), read-only after a failover.
            _ if code.starts_with("08")
                || code.starts_with("53")
                || code.starts_with("57")
                || code == "25006" =>
            {
                Verdict::Unavailable
            }
            _ => Verdict::Refused,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        // SQLITE_BUSY, SQLITE_LOCKED.
        Ok(5 | 6) => Verdict::Retryable,
        // NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN: the machine's trouble, not the statement's.
        Ok(7 | 8 | 9 | 10 | 13 | 14) => Verdict::Unavailable,
        _ => Verdict::Refused,
    }
}
