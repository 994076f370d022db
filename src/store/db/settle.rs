//! Waiting for the rollbacks of dropped transactions.
//!
//! A refusal leaves a handler with `?`, a client hangs up, a time limit ends a future: in each case a
//! [`Tx`](super::Tx) is dropped, and dropping cannot wait. The rollback is a task; [`settled`] waits for the tasks
//! that its own work left behind.

use tokio::runtime::Handle;
use tokio::task_local;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;

use super::ACQUIRE_TIMEOUT;

task_local! {
    /// The rollbacks of the work that runs inside [`settled`].
    static ROLLBACKS: TaskTracker;
}

/// Runs `work`, then waits until every transaction that it dropped has been rolled back: at most 5 seconds, when a
/// statement that was abandoned still runs.
///
/// Whatever answers a caller runs inside of it, so that what a caller does next never meets a lock of what was
/// answered.
pub async fn settled<F: Future>(work: F) -> F::Output {
    let rollbacks = TaskTracker::new();
    let output = ROLLBACKS.scope(rollbacks.clone(), work).await;
    rollbacks.close();
    let waited = tokio::time::timeout(ACQUIRE_TIMEOUT, rollbacks.wait()).await;
    if waited.is_err() {
        warn!("a transaction is still being rolled back; its request is answered meanwhile");
    }
    output
}

/// What `work` drops is waited for by the [`settled`] around the caller, also when it runs as a task of its own.
pub fn settled_with<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let rollbacks = ROLLBACKS.try_with(Clone::clone).unwrap_or_default();
    // While the work goes on there may be more to wait for.
    let going_on = rollbacks.token();
    async move {
        let output = ROLLBACKS.scope(rollbacks, work).await;
        drop(going_on);
        output
    }
}

/// Runs a rollback as a task of its own.
pub(super) fn spawn(rollback: impl Future<Output = ()> + Send + 'static) {
    // Without a runtime the process is ending, and the connection with it.
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let unsettled = begin();
    runtime.spawn(async move {
        rollback.await;
        drop(unsettled);
    });
}

/// A rollback that can be waited for, until it is dropped.
pub(super) struct Unsettled {
    _waited_for: Option<TaskTrackerToken>,
}

/// Notes that a rollback begins.
pub(super) fn begin() -> Unsettled {
    Unsettled {
        _waited_for: ROLLBACKS.try_with(TaskTracker::token).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::time::timeout;

    use super::super::super::error::StoreError;
    use super::super::tests::{both, migrated, postgres_fresh};
    use super::super::{Db, Engine};
    use super::settled;

    const ADVISORY: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    const OPEN: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    const SLEEP: &str = "SELECT CAST(1 AS BIGINT) FROM pg_sleep(0.3)";
    const PUT: &str = "INSERT INTO replay (kind, id, expires_at) VALUES ($1, $2, $3)";

    async fn count(db: &Db, sql: &'static str) -> i64 {
        db.q(sql).one::<(i64,)>().await.unwrap().0
    }

    /// Claims a key, writes, and leaves with an error, as a refusal does.
    async fn refuse(db: &Db, round: u64) -> Result<(), StoreError> {
        let mut tx = db.begin().await?;
        assert!(tx.claim_key("caller", b"key").await?, "round {round}");
        let put = tx.q(PUT).bind(1_i64).bind(vec![1_u8]).bind(1_i64);
        put.exec().await?;
        Err(StoreError::unavailable("refused"))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_of_a_refused_act_is_left_when_it_is_answered() {
        for fresh in both().await {
            let db = migrated(&fresh).await;
            // A second process, which does not wait for file locks.
            let other = Db::open(&fresh.url, 4).await.unwrap();
            for round in 0..200 {
                assert!(settled(refuse(&db, round)).await.is_err());
                if db.engine() == Engine::Postgres {
                    assert_eq!(count(&other, ADVISORY).await, 0, "round {round}");
                    assert_eq!(count(&other, OPEN).await, 0, "round {round}");
                } else if round % 20 == 0 {
                    let began = Instant::now();
                    drop(other.begin().await.unwrap());
                    assert!(began.elapsed() < Duration::from_secs(4), "round {round}");
                }
            }
            let (left,) = db
                .q("SELECT COUNT(*) FROM replay")
                .one::<(i64,)>()
                .await
                .unwrap();
            assert_eq!(left, 0);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn an_act_that_is_cancelled_inside_a_statement_gives_its_claim_back() {
        let Some(fresh) = postgres_fresh().await else {
            return;
        };
        let db = migrated(&fresh).await;
        let act = async || {
            let mut tx = db.begin().await.unwrap();
            assert!(tx.claim_key("caller", b"key").await.unwrap());
            tx.q(SLEEP).one::<(i64,)>().await.unwrap();
        };
        // A time limit answers: not before the claim is free.
        let limited = settled(async { timeout(Duration::from_millis(100), act()).await });
        assert!(limited.await.is_err());
        assert_eq!(count(&db, ADVISORY).await, 0);
        // A client hung up: the claim is free as soon as the statement has ended.
        assert!(
            timeout(Duration::from_millis(100), settled(act()))
                .await
                .is_err()
        );
        let began = Instant::now();
        while count(&db, ADVISORY).await > 0 {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "the claim is still held"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(count(&db, OPEN).await, 0);
    }
}
