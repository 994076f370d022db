//! What this machine can do at most, measured in the same run.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use axum::routing::get;
pub(crate) use signet::doors::PasswordParams;
use signet::doors::{Passwords, ServerLimits, SigningAlg, SigningKey, serve};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio_util::sync::CancellationToken;

use super::asks;
use super::load::{self, Length, Sample};
use super::operations::InTurn;
use super::process::{cores, cpu_micros};
use super::scenarios::Measured;
use super::site::durable_cluster;
use super::support::{ports, watchdog};

/// Signet's own defaults.
pub(crate) fn password_params() -> PasswordParams {
    PasswordParams {
        memory_kib: 19_456,
        iterations: 2,
        parallelism: 1,
        threads: cores().saturating_sub(1).max(1),
        queue: 1,
    }
}

/// A hash of everybody's password.
pub(crate) fn password_hash() -> String {
    let passwords = Passwords::new(password_params()).unwrap();
    runtime()
        .block_on(passwords.hash(asks::PASSWORD.to_owned()))
        .unwrap()
}

/// Signatures of an access token on every core, through the crate's own key.
pub(crate) fn signatures(length: Duration) -> Measured {
    let key = SigningKey::generate(SigningAlg::Es256).unwrap();
    let claims = serde_json::json!({
        "iss": "https://id.example.test", "sub": "machine", "aud": "https://id.example.test",
        "client_id": "machine", "scope": "orders:read", "iat": 1_700_000_000, "exp": 1_700_000_300,
        "jti": "0123456789abcdefghijkl",
    });
    let sample = busily(cores(), length, || {
        || {
            key.sign("at+jwt", &claims).unwrap();
        }
    });
    (SIGNATURES, sample)
}

/// The line of [`signatures`].
pub(crate) const SIGNATURES: &str = "ES256 signatures, every core";

/// Argon2id with the server's parameters on as many threads, their memory allocated before.
pub(crate) fn hashes(length: Duration) -> Measured {
    let params = password_params();
    let costs = Params::new(params.memory_kib, params.iterations, 1, Some(32)).unwrap();
    let sample = busily(params.threads, length, || {
        let mut memory = vec![Block::new(); costs.block_count()];
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, costs.clone());
        move || {
            let mut output = [0; 32];
            let password = asks::PASSWORD.as_bytes();
            hasher
                .hash_password_into_with_memory(password, &[7; 16], &mut output, &mut memory)
                .unwrap();
        }
    });
    ("Argon2id hashes, as many threads as the server", sample)
}

/// Runs something on so many threads; every thread makes its own.
fn busily<Work: FnMut()>(
    threads: usize,
    length: Duration,
    make: impl Fn() -> Work + Sync,
) -> Sample {
    let done = AtomicU64::new(0);
    let (cpu, began) = (cpu_micros(std::process::id()), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (done, make) = (&done, &make);
            scope.spawn(move || {
                let mut work = make();
                while began.elapsed() < length {
                    work();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    Sample {
        done: done.into_inner(),
        seconds: began.elapsed().as_secs_f64(),
        cpu_micros: cpu_micros(std::process::id()) - cpu,
        ..Sample::default()
    }
}

/// Updates of single rows, each in a commit of its own, through as many connections as the server's pool has.
pub(crate) fn postgres_commits(length: Duration) -> Measured {
    static PREPARED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let url = PREPARED.get_or_init(|| {
        let database = durable_cluster().database();
        database.sql(
            "CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) WITH (fillfactor = 50)",
        );
        database.sql("INSERT INTO counters SELECT id, 0 FROM generate_series(0, 1023) AS id");
        database.url()
    });
    let sample = runtime().block_on(async {
        let options = PgConnectOptions::from_str(url)
            .unwrap()
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(POOL)
            .min_connections(POOL)
            .connect_with(options)
            .await
            .unwrap();
        let done = Arc::new(AtomicU64::new(0));
        let began = Instant::now();
        let tasks: Vec<_> = (0..i64::from(POOL))
            .map(|task| {
                let (pool, done) = (pool.clone(), Arc::clone(&done));
                tokio::spawn(async move {
                    let mut turn = 0;
                    while began.elapsed() < length {
                        turn += 1;
                        sqlx::query("UPDATE counters SET n = n + 1 WHERE id = $1")
                            .bind((task * 32 + turn % 32) % 1024)
                            .execute(&pool)
                            .await
                            .unwrap();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let sample = counted(done.load(Ordering::Relaxed), began);
        pool.close().await;
        sample
    });
    ("PostgreSQL commits, 32 connections", sample)
}

/// Updates of single rows, each in a commit of its own that waits for the disk, by the one writer SQLite has.
pub(crate) fn sqlite_commits(length: Duration) -> Measured {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("counters.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    let sample = runtime().block_on(async {
        let mut connection = options.connect().await.unwrap();
        for sql in [
            "CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT",
            "WITH RECURSIVE ids (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM ids WHERE id < 1023)
             INSERT INTO counters SELECT id, 0 FROM ids",
        ] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
        let (began, mut done) = (Instant::now(), 0);
        while began.elapsed() < length {
            sqlx::query("UPDATE counters SET n = n + 1 WHERE id = $1")
                .bind(i64::try_from(done % 1024).unwrap())
                .execute(&mut connection)
                .await
                .unwrap();
            done += 1;
        }
        let sample = counted(done, began);
        connection.close().await.unwrap();
        sample
    });
    ("SQLite commits, one connection", sample)
}

/// What the database used is not counted, so no processor time is told.
fn counted(done: u64, began: Instant) -> Sample {
    Sample {
        done,
        seconds: began.elapsed().as_secs_f64(),
        cpu_micros: f64::NAN,
        ..Sample::default()
    }
}

/// This program once more, with nothing but the accept loop and a handler that does nothing.
pub(crate) struct EmptyServer {
    process: Child,
    port: u16,
}

impl EmptyServer {
    pub(crate) fn start() -> Self {
        let port = ports::free();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--empty-server", &port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        watchdog::watch(process.id());
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { process, port }
    }

    pub(crate) async fn measure(&self, connections: usize, length: Length) -> Measured {
        let all = InTurn::on(connections, vec![asks::get("/")], "ok");
        let address = ([127, 0, 0, 1], self.port).into();
        let sample = load::run(address, self.process.id(), all, length).await;
        ("an empty handler, same accept loop", sample)
    }
}

impl Drop for EmptyServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        watchdog::forget(self.process.id());
    }
}

/// What [`EmptyServer`] runs.
pub(crate) fn serve_empty(port: u16) {
    runtime().block_on(async {
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let routes = axum::Router::new().route("/", get(|| async { "ok" }));
        let never = CancellationToken::new();
        serve(
            listener,
            routes,
            ServerLimits::default(),
            never,
            Duration::ZERO,
        )
        .await;
    });
}

/// A runtime like the server's own.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The server's default `database_max_connections`.
const POOL: u32 = 32;
