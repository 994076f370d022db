//! The copy in memory, for SQLite.
//!
//! Everything is loaded at start. Every check first looks whether anyone has committed since, because the
//! command line writes to the same file from another process: at the header of the WAL index, and if that
//! changed, at `PRAGMA data_version` and what is new. Checks that wait together share one such question, but a
//! check never trusts a question that was asked before the check began: the [`Batcher`] closes a batch
//! before it runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::super::batch::Batcher;
use super::super::db::{Db, Probe, Stamp};
use super::super::error::StoreError;
use super::key::CLIENT;
use super::{GRACE, Key, Recorded};
use crate::spec::time::{Clock, Ts};

const WAITING_CHECKS: usize = 256;
const PAGE: usize = 1000;
const SWEEP_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Memory {
    probe: Probe,
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
    /// The stamp, or else the number, under which everything was read; neither before that happened once.
    stamp: Option<Stamp>,
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
        let (asking, shared) = (probe.clone(), Arc::clone(&records));
        let freshen = Batcher::spawn(
            WAITING_CHECKS,
            1,
            |check: &u64| *check,
            move |checks: Vec<u64>| {
                let (probe, records) = (asking.clone(), Arc::clone(&shared));
                async move {
                    freshen(&probe, &records).await?;
                    Ok(vec![(); checks.len()])
                }
            },
        );
        Ok(Self {
            probe,
            records,
            freshen,
            asked: AtomicU64::new(0),
        })
    }

    pub(super) async fn check(&self, keys: &[Key<'_>]) -> Result<Recorded, StoreError> {
        let stamp = self.probe.stamp();
        if stamp.is_some() {
            let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
            if records.stamp == stamp {
                return Ok(records.under(keys));
            }
        }
        self.freshen
            .submit(self.asked.fetch_add(1, Ordering::Relaxed))
            .await?;
        let records = self.records.read().unwrap_or_else(PoisonError::into_inner);
        Ok(records.under(keys))
    }
}

/// Reads what was committed since the last time. The stamp, or else the number, is read before the rows: what is
/// committed in between is read now and once more the next time.
async fn freshen(probe: &Probe, records: &RwLock<Records>) -> Result<(), StoreError> {
    let stamp = probe.stamp();
    let data_version = match stamp {
        Some(_) => None,
        None => Some(probe.data_version().await?),
    };
    let mut last_seq = {
        let records = records.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = match stamp {
            Some(_) => records.stamp == stamp,
            None => records.data_version == data_version,
        };
        if fresh {
            return Ok(());
        }
        records.last_seq
    };
    loop {
        let page: Vec<Line> = probe.all(SINCE, &[last_seq]).await?;
        let full = page.len() > PAGE;
        let mut records = records.write().unwrap_or_else(PoisonError::into_inner);
        for line in page {
            records.learn(line);
        }
        last_seq = records.last_seq;
        if !full {
            records.stamp = stamp;
            records.data_version = data_version;
            records.sweep(Clock::system().now());
            return Ok(());
        }
    }
}

impl Records {
    fn under(&self, keys: &[Key<'_>]) -> Recorded {
        Recorded {
            values: keys
                .iter()
                .map(|key| {
                    let record = self.by_kind.get(&key.kind())?.get(key.bytes())?;
                    Some(record.version)
                })
                .collect(),
            clients_version: self.clients_version,
        }
    }

    /// Rows come in the order of `seq`: the latest wins for a client, the largest for everything else.
    /// Kind 0 is the number of the last change of clients.
    fn learn(&mut self, (seq, kind, key, version, expires_at): Line) {
        if kind == 0 {
            self.clients_version = version;
            return;
        }
        self.last_seq = seq;
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

const SINCE: &str = "SELECT 0 AS seq, 0 AS kind, x'' AS key, version, 0 AS expires_at FROM changes WHERE topic = 'clients'
UNION ALL SELECT seq, kind, key, version, expires_at FROM revocations WHERE seq > $1 ORDER BY seq LIMIT 1001";
