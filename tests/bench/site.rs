//! A served store: the real `signet` binary with default settings on one engine.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::company;
use super::support::postgres::{Cluster, Database};
use super::support::redis::Redis;
use super::support::{ports, watchdog};

/// Where the server under load keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// The embedded default: a file and memory.
    Sqlite,
    /// PostgreSQL alone.
    Postgres,
    /// PostgreSQL with Redis beside it, as in production.
    PostgresRedis,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::PostgresRedis];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::PostgresRedis => "PostgreSQL + Redis",
        }
    }
}

/// One server and what is behind it.
pub(crate) struct Site {
    pub(crate) engine: Engine,
    directory: TempDir,
    database: Option<Database>,
    redis: Option<Redis>,
    port: u16,
    management_port: u16,
    process: Option<Child>,
}

impl Site {
    /// A store with `fixture.toml` and these users, not served yet.
    pub(crate) fn seeded(engine: Engine, users: &[String], password_hash: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("signet-bench-")
            .tempdir()
            .unwrap();
        watchdog::remove(directory.path().to_str().unwrap());
        let site = Self {
            engine,
            directory,
            database: (engine != Engine::Sqlite).then(|| durable_cluster().database()),
            redis: (engine == Engine::PostgresRedis).then(Redis::start),
            port: ports::free(),
            management_port: ports::free(),
            process: None,
        };
        let mut document = include_str!("fixture.toml").to_owned();
        for user in users {
            document += &format!(
                "\n[[users]]\nusername = \"{user}\"\npassword_hash = \"{password_hash}\"\n\
                 email = \"{user}@example.test\"\nname = \"{user}\"\n"
            );
        }
        if !users.is_empty() {
            document += &company::document();
        }
        site.apply(&document);
        site
    }

    /// Applies a document, in a process of its own.
    pub(crate) fn apply(&self, document: &str) {
        let file = self.directory.path().join("applied.toml");
        fs::write(&file, document).unwrap();
        let applied = self
            .command(&["apply", "-f", file.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(
            applied.status.success(),
            "signet apply: {}{}",
            String::from_utf8_lossy(&applied.stdout),
            String::from_utf8_lossy(&applied.stderr)
        );
    }

    /// Where the store is.
    pub(crate) fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!(
                "sqlite://{}/data/signet.db",
                self.directory.path().display()
            ),
        }
    }

    /// What a process elsewhere needs to work on the same store.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let keys = self.directory.path().join("keys");
        let mut all = vec![
            ("SIGNET_DATABASE_URL".to_owned(), self.database_url()),
            ("SIGNET_KEYS_DIR".to_owned(), keys.display().to_string()),
        ];
        let redis = self.redis.iter();
        all.extend(redis.map(|redis| ("SIGNET_REDIS_URL".to_owned(), redis.url())));
        all
    }

    /// Starts `signet serve` and returns at once.
    pub(crate) fn spawn(&mut self) {
        let command = self.command(&["serve"]);
        self.run(command);
    }

    fn run(&mut self, mut command: Command) {
        let log = File::create(self.directory.path().join("log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = command.spawn().unwrap();
        watchdog::watch(process.id());
        self.process = Some(process);
    }

    /// Starts `signet serve` and waits until it is ready.
    pub(crate) fn serve(&mut self) {
        self.spawn();
        self.wait_for("/health/ready", self.management_port);
    }

    /// The same where nobody who asks often is slowed.
    pub(crate) fn serve_without_limits(&mut self) {
        let mut command = self.command(&["serve"]);
        command.env("SIGNET_RATE_LIMITS", "false");
        self.run(command);
        self.wait_for("/health/ready", self.management_port);
    }

    /// Waits until every event that was written is linked into the audit trail, which takes the server's time.
    pub(crate) fn wait_until_linked(&self) {
        loop {
            let verified = self.command(&["audit", "verify", "--json"]).output();
            let verified = verified.unwrap();
            assert!(verified.status.success(), "{verified:?}");
            let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
            if report["waiting"] == 0 {
                return;
            }
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    /// Waits for the first 200 of a path at the public listener.
    pub(crate) fn wait_for_public(&mut self, path: &str) {
        self.wait_for(path, self.port);
    }

    fn wait_for(&mut self, path: &str, port: u16) {
        let patience = Instant::now() + Duration::from_secs(30);
        while !answers(path, port) {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < patience,
                "the server on {} does not get ready: {}",
                self.engine.as_str(),
                fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Ends the server as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
            watchdog::forget(process.id());
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("not served").id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let directory = self.directory.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
        command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SIGNET_ISSUER", format!("http://127.0.0.1:{}", self.port))
            .env("SIGNET_LISTEN", format!("127.0.0.1:{}", self.port))
            .env(
                "SIGNET_MANAGEMENT_LISTEN",
                format!("127.0.0.1:{}", self.management_port),
            );
        if let Some(database) = &self.database {
            command.env("SIGNET_DATABASE_URL", database.url());
        }
        if let Some(redis) = &self.redis {
            command.env("SIGNET_REDIS_URL", redis.url());
        }
        command
    }
}

/// A second instance on the same store.
pub(crate) struct Beside {
    port: u16,
    process: Child,
}

impl Beside {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(site: &Site) -> Self {
        let (port, management_port) = (ports::free(), ports::free());
        let process = site
            .command(&["serve"])
            .env("SIGNET_LISTEN", format!("127.0.0.1:{port}"))
            .env(
                "SIGNET_MANAGEMENT_LISTEN",
                format!("127.0.0.1:{management_port}"),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        watchdog::watch(process.id());
        let patience = Instant::now() + Duration::from_secs(30);
        while !answers("/health/ready", management_port) {
            assert!(
                Instant::now() < patience,
                "the second instance does not get ready"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { port, process }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        watchdog::forget(self.process.id());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The tests' cluster, made to keep what it has committed as one in production does.
pub(crate) fn durable_cluster() -> &'static Cluster {
    let cluster = Cluster::shared();
    for setting in ["fsync", "full_page_writes"] {
        cluster.sql("postgres", &format!("ALTER SYSTEM SET {setting} = on"));
    }
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    cluster
}

fn answers(path: &str, port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200 ")
}
