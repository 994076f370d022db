//! The shared copy in Redis, beside PostgreSQL.
//!
//! A check is one script call. What makes its answer trustworthy:
//!
//! - Every life of a Redis server as master has an *epoch*: its `run_id` (new with every start) and its
//!   `master_replid` (new with every promotion). It is read once per connection and again every second.
//! - A reload copies every living record from SQL and, at its end, writes the epoch into the marker key and
//!   only then loads the check script, whose text holds that epoch. Nothing else loads it. Scripts are
//!   neither persisted nor replicated since Redis 7, so after a restart (also from an old dump) or on a
//!   promoted replica the answer is `NOSCRIPT`; after `FLUSHALL` the marker is missing; a marker of another
//!   epoch is none. In all these cases no instance trusts the copy until a reload has gone through.
//! - A flush or restart *during* a reload takes the reload's loading key or its one-off finish script with
//!   it, so the finish fails and the reload starts over.
//! - Both scripts refuse to run on a replica (a `#!lua` script without the `no-writes` flag does).
//! - Redis must be 7 or newer and must not evict (`maxmemory-policy noeviction`), or it is not used.
//!
//! While the copy cannot be trusted or does not answer within [`RESPONSE_TIMEOUT`], checks are answered from
//! SQL without asking Redis again; only the background task reconnects, so requests never wait for it.
//!
//! What is left: where clients can be parted from the new master (a split brain), an instance on the side of
//! the old master reads its copy until its own background task has carried the new records there, one to two
//! seconds; `min-replicas-to-write 1` on the Redis servers closes even that. After restoring an *older*
//! database, flush Redis.

mod follow;
mod link;
mod reload;
mod script;

#[cfg(test)]
pub(super) mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::super::db::Db;
use super::super::error::StoreError;
use super::key::CLIENT;
use super::sql::Sql;
use super::{Key, Recorded};
use crate::spec::time::Ts;
use follow::Follow;
use link::{Checked, Link};
use script::Write;

/// How long a check waits for Redis before it asks SQL, and a connection attempt at most four times that.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
/// At least this long between two rounds, however often the task is woken.
const BREATH: Duration = Duration::from_millis(100);

pub(super) struct Redis {
    db: Db,
    sql: Sql,
    client: redis::Client,
    link: RwLock<Option<Arc<Link>>>,
    wake: Notify,
    on_sql: AtomicBool,
    /// How far the copy has come.
    follow: tokio::sync::Mutex<Follow>,
}

impl Redis {
    pub(super) fn new(db: Db, url: &str) -> Result<Self, StoreError> {
        // The client's own message may quote the URL, and with it the password.
        let client = redis::Client::open(url).map_err(|_| {
            StoreError::BadUrl(
                "redis_url: expected redis://user:password@host:port/database or rediss://…".into(),
            )
        })?;
        Ok(Self {
            sql: Sql::new(db.clone()),
            db,
            client,
            link: RwLock::new(None),
            wake: Notify::new(),
            on_sql: AtomicBool::new(false),
            follow: tokio::sync::Mutex::new(Follow::from_the_start()),
        })
    }

    pub(super) async fn check(&self, keys: &[Key<'_>]) -> Result<Recorded, StoreError> {
        if let Some(link) = self.link().filter(|link| link.is_trusted()) {
            match link.check(keys).await {
                Ok(Checked::Recorded(recorded)) => return Ok(recorded),
                Ok(Checked::Untrusted) => {
                    link.trust(false);
                    self.fall_back("Redis has lost its copy");
                }
                Err(error) => {
                    self.unlink(&link);
                    self.fall_back(&error.to_string());
                }
            }
        } else {
            self.fall_back("Redis is not ready");
        }
        self.sql.check(keys).await
    }

    pub(super) async fn publish(&self, records: &[(Key<'_>, i64, Ts)]) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(records.len());
        for (key, version, expires_at) in records {
            writes.extend(match key {
                Key::Client(_) => self.latest_of_client(key, *expires_at).await?,
                Key::Jti(_) | Key::Grant(_) | Key::Session(_) | Key::User(_) => {
                    Write::record((0, key.kind(), key.bytes(), *version), expires_at.micros())
                }
            });
        }
        self.write(&writes).await
    }

    pub(super) async fn publish_change(&self, topic: &str) -> Result<(), StoreError> {
        let changes: Vec<(String, i64)> = self.db.q(follow::CHANGES).all().await?;
        let writes: Vec<Write> = changes
            .iter()
            .filter(|change| change.0 == topic)
            .map(|(topic, version)| Write::change(topic, *version))
            .collect();
        self.write(&writes).await
    }

    /// A client's records follow the order of their rows, so what goes to Redis is what SQL says now, with
    /// the row's number: an older writer cannot overwrite a newer one.
    async fn latest_of_client(
        &self,
        key: &Key<'_>,
        expires_at: Ts,
    ) -> Result<Option<Write>, StoreError> {
        let latest: Option<(i64, i64, i64)> = self
            .db
            .q(LATEST)
            .bind(CLIENT)
            .bind(key.bytes())
            .opt()
            .await?;
        Ok(latest.and_then(|(seq, version, latest_expires_at)| {
            Write::record(
                (seq, CLIENT, key.bytes(), version),
                latest_expires_at.max(expires_at.micros()),
            )
        }))
    }

    /// Writes, on a fresh connection when the old one is broken: the writes may safely happen twice.
    async fn write(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut last = None;
        for _ in 0..2 {
            let written = match self.link_or_connect().await {
                Ok(link) => link.write(writes).await.inspect_err(|_| self.unlink(&link)),
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        self.wake.notify_one();
        let why = last.map(|error| error.to_string()).unwrap_or_default();
        warn!("a revocation could not be written to Redis, trying on in the background: {why}");
        Err(StoreError::unavailable(
            "Redis cannot be written, so the revocation may not hold everywhere yet",
        ))
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.link
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn link_or_connect(&self) -> Result<Arc<Link>, StoreError> {
        if let Some(link) = self.link() {
            return Ok(link);
        }
        let link = timeout(RESPONSE_TIMEOUT * 4, Link::connect(&self.client))
            .await
            .map_err(|_| StoreError::unavailable("Redis does not answer"))??;
        let link = Arc::new(link);
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Forgets a connection that failed, unless it was replaced meanwhile.
    fn unlink(&self, broken: &Arc<Link>) {
        broken.trust(false);
        let mut link = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, broken)) {
            *link = None;
        }
    }

    fn fall_back(&self, why: &str) {
        if !self.on_sql.swap(true, Ordering::Relaxed) {
            warn!("revocation checks are answered from SQL: {why}");
            self.wake.notify_one();
        }
    }

    /// One round of looking after the copy: once a second, or sooner when something is found wrong with it.
    pub(super) async fn tend(&self) -> Result<(), StoreError> {
        let mut follow = self.follow.lock().await;
        let tended = match self.link_or_connect().await {
            Ok(link) => {
                let tended = self.tend_link(&link, &mut follow).await;
                tended.inspect_err(|_| self.unlink(&link))
            }
            Err(error) => Err(error),
        };
        tended.inspect_err(|_| self.on_sql.store(true, Ordering::Relaxed))
    }

    /// Waits until something is found wrong, however often that is at least [`BREATH`].
    pub(super) async fn woken(&self) {
        sleep(BREATH).await;
        self.wake.notified().await;
    }

    async fn tend_link(&self, link: &Link, follow: &mut Follow) -> Result<(), StoreError> {
        link.verify_epoch().await?;
        if link.check(&[]).await? == Checked::Untrusted {
            link.trust(false);
            reload::reload(&self.db, link, follow).await?;
        } else {
            follow.copy_new(&self.db, link).await?;
        }
        if !link.is_trusted() {
            if link.check(&[]).await? == Checked::Untrusted {
                return Err(StoreError::unavailable("Redis lost its copy again"));
            }
            link.trust(true);
        }
        if self.on_sql.swap(false, Ordering::Relaxed) {
            info!("revocation checks are answered from Redis again");
        }
        Ok(())
    }
}

const LATEST: &str = "SELECT seq, version, expires_at FROM revocations
WHERE kind = $1 AND key = $2 ORDER BY seq DESC LIMIT 1";
