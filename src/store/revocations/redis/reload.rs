//! Filling Redis from SQL.

use super::super::super::db::Db;
use super::super::super::error::StoreError;
use super::follow::Follow;
use super::link::Link;
use super::script::{self, MARKER};

/// How long a loading key lives, and so a reload may take.
const LOADING_MS: u64 = 600_000;

/// Reloads everything. Several instances may do so at once: every write merges.
pub(super) async fn reload(db: &Db, link: &Link, follow: &mut Follow) -> Result<(), StoreError> {
    let loading = Loading::begin(link).await?;
    *follow = Follow::from_the_start();
    follow.copy_new(db, link).await?;
    if loading.finish(link).await? {
        tracing::info!("Redis has been filled with the revocations from SQL");
        Ok(())
    } else {
        Err(StoreError::unavailable(
            "Redis was flushed while it was being filled",
        ))
    }
}

/// A reload that has begun.
pub(super) struct Loading {
    key: String,
    finish_sha: String,
}

impl Loading {
    /// Leaves two traces that do not survive what a reload must notice: a key goes with a flush, a script
    /// with a restart, even one that restores a dump holding the key.
    pub(super) async fn begin(link: &Link) -> Result<Self, StoreError> {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let key = format!("{{signet}}:loading:{nonce}");
        let mut connection = link.for_reload();
        let finish_sha: String = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(script::finish(&nonce))
            .query_async(&mut connection)
            .await?;
        redis::cmd("SET")
            .arg(&key)
            .arg(1)
            .arg("PX")
            .arg(LOADING_MS)
            .query_async::<()>(&mut connection)
            .await?;
        Ok(Self { key, finish_sha })
    }

    /// Sets the marker and then, as the very last act, loads the check script. `false` when what was written
    /// is gone again.
    pub(super) async fn finish(self, link: &Link) -> Result<bool, StoreError> {
        let mut connection = link.for_reload();
        let finished: i64 = redis::cmd("EVALSHA")
            .arg(&self.finish_sha)
            .arg(2)
            .arg(&self.key)
            .arg(MARKER)
            .arg(link.epoch())
            .query_async(&mut connection)
            .await?;
        if finished == 1 {
            redis::cmd("SCRIPT")
                .arg("LOAD")
                .arg(script::check(link.epoch()))
                .query_async::<()>(&mut connection)
                .await?;
        }
        Ok(finished == 1)
    }
}
