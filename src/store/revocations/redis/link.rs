//! One connection to Redis, and the epoch of the server behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, ServerErrorKind, Value};

use super::super::super::error::StoreError;
use super::super::{Key, Recorded};
use super::RESPONSE_TIMEOUT;
use super::script::{self, CLIENTS_CHANGES, MARKER, Write};

/// Values in one call of the writing script.
const WRITES_PER_CALL: usize = 200;
/// A reload may take its time.
const BULK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Link {
    connection: MultiplexedConnection,
    epoch: String,
    check_sha: String,
    trusted: AtomicBool,
}

/// What a check on Redis came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Recorded(Recorded),
    /// The copy is not, or no longer, complete.
    Untrusted,
}

impl Link {
    pub(super) async fn connect(client: &Client) -> Result<Self, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT * 4))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let epoch = epoch(&mut connection).await?;
        let check_sha = redis::Script::new(&script::check(&epoch))
            .get_hash()
            .to_owned();
        Ok(Self {
            connection,
            epoch,
            check_sha,
            trusted: AtomicBool::new(false),
        })
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.trusted.load(Ordering::Acquire)
    }

    pub(super) fn trust(&self, trusted: bool) {
        self.trusted.store(trusted, Ordering::Release);
    }

    /// An error when the server behind the connection has begun another life.
    pub(super) async fn verify_epoch(&self) -> Result<(), StoreError> {
        if epoch(&mut self.connection.clone()).await? == self.epoch {
            Ok(())
        } else {
            Err(StoreError::unavailable("Redis has changed its role"))
        }
    }

    pub(super) async fn check(&self, keys: &[Key<'_>]) -> Result<Checked, StoreError> {
        // Never EVAL, and never SCRIPT LOAD on NOSCRIPT: that the script exists is half of the proof.
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.check_sha)
            .arg(keys.len() + 2)
            .arg(MARKER)
            .arg(CLIENTS_CHANGES);
        for key in keys {
            command.arg(script::record_key(key.kind(), key.bytes()));
        }
        let answer: Value = match command.query_async(&mut self.connection.clone()).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                return Ok(Checked::Untrusted);
            }
            answer => answer?,
        };
        if answer == Value::Nil {
            return Ok(Checked::Untrusted);
        }
        let values: Vec<Option<String>> = redis::from_redis_value(answer).map_err(malformed)?;
        let mut versions = values.iter().skip(1).map(|value| version(value.as_deref()));
        let (Some(clients), true) = (versions.next(), values.len() == keys.len() + 2) else {
            return Err(malformed("a wrong number of values"));
        };
        Ok(Checked::Recorded(Recorded {
            clients_version: clients?.unwrap_or(0),
            values: versions.collect::<Result<_, _>>()?,
        }))
    }

    pub(super) async fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        for chunk in writes.chunks(WRITES_PER_CALL) {
            let mut command = redis::cmd("EVAL");
            command.arg(script::WRITE).arg(chunk.len());
            for write in chunk {
                command.arg(&write.key);
            }
            for write in chunk {
                command
                    .arg(i32::from(write.by_seq))
                    .arg(write.seq)
                    .arg(write.version)
                    .arg(write.ttl);
            }
            command.query_async::<()>(&mut connection).await?;
        }
        Ok(())
    }

    /// The connection for the steps of a reload, which may wait longer.
    pub(super) fn for_reload(&self) -> MultiplexedConnection {
        let mut connection = self.connection.clone();
        connection.set_response_timeout(BULK_TIMEOUT);
        connection
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }
}

fn version(value: Option<&str>) -> Result<Option<i64>, StoreError> {
    let Some(value) = value else { return Ok(None) };
    let (_, version) = value.split_once(':').ok_or_else(|| malformed(value))?;
    version.parse().map(Some).map_err(malformed)
}

fn malformed(what: impl std::fmt::Display) -> StoreError {
    StoreError::unavailable(format!("Redis answers nonsense: {what}"))
}

/// The server's life as master, or why it cannot be used.
async fn epoch(connection: &mut MultiplexedConnection) -> Result<String, StoreError> {
    let info: String = redis::cmd("INFO").query_async(connection).await?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map_or("", str::trim)
    };
    let major: u32 = field("redis_version")
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    if major < 7 {
        return unfit("Redis 7 or newer is needed (older ones persist and replicate scripts)");
    }
    if field("role") != "master" {
        return unfit("this Redis is not the master");
    }
    if field("maxmemory_policy") != "noeviction" {
        return unfit("set maxmemory-policy to noeviction, or revocations may be evicted");
    }
    let (run_id, replid) = (field("run_id"), field("master_replid"));
    if [run_id, replid]
        .iter()
        .any(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        return unfit("Redis does not tell its run_id and master_replid");
    }
    Ok(format!("{run_id}.{replid}"))
}

fn unfit(why: &str) -> Result<String, StoreError> {
    Err(StoreError::unavailable(why))
}
