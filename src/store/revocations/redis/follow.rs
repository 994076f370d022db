//! Copying from SQL to Redis what is not there yet.
//!
//! PostgreSQL gives out row numbers when a row is inserted, not when it is committed, so a smaller number may
//! appear after a larger one. Numbers that were skipped are looked for again until no transaction can be open
//! any more that could still commit them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::super::db::{Db, LONGEST_TX};
use super::super::super::error::StoreError;
use super::super::GRACE;
use super::link::Link;
use super::script::Write;
use crate::spec::time::Clock;

const PAGE: usize = 500;
/// How far below the first number seen a gap may still be filled.
const LOOK_BACK: i64 = 1000;
const MOST_GAPS: usize = 10_000;
const FORGET_GAP: Duration = LONGEST_TX.saturating_mul(3);

pub(super) struct Follow {
    last_seq: i64,
    gaps: BTreeMap<i64, Instant>,
}

type Line = (i64, i64, Vec<u8>, i64, i64);

impl Follow {
    pub(super) fn from_the_start() -> Self {
        Self {
            last_seq: 0,
            gaps: BTreeMap::new(),
        }
    }

    /// Copies the rows that appeared since the last time, and the changes. Moves on only past what Redis has
    /// taken.
    pub(super) async fn copy_new(&mut self, db: &Db, link: &Link) -> Result<(), StoreError> {
        let changes: Vec<(String, i64)> = db.q(CHANGES).all().await?;
        let writes: Vec<Write> = changes
            .iter()
            .map(|(topic, version)| Write::change(topic, *version))
            .collect();
        link.write(&writes).await?;

        self.gaps.retain(|_, since| since.elapsed() < FORGET_GAP);
        if !self.gaps.is_empty() {
            let numbers: Vec<i64> = self.gaps.keys().copied().collect();
            let late: Vec<Line> = db.q(GAPS).bind_pg(numbers).all().await?;
            copy(link, &late).await?;
            for line in late {
                self.gaps.remove(&line.0);
            }
        }
        loop {
            let dead = Clock::system().now().minus(GRACE).micros();
            let page: Vec<Line> = db.q(SINCE).bind(self.last_seq).bind(dead).all().await?;
            copy(link, &page).await?;
            self.pass(&page);
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn pass(&mut self, page: &[Line]) {
        let Some(highest) = page.last().map(|line| line.0) else {
            return;
        };
        let now = Instant::now();
        let mut expected = (self.last_seq + 1).max(highest - LOOK_BACK);
        for line in page {
            for missing in expected..line.0 {
                self.gaps.insert(missing, now);
            }
            expected = expected.max(line.0 + 1);
        }
        self.last_seq = highest;
        while self.gaps.len() > MOST_GAPS {
            self.gaps.pop_first();
        }
    }
}

async fn copy(link: &Link, lines: &[Line]) -> Result<(), StoreError> {
    let writes: Vec<Write> = lines
        .iter()
        .filter_map(|(seq, kind, key, version, expires_at)| {
            Write::record((*seq, *kind, key, *version), *expires_at)
        })
        .collect();
    link.write(&writes).await
}

pub(super) const CHANGES: &str = "SELECT topic, version FROM changes ORDER BY topic";

const SINCE: &str = "SELECT seq, kind, key, version, expires_at FROM revocations
WHERE seq > $1 AND expires_at > $2 ORDER BY seq LIMIT 500";

const GAPS: &str = "SELECT seq, kind, key, version, expires_at FROM revocations
WHERE seq = ANY($1) ORDER BY seq";
