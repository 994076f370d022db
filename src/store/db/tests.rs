//! Both engines, as far as they are at hand: PostgreSQL when `STORE_TEST_POSTGRES` names one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::migrate::{Migration, migrate};
use super::*;

/// One migration, for the tests of the runner.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 2,
    name: "0002_revocations",
    sql: include_str!("../../../migrations/0002_revocations.sql"),
}];

/// An empty database of one engine; the directory goes with it.
pub(crate) struct Fresh {
    pub(crate) url: String,
    _directory: Option<tempfile::TempDir>,
}

pub(crate) fn sqlite_fresh() -> Fresh {
    let directory = tempfile::tempdir().unwrap();
    Fresh {
        url: format!("sqlite://{}/deep/er/signet.db", directory.path().display()),
        _directory: Some(directory),
    }
}

/// A database of its own on the server of `STORE_TEST_POSTGRES`.
pub(crate) async fn postgres_fresh() -> Option<Fresh> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("STORE_TEST_POSTGRES").ok()?;
    let name = format!(
        "store_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let admin = PgPool::connect(&server).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&admin)
        .await
        .unwrap();
    admin.close().await;
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    Some(Fresh {
        url: url.to_string(),
        _directory: None,
    })
}

pub(crate) async fn both() -> Vec<Fresh> {
    let mut all = vec![sqlite_fresh()];
    all.extend(postgres_fresh().await);
    all
}

pub(crate) async fn migrated(fresh: &Fresh) -> Db {
    let db = Db::open(&fresh.url, 16).await.unwrap();
    migrate(&db, super::super::MIGRATIONS).await.unwrap();
    db
}

const PUT: &str = "INSERT INTO replay (kind, id, expires_at) VALUES ($1, $2, $3)";
const COUNT: &str = "SELECT COUNT(*) FROM replay WHERE kind = $1";
const RETURNING: &str =
    "UPDATE replay SET expires_at = expires_at + $2 WHERE kind = $1 RETURNING id, expires_at";

async fn count(db: &Db, kind: i64) -> i64 {
    db.q(COUNT).bind(kind).one::<(i64,)>().await.unwrap().0
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn reads_writes_and_transactions_mean_the_same_on_both_engines() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        db.ping().await.unwrap();
        let put = |n: i64| {
            db.w(PUT)
                .bind(1i64)
                .bind(n.to_be_bytes().to_vec())
                .bind(n)
                .exec()
        };
        assert_eq!(assert_send(put(1)).await.unwrap(), 1);
        assert!(matches!(
            put(1).await.unwrap_err(),
            StoreError::Conflict { .. }
        ));
        let (id, at): (Vec<u8>, i64) = db.w(RETURNING).bind(1i64).bind(5i64).one().await.unwrap();
        assert_eq!((id, at), (1i64.to_be_bytes().to_vec(), 6));
        assert!(
            db.w(RETURNING)
                .bind(9i64)
                .bind(5i64)
                .opt::<(Vec<u8>, i64)>()
                .await
                .unwrap()
                .is_none()
        );

        let mut tx = db.begin().await.unwrap();
        tx.q(PUT)
            .bind(1i64)
            .bind(&b"x"[..])
            .bind(0i64)
            .exec()
            .await
            .unwrap();
        assert_eq!(tx.q(COUNT).bind(1i64).one::<(i64,)>().await.unwrap().0, 2);
        drop(tx);
        assert_eq!(count(&db, 1).await, 1, "a dropped transaction rolls back");

        let other = db.clone();
        tokio::spawn(async move {
            let mut tx = other.begin().await.unwrap();
            tx.q(PUT)
                .bind(1i64)
                .bind(&b"x"[..])
                .bind(0i64)
                .exec()
                .await
                .unwrap();
            tx.commit().await.unwrap();
        })
        .await
        .unwrap();
        assert_eq!(count(&db, 1).await, 2);
        db.close().await;
        assert!(db.begin().await.err().unwrap().is_unavailable());
        assert!(db.ping().await.unwrap_err().is_unavailable());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failing_statement_fails_its_own_caller_only() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        let writers: Vec<_> = (0..400i64)
            .map(|n| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.w(PUT)
                        .bind(2i64)
                        .bind((n / 2).to_be_bytes().to_vec())
                        .bind(n)
                        .exec()
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
            }
        }
        assert_eq!((won, count(&db, 2).await), (200, 200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transactions_dropped_in_the_middle_never_wedge_the_writer() {
    for fresh in both().await {
        let db = migrated(&fresh).await;
        for n in 0..300u64 {
            let other = db.clone();
            let half = tokio::spawn(async move {
                let mut tx = other.begin().await.unwrap();
                for i in 0..50i64 {
                    tx.q(PUT)
                        .bind(3i64)
                        .bind(i.to_be_bytes().to_vec())
                        .bind(i)
                        .exec()
                        .await
                        .unwrap();
                }
                std::future::pending::<()>().await;
                tx.commit().await.unwrap();
            });
            tokio::time::sleep(Duration::from_micros(n * 23)).await;
            half.abort();
            if n % 10 == 0 {
                let written = db
                    .w(PUT)
                    .bind(4i64)
                    .bind(n.to_be_bytes().to_vec())
                    .bind(0i64)
                    .exec();
                assert_eq!(written.await.unwrap(), 1);
            }
        }
        assert_eq!(count(&db, 3).await, 0);
        assert_eq!(count(&db, 4).await, 30);
        let mut tx = db.begin().await.unwrap();
        tx.q(PUT)
            .bind(3i64)
            .bind(&b"y"[..])
            .bind(0i64)
            .exec()
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&db, 3).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_waits_for_a_transaction_is_written_after_it() {
    let fresh = sqlite_fresh();
    let db = migrated(&fresh).await;
    let tx = db.begin().await.unwrap();
    let waiting: Vec<_> = (0..200i64)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                db.w(PUT)
                    .bind(5i64)
                    .bind(n.to_be_bytes().to_vec())
                    .bind(n)
                    .exec()
                    .await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(count(&db, 5).await, 0);
    drop(tx);
    for writer in waiting {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    assert_eq!(count(&db, 5).await, 200);
}

#[tokio::test]
async fn a_missing_table_is_an_error_and_the_batch_goes_on() {
    let fresh = sqlite_fresh();
    let db = migrated(&fresh).await;
    let bad = db.w("INSERT INTO nowhere VALUES (1)").exec().await;
    assert!(matches!(bad, Err(StoreError::Database(_))));
    assert!(db.q("SELECT 1").bind_pg(vec![1i64]).exec().await.is_err());
    db.w(PUT)
        .bind(1i64)
        .bind(&b"z"[..])
        .bind(0i64)
        .exec()
        .await
        .unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let fresh = sqlite_fresh();
    let _db = migrated(&fresh).await;
    let path = fresh.url.strip_prefix("sqlite://").unwrap();
    for path in [
        path.to_owned(),
        format!("{path}-wal"),
        format!("{path}-shm"),
    ] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
}

#[tokio::test]
async fn a_bad_url_says_what_was_expected_and_no_password() {
    for url in [
        "mysql://u:hunter2@h/d",
        "sqlite://",
        "sqlite://a?mode=ro",
        "postgres://u:hunter2@[bad/d",
        "",
    ] {
        let error = Db::open(url, 1).await.err().unwrap();
        assert!(matches!(error, StoreError::BadUrl(_)), "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

/// sqlx leaves a connection inside an open transaction when its `BEGIN` is cancelled.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_begin_that_is_cancelled_swallows_no_later_write() {
    for fresh in both().await {
        let db = Db::open(&fresh.url, 2).await.unwrap();
        migrate(&db, MIGRATIONS).await.unwrap();
        for n in 0..2000u64 {
            // Cancelled after a different number of polls each time; timers are too coarse.
            tokio::select! {
                biased;
                tx = db.begin() => drop(tx),
                () = async {
                    for _ in 0..(n % 50) {
                        tokio::task::yield_now().await;
                    }
                } => {}
            }
            db.w(PUT)
                .bind(6i64)
                .bind(n.to_be_bytes().to_vec())
                .bind(0i64)
                .exec()
                .await
                .unwrap();
        }
        let other = Db::open(&fresh.url, 2).await.unwrap();
        assert_eq!(count(&other, 6).await, 2000);
    }
}

#[tokio::test]
async fn reads_and_transactions_survive_a_restart_of_postgresql() {
    let Some(fresh) = postgres_fresh().await else {
        return;
    };
    let db = migrated(&fresh).await;
    for _ in 0..3 {
        // Several connections, all of which die.
        let mut open = Vec::new();
        for _ in 0..6 {
            open.push(db.begin().await.unwrap());
        }
        drop(open);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let admin = Db::open(&fresh.url, 1).await.unwrap();
        admin
            .q(
                "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .one::<(i64,)>()
            .await
            .unwrap();
        db.ping().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.q(COUNT).bind(1i64).one::<(i64,)>().await.unwrap();
        tx.commit().await.unwrap();
    }
}
