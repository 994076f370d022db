//! Brings the schema up to this version's: forward only, in one transaction that several starting instances
//! race for.
//!
//! A migration is one text for both engines with the type words of [`dialect`](super::dialect). Statements
//! end with `;` at the end of a line (so a `;` inside a string may stand anywhere else), and lines that begin
//! with `--` are comments. What was applied is recorded in `schema_migrations` with a checksum: a file that
//! changed after it was applied is an error, a migration this version does not know (a newer one runs beside
//! it) is not.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::info;

use super::db::{Db, Tx};
use super::dialect;
use super::error::StoreError;
use crate::spec::time::Clock;

/// One step of the schema's history.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub number: i64,
    /// The file's name, for people.
    pub name: &'static str,
    /// The text, with type words.
    pub sql: &'static str,
}

/// Applies what is missing; the names of what was applied, in order.
pub async fn migrate(db: &Db, migrations: &[Migration]) -> Result<Vec<&'static str>, StoreError> {
    if pending(db, migrations).await?.is_empty() {
        return Ok(Vec::new());
    }
    prepare(db).await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        match apply(db, migrations).await {
            Err(StoreError::Retryable(_) | StoreError::Conflict { .. }) if attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(20 * attempt)).await;
            }
            done => return done,
        }
    }
}

/// The names of the migrations that [`migrate`] would apply; changes nothing.
pub async fn pending(db: &Db, migrations: &[Migration]) -> Result<Vec<&'static str>, StoreError> {
    let (exists,): (i64,) = db
        .q(dialect::pick(db.engine(), EXISTS_POSTGRES, EXISTS_SQLITE))
        .one()
        .await?;
    let applied = if exists == 0 {
        BTreeMap::new()
    } else {
        db.q(LIST)
            .all::<(i64, String)>()
            .await?
            .into_iter()
            .collect()
    };
    missing(migrations, &applied).map(|missing| missing.iter().map(|next| next.name).collect())
}

const ATTEMPTS: u64 = 10;

/// Makes the table of migrations and its row 0, the lock. Two first starts can collide even on
/// `CREATE TABLE IF NOT EXISTS` (PostgreSQL answers with a unique violation in its catalogue).
async fn prepare(db: &Db) -> Result<(), StoreError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match create_table(db).await {
            Err(
                StoreError::Retryable(_) | StoreError::Conflict { .. } | StoreError::Database(_),
            ) if attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(20 * attempt)).await;
            }
            done => return done,
        }
    }
}

async fn create_table(db: &Db) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.run_ddl(dialect::ddl(tx.engine(), CREATE_TABLE)).await?;
    tx.commit().await
}

async fn apply(db: &Db, migrations: &[Migration]) -> Result<Vec<&'static str>, StoreError> {
    let mut tx = db.begin().await?;
    // SQLite holds the write lock since BEGIN IMMEDIATE. On PostgreSQL the instance that writes row 0 first makes the
    // others wait until it has committed, and READ COMMITTED then shows them what it did.
    tx.take_your_time().await?;
    let now = Clock::system().now().micros();
    tx.q(LOCK).bind(now).exec().await?;
    let applied: BTreeMap<i64, String> = tx
        .q(LIST)
        .all::<(i64, String)>()
        .await?
        .into_iter()
        .collect();
    let missing = missing(migrations, &applied)?;
    for next in &missing {
        run(&mut tx, next).await?;
        tx.q(RECORD)
            .bind(next.number)
            .bind(next.name)
            .bind(checksum(next.sql))
            .bind(now)
            .exec()
            .await?;
    }
    tx.commit().await?;
    for next in &missing {
        info!(migration = next.name, "applied migration {}", next.name);
    }
    Ok(missing.iter().map(|next| next.name).collect())
}

async fn run(tx: &mut Tx, migration: &Migration) -> Result<(), StoreError> {
    let text = dialect::ddl(tx.engine(), migration.sql);
    for statement in statements(&text) {
        tx.run_ddl(statement).await.inspect_err(|error| {
            tracing::error!("migration {} failed: {error}", migration.name);
        })?;
    }
    Ok(())
}

fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
    {
        let line = line.trim_end();
        if let Some(last) = line.strip_suffix(';') {
            current.push_str(last);
            statements.push(std::mem::take(&mut current));
        } else {
            current.push_str(line);
            current.push('\n');
        }
    }
    statements.push(current);
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

fn missing<'m>(
    migrations: &'m [Migration],
    applied: &BTreeMap<i64, String>,
) -> Result<Vec<&'m Migration>, StoreError> {
    let mut missing = Vec::new();
    for migration in migrations {
        match applied.get(&migration.number) {
            None => missing.push(migration),
            Some(recorded) if *recorded == checksum(migration.sql) => {}
            Some(_) => {
                return Err(StoreError::Inconsistent {
                    table: "schema_migrations",
                    column: "checksum",
                    id: format!(
                        "{} ({} was changed after it had been applied)",
                        migration.number, migration.name
                    ),
                });
            }
        }
    }
    missing.sort_by_key(|migration| migration.number);
    Ok(missing)
}

/// SHA-256 of the text as it stands in the file, in hexadecimal.
fn checksum(sql: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(sql.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
  number BIGINT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at BIGINT NOT NULL
) {row}";

const LOCK: &str = "INSERT INTO schema_migrations (number, name, checksum, applied_at)
VALUES (0, 'lock', '', $1) ON CONFLICT (number) DO UPDATE SET applied_at = excluded.applied_at";

const LIST: &str =
    "SELECT number, checksum FROM schema_migrations WHERE number > 0 ORDER BY number";

const RECORD: &str = "INSERT INTO schema_migrations (number, name, checksum, applied_at)
VALUES ($1, $2, $3, $4)";

const EXISTS_POSTGRES: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT to_regclass('schema_migrations') AS t) s WHERE t IS NOT NULL";

const EXISTS_SQLITE: &str =
    "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";

#[cfg(test)]
mod tests {
    use super::super::db::tests::{MIGRATIONS, both};
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn eight_first_starts_race_and_all_succeed() {
        for round in 0..3 {
            for fresh in both().await {
                let starts: Vec<_> = (0..8)
                    .map(|_| {
                        let url = fresh.url.clone();
                        tokio::spawn(async move {
                            let db = Db::open(&url, 2).await?;
                            let applied = migrate(&db, MIGRATIONS).await?;
                            db.close().await;
                            Ok::<_, StoreError>(applied.len())
                        })
                    })
                    .collect();
                let mut applied = 0;
                for start in starts {
                    applied += start.await.unwrap().unwrap_or_else(|error| {
                        panic!("round {round}, {}: {error}", fresh.url);
                    });
                }
                assert_eq!(applied, 1);
            }
        }
    }

    #[tokio::test]
    async fn migrations_are_pending_then_applied_and_newer_ones_are_left_alone() {
        const NEXT: Migration = Migration {
            number: 3,
            name: "0003_next",
            sql: "-- a comment;\nCREATE TABLE next (id {uuid} NOT NULL PRIMARY KEY, note TEXT DEFAULT 'a;b', \n  on_ {bool} NOT NULL, data {json}) {hot};\n",
        };
        for fresh in both().await {
            let db = Db::open(&fresh.url, 4).await.unwrap();
            let newer = [MIGRATIONS[0], NEXT];
            assert_eq!(pending(&db, &newer).await.unwrap().len(), 2);
            assert_eq!(
                migrate(&db, &newer).await.unwrap(),
                ["0002_revocations", "0003_next"]
            );
            // An older version beside it.
            assert!(migrate(&db, MIGRATIONS).await.unwrap().is_empty());
            assert!(pending(&db, &newer).await.unwrap().is_empty());
            let changed = Migration {
                sql: "SELECT 2;",
                ..NEXT
            };
            let error = migrate(&db, &[changed]).await.unwrap_err();
            assert!(error.to_string().contains("0003_next"), "{error}");
            // A migration that fails leaves nothing behind.
            let broken = Migration {
                number: 4,
                name: "0004_broken",
                sql: "CREATE TABLE half (a BIGINT);\nCREATE TABLE half (a BIGINT);\n",
            };
            assert!(migrate(&db, &[broken]).await.is_err());
            assert_eq!(pending(&db, &[broken]).await.unwrap(), ["0004_broken"]);
            db.ping().await.unwrap();
        }
    }
}
