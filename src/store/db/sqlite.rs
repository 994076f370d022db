//! A SQLite file: one connection that writes, four that read, one that watches.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::super::error::StoreError;
use super::wal_index::{Stamp, WalIndex};
use super::writer::{Writer, connect_writer};
use super::{ACQUIRE_TIMEOUT, Row};

const READERS: u32 = 4;
/// How long a statement waits for another process that holds the write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn open(path: &str) -> Result<(SqlitePool, Writer, Probe), StoreError> {
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        return Err(StoreError::BadUrl(
            "database_url: expected sqlite:// followed by the path of a file and nothing else, \
             for example sqlite://data/signet.db or sqlite:///var/lib/signet/signet.db"
                .into(),
        ));
    }
    let path = PathBuf::from(path);
    make_private(&path).map_err(|error| {
        StoreError::unavailable(format!("cannot create {}: {error}", path.display()))
    })?;

    let options = SqliteConnectOptions::new()
        .filename(&path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(512)
        .disable_statement_logging();
    let for_writing = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // With commits shared by all who wait, the durable setting costs little.
        .synchronous(SqliteSynchronous::Full);
    let for_reading = options.read_only(true);

    let mut connection = connect_writer(&for_writing).await?;
    // Without the index every check asks SQLite, which is slower and as right.
    let index = proven_index(&path, &mut connection)
        .await
        .unwrap_or_default();
    let writer = Writer::spawn(connection, for_writing);
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(for_reading.clone())
        .await?;
    let probe = Probe {
        connection: Arc::new(Mutex::new(Some(for_reading.connect().await?))),
        index,
    };
    Ok((readers, writer, probe))
}

/// The WAL index, if a commit is seen in it: on a file system where reading a file passes by what was written through
/// a mapping, or beside a file that is not the one in use, it would never be.
async fn proven_index(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<Option<WalIndex>, StoreError> {
    let (number,): (i64,) = sqlx::query_as("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await?;
    let Some(index) = WalIndex::open(path) else {
        return Ok(None);
    };
    let before = index.stamp();
    // This number has no use; changing it is the smallest commit there is.
    let next = (number + 1) % 1_000_000;
    let commit = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {next}"));
    sqlx::query(commit).execute(&mut *connection).await?;
    let after = index.stamp();
    let seen = after.is_some() && before != after;
    if !seen {
        tracing::info!(
            "the file system does not show commits at once; every check asks SQLite instead"
        );
    }
    Ok(seen.then_some(index))
}

/// The file holds password hashes and sealed keys: its owner's alone. SQLite gives the -wal and -shm files
/// the permissions of the database.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// A connection of its own that only looks: `PRAGMA data_version` changes when any *other* connection, of
/// this or of another process, has committed (<https://www.sqlite.org/pragma.html#pragma_data_version>).
#[derive(Clone)]
pub(crate) struct Probe {
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    index: Option<WalIndex>,
}

impl Probe {
    /// Where the file stands: while the stamp stays the same, so does [`data_version`](Self::data_version).
    /// `None` when only that can tell.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.index.as_ref()?.stamp()
    }

    /// A number that differs from the last one when something was committed since.
    pub(crate) async fn data_version(&self) -> Result<i64, StoreError> {
        let rows: Vec<(i64,)> = self.all(DATA_VERSION, &[]).await?;
        rows.first()
            .map(|row| row.0)
            .ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// A read on the same connection.
    pub(crate) async fn all<R: Row>(
        &self,
        sql: &'static str,
        numbers: &[i64],
    ) -> Result<Vec<R>, StoreError> {
        let mut slot = self.connection.lock().await;
        // A data_version is only comparable with another one of the same connection, so a closed one is
        // never replaced.
        let connection = slot
            .as_mut()
            .ok_or_else(|| StoreError::unavailable("the database is closed"))?;
        let mut query = sqlx::query_as(sql);
        for number in numbers {
            query = query.bind(*number);
        }
        Ok(query.fetch_all(connection).await?)
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _ = connection.close().await;
        }
    }
}

const DATA_VERSION: &str = "PRAGMA data_version";
