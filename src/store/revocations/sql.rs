//! The check as one statement on PostgreSQL: right with any number of instances.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::batch::Batcher;
use super::super::db::Db;
use super::super::error::StoreError;
use super::{Key, Recorded};

const WAITING_CHECKS: usize = 128;
const IN_FLIGHT: usize = 4;
const FEWEST: usize = 12;

/// Checks that wait together are one statement; none joins a statement that has begun.
pub(super) struct Sql {
    ask: Batcher<Ask, Recorded>,
    asked: AtomicU64,
}

struct Ask {
    number: u64,
    keys: Vec<(i64, Vec<u8>)>,
}

impl Sql {
    pub(super) fn new(db: Db) -> Self {
        Self {
            ask: Batcher::spawn(
                WAITING_CHECKS,
                IN_FLIGHT,
                |ask: &Ask| ask.number,
                move |asks| {
                    let db = db.clone();
                    async move { answer(&db, asks).await }
                },
            ),
            asked: AtomicU64::new(0),
        }
    }

    pub(super) async fn check(&self, keys: &[Key<'_>]) -> Result<Recorded, StoreError> {
        self.ask
            .submit(Ask {
                number: self.asked.fetch_add(1, Ordering::Relaxed),
                keys: keys
                    .iter()
                    .map(|key| (key.kind(), key.bytes().to_vec()))
                    .collect(),
            })
            .await
    }
}

async fn answer(db: &Db, asks: Vec<Ask>) -> Result<Vec<Recorded>, StoreError> {
    let lengths: Vec<usize> = asks.iter().map(|ask| ask.keys.len()).collect();
    // Kind 0 is never recorded; its line brings the version even when no key is asked for. PostgreSQL
    // expects ten elements of an array it has not seen and plans anew, which costs more than the check, as
    // long as there are fewer.
    let (mut kinds, mut keys): (Vec<i64>, Vec<Vec<u8>>) =
        asks.into_iter().flat_map(|ask| ask.keys).unzip();
    let asked = kinds.len();
    kinds.resize((asked + 1).max(FEWEST), 0);
    keys.resize((asked + 1).max(FEWEST), Vec::new());
    let padding = kinds.len() - asked;
    let mut lines = db
        .q(CHECK)
        .bind_pg(kinds)
        .bind_pg(keys)
        .all::<(Option<i64>, i64)>()
        .await?
        .into_iter();
    let clients_version = lines.as_slice().first().map_or(0, |line| line.1);
    let answers: Vec<Recorded> = lengths
        .into_iter()
        .map(|length| Recorded {
            values: lines.by_ref().take(length).map(|line| line.0).collect(),
            clients_version,
        })
        .collect();
    // Otherwise the answers would belong to other questions.
    if lines.len() == padding {
        Ok(answers)
    } else {
        Err(StoreError::unavailable(
            "the revocation check answered with a wrong number of rows",
        ))
    }
}

/// 5 is [`super::key::CLIENT`], whose latest record counts.
const CHECK: &str = "SELECT CASE WHEN asked.kind = 0 THEN NULL WHEN asked.kind = 5 THEN
  (SELECT r.version FROM revocations r WHERE r.kind = 5 AND r.key = asked.key ORDER BY r.seq DESC LIMIT 1)
ELSE
  (SELECT MAX(r.version) FROM revocations r WHERE r.kind = asked.kind AND r.key = asked.key)
END, COALESCE((SELECT version FROM changes WHERE topic = 'clients'), 0)
FROM UNNEST($1::BIGINT[], $2::BYTEA[]) WITH ORDINALITY AS asked (kind, key, place)
ORDER BY asked.place";
