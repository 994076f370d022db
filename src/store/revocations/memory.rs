//! The copy in memory, for SQLite.
//!
//! Everything is loaded at start. Every check first asks the file whether anyone has committed since
//! (`PRAGMA data_version`), because the command line writes to the same file from another process. Checks
//! that wait together share one question, but a check never trusts a question that was asked before the
//! check began: the [`Batcher`] lets nobody join a batch that runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::super::batch::Batcher;
use super::super::db::{Db, Probe};
use super::super::error::StoreError;
use super::key::CLIENT;
use super::{GRACE, Key, Standing};
use crate::spec::time::{Clock, Ts};

const WAITING_CHECKS: usize = 256;
const PAGE: usize = 1000;
const SWEEP_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Memory {
    records: Arc<RwLock<Records>>,
    freshen: Batcher<u64, ()>,
    asked: AtomicU64,
}

#[derive(Default)]
struct Records {
    by_kind: HashMap<i64, HashMap<Vec<u8>, Record>>,
    clients_version: i64,
    /// The last row that was read; rows are numbered in the order of their commits, because SQLite has one
    /// writer at a time, and AUTOINCREMENT never gives a number twice.
    last_seq: i64,
    /// `None` until everything was loaded once.
    data_version: Option<i64>,
    swept_at: Option<Ts>,
}

struct Record {
    version: i64,
    expires_at: i64,
}

type Line = (i64, i64, Vec<u8>, i64, i64);

impl Memory {
    pub(super) async fn load(db: &Db) -> Result<Self, StoreError> {
        let probe = db
            .probe()
            .cloned()
            .ok_or_else(|| StoreError::unavailable("this engine has no data_version"))?;
        let records = Arc::new(RwLock::new(Records::default()));
        freshen(&probe, &records).await?;
        let shared = Arc::clone(&records);
        let freshen = Batcher::spawn(
            WAITING_CHECKS,
            1,
            |check: &u64| *check,
            move |checks: Vec<u64>| {
                let (probe, records) = (probe.clone(), Arc::clone(&shared));
                async move {
                    freshen(&probe, &records).await?;
                    Ok(vec![(); checks.len()])
                }
            },
        );
        Ok(Self {
            records,
            freshen,
            asked: AtomicU64::new(0),
        })
    }

    pub(super) async fn check(&self, keys: &[Key<'_>]) -> Result<Standing, StoreError> {
        self.freshen
            .submit(self.asked.fetch_add(1, Ordering::Relaxed))
            .await?;
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Standing {
            values: keys
                .iter()
                .map(|key| {
                    let record = records.by_kind.get(&key.kind())?.get(key.bytes())?;
                    Some(record.version)
                })
                .collect(),
            clients_version: records.clients_version,
        })
    }
}

/// Reads what was committed since the last time. The number is read before the rows: what is committed in
/// between is read now and once more the next time.
async fn freshen(probe: &Probe, records: &RwLock<Records>) -> Result<(), StoreError> {
    let data_version = probe.data_version().await?;
    let mut last_seq = {
        let records = records.read().unwrap_or_else(PoisonError::into_inner);
        if records.data_version == Some(data_version) {
            return Ok(());
        }
        records.last_seq
    };
    loop {
        let page: Vec<Line> = probe.all(SINCE, &[last_seq]).await?;
        let full = page.len() == PAGE;
        if let Some(last) = page.last() {
            last_seq = last.0;
            let mut records = records.write().unwrap_or_else(PoisonError::into_inner);
            records.last_seq = last_seq;
            for line in page {
                records.learn(line);
            }
        }
        if !full {
            break;
        }
    }
    let clients: Vec<(i64,)> = probe.all(CLIENTS_VERSION, &[]).await?;
    let mut records = records.write().unwrap_or_else(PoisonError::into_inner);
    records.clients_version = clients.first().map_or(0, |row| row.0);
    records.data_version = Some(data_version);
    records.sweep(Clock::system().now());
    Ok(())
}

impl Records {
    /// Rows come in the order of `seq`: the latest wins for a client, the largest for everything else.
    fn learn(&mut self, (_, kind, key, version, expires_at): Line) {
        let new = Record {
            version,
            expires_at,
        };
        self.by_kind
            .entry(kind)
            .or_default()
            .entry(key)
            .and_modify(|old| {
                if kind == CLIENT || version > old.version {
                    old.version = version;
                }
                old.expires_at = old.expires_at.max(expires_at);
            })
            .or_insert(new);
    }

    fn sweep(&mut self, now: Ts) {
        if self
            .swept_at
            .is_some_and(|swept_at| now.since(swept_at) < SWEEP_EVERY)
        {
            return;
        }
        self.swept_at = Some(now);
        let dead = now.minus(GRACE).micros();
        for records in self.by_kind.values_mut() {
            records.retain(|_, record| record.expires_at >= dead);
        }
    }
}

const SINCE: &str = "SELECT seq, kind, key, version, expires_at FROM revocations
WHERE seq > $1 ORDER BY seq LIMIT 1000";

const CLIENTS_VERSION: &str = "SELECT version FROM changes WHERE topic = 'clients'";
