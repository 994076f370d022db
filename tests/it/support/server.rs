//! The real `signet` binary, serving a store of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::engines::Engine;
use super::postgres::{Cluster, Database};
use super::redis::Redis;
use super::{ports, watchdog};

/// The users of `fixture.toml`.
pub(crate) const ALICE: (&str, &str) = ("alice", "correct horse battery staple");
pub(crate) const BOB: (&str, &str) = ("bob", "a wholly different pass phrase");

/// A server process, its addresses and the store behind it.
pub(crate) struct Server {
    site: Arc<Site>,
    issuer: String,
    port: u16,
    management_port: u16,
    settings: Vec<(String, String)>,
    process: Mutex<Option<Child>>,
    log: PathBuf,
    http: reqwest::Client,
}

/// What the instances of one deployment share.
struct Site {
    directory: TempDir,
    engine: Engine,
    database: Option<Database>,
    redis: Option<Redis>,
}

impl Server {
    /// A server whose store holds `fixture.toml`.
    pub(crate) fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[])
    }

    /// The same with further `SIGNET_*` settings.
    pub(crate) fn start_with(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let server = Self::at(Site::prepared(engine), None, settings);
        server.serve();
        server
    }

    /// A server on an empty store: no client, no user, no key.
    pub(crate) fn start_empty(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let server = Self::at(Site::empty(engine), None, settings);
        server.serve();
        server
    }

    /// A server on a PostgreSQL cluster of its own, which the test may crash.
    pub(crate) fn on_own_cluster() -> Self {
        let site = Site {
            directory: Site::directory(),
            engine: Engine::Postgres,
            database: Some(Cluster::own().database()),
            redis: None,
        };
        let server = Self::at(Arc::new(site), None, &[]);
        server.apply(include_str!("fixture.toml"));
        server.serve();
        server
    }

    /// Everything for a server on an empty store except the running process.
    pub(crate) fn not_started(engine: Engine, settings: &[(&str, &str)]) -> Self {
        Self::at(Site::empty(engine), None, settings)
    }

    /// The same server, started again with further `SIGNET_*` settings.
    pub(crate) fn with_settings(mut self, settings: &[(&str, &str)]) -> Self {
        self.stop();
        self.settings = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.serve();
        self
    }

    /// Another process with the same issuer on the same store, as behind a load balancer.
    pub(crate) fn second_instance(&self) -> Self {
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let server = Self::at(Arc::clone(&self.site), Some(self.issuer.clone()), &settings);
        server.serve();
        server
    }

    fn at(site: Arc<Site>, issuer: Option<String>, settings: &[(&str, &str)]) -> Self {
        let (port, management_port) = (ports::free(), ports::free());
        Self {
            log: site.directory.path().join(format!("{port}.log")),
            site,
            issuer: issuer.unwrap_or_else(|| format!("http://127.0.0.1:{port}")),
            port,
            management_port,
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            process: Mutex::new(None),
            http: reqwest::Client::builder()
                // A connection kept from before a restart would be dead.
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The address of a path at *this* instance.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The address of a path at the management listener.
    pub(crate) fn management_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.management_port)
    }

    /// A client without cookies that follows no redirect.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The Redis of this server.
    pub(crate) fn redis(&self) -> &Redis {
        self.site.redis.as_ref().expect("this engine has no Redis")
    }

    /// The PostgreSQL cluster of this server.
    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.database().cluster()
    }

    pub(crate) fn engine(&self) -> Engine {
        self.site.engine
    }

    pub(crate) fn has_postgres(&self) -> bool {
        self.site.database.is_some()
    }

    pub(crate) fn has_redis(&self) -> bool {
        self.site.redis.is_some()
    }

    /// The PostgreSQL database of this server.
    pub(crate) fn database(&self) -> &Database {
        self.site
            .database
            .as_ref()
            .expect("this engine has no PostgreSQL")
    }

    /// The directory in which the server and the command line run.
    pub(crate) fn directory(&self) -> &Path {
        self.site.directory.path()
    }

    /// What the server has logged since it was started.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Runs `signet ARGUMENTS` on the store of this server.
    pub(crate) fn signet(&self, arguments: &[&str]) -> Output {
        self.signet_with_input(arguments, "")
    }

    /// The same, with secrets on the standard input.
    pub(crate) fn signet_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // A command that does not read its input closes the pipe early.
        let _closed_early = process.stdin.take().unwrap().write_all(input.as_bytes());
        process.wait_with_output().unwrap()
    }

    /// Runs `signet ARGUMENTS`, which must succeed, and returns what it prints.
    pub(crate) fn signet_ok(&self, arguments: &[&str]) -> String {
        succeeded(
            &format!("signet {}", arguments.join(" ")),
            &self.signet(arguments),
        )
    }

    /// Applies a document beside `fixture.toml`.
    pub(crate) fn apply(&self, document: &str) -> String {
        let file = self.directory().join("document.toml");
        fs::write(&file, document).unwrap();
        self.signet_ok(&["apply", "-f", file.to_str().unwrap()])
    }

    /// `SIGKILL`: nothing is finished, nothing is written.
    pub(crate) fn kill9(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
            watchdog::forget(process.id());
        }
    }

    /// `SIGTERM`, and waits until the server has finished what was in flight.
    pub(crate) fn stop(&self) {
        let Some(mut process) = self.process.lock().unwrap().take() else {
            return;
        };
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        let patience = Instant::now() + PATIENCE;
        while process.try_wait().unwrap().is_none() {
            if Instant::now() > patience {
                process.kill().unwrap();
                process.wait().unwrap();
                watchdog::forget(process.id());
                panic!("the server does not end {PATIENCE:?} after SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        watchdog::forget(process.id());
    }

    /// `SIGTERM` without waiting.
    pub(crate) fn terminate(&self) {
        let process = self.process.lock().unwrap();
        kill_process(Pid::from_child(process.as_ref().unwrap()), Signal::TERM).unwrap();
    }

    /// Starts the server again on its old addresses; a running one is killed first.
    pub(crate) fn restart(&self) {
        self.kill9();
        self.serve();
    }

    fn serve(&self) {
        self.serve_with(&["serve"]);
    }

    /// Starts `signet ARGUMENTS` and waits until it is ready.
    pub(crate) fn serve_with(&self, arguments: &[&str]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let process = command.spawn().unwrap();
        watchdog::watch(process.id());
        *self.process.lock().unwrap() = Some(process);
        let patience = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let ended = self
                .process
                .lock()
                .unwrap()
                .as_mut()
                .unwrap()
                .try_wait()
                .unwrap();
            assert!(
                ended.is_none(),
                "the server ended ({}) before it was ready",
                ended.unwrap()
            );
            assert!(
                Instant::now() < patience,
                "the server is not ready after {PATIENCE:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.management_port)) else {
            return false;
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = "GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        let mut answer = Vec::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_end(&mut answer).is_ok()
            && answer.starts_with(b"HTTP/1.1 200 ")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_signet"));
        command.args(arguments);
        command
    }

    /// A program with the settings of this server, in its directory.
    pub(crate) fn program(&self, program: &str) -> Command {
        let directory = self.directory();
        let mut command = Command::new(program);
        command
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SIGNET_ISSUER", &self.issuer)
            .env("SIGNET_LISTEN", format!("127.0.0.1:{}", self.port))
            .env(
                "SIGNET_MANAGEMENT_LISTEN",
                format!("127.0.0.1:{}", self.management_port),
            )
            .env("SIGNET_DATABASE_URL", self.site.database_url())
            .env("SIGNET_DATABASE_MAX_CONNECTIONS", "8")
            .env("SIGNET_KEYS_DIR", directory.join("keys"))
            // The cheapest that the configuration allows.
            .env("SIGNET_PASSWORD_HASH_MEMORY_KIB", "7168")
            .env("SIGNET_PASSWORD_HASH_ITERATIONS", "5")
            .env("SIGNET_SHUTDOWN_TIMEOUT", "5s");
        if let Some(redis) = &self.site.redis {
            command.env("SIGNET_REDIS_URL", redis.url());
        }
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("--- the server's log ends with:\n{tail}\n---");
        }
    }
}

impl Site {
    fn directory() -> TempDir {
        let directory = tempfile::Builder::new()
            .prefix("signet-it-")
            .tempdir()
            .unwrap();
        watchdog::remove(directory.path().to_str().unwrap());
        directory
    }

    fn empty(engine: Engine) -> Arc<Self> {
        let directory = Self::directory();
        let database = (engine != Engine::Sqlite).then(|| Cluster::shared().database());
        let redis = (engine == Engine::PostgresRedis).then(Redis::start);
        Arc::new(Self {
            directory,
            engine,
            database,
            redis,
        })
    }

    /// A copy of a store to which `fixture.toml` was applied and which was served once, so that its keys exist.
    fn prepared(engine: Engine) -> Arc<Self> {
        // Poisoned when it fails: the other tests fail at once instead of trying again.
        static SQLITE: LazyLock<Arc<Site>> = LazyLock::new(|| Site::with_fixture(Engine::Sqlite));
        static POSTGRES: LazyLock<Arc<Site>> =
            LazyLock::new(|| Site::with_fixture(Engine::Postgres));
        let original: &Arc<Site> = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres | Engine::PostgresRedis => &POSTGRES,
        };
        let directory = Self::directory();
        copy_directory(
            &original.directory.path().join("keys"),
            &directory.path().join("keys"),
        );
        if engine == Engine::Sqlite {
            copy_directory(
                &original.directory.path().join("data"),
                &directory.path().join("data"),
            );
        }
        Arc::new(Self {
            directory,
            engine,
            database: original.database.as_ref().map(Database::copy),
            redis: (engine == Engine::PostgresRedis).then(Redis::start),
        })
    }

    fn with_fixture(engine: Engine) -> Arc<Self> {
        let server = Server::not_started(engine, &[]);
        server.apply(include_str!("fixture.toml"));
        server.serve();
        server.stop();
        Arc::clone(&server.site)
    }

    fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!(
                "sqlite://{}/data/signet.db",
                self.directory.path().display()
            ),
        }
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        // `fs::copy` keeps the mode, and the master key must stay readable by its owner only.
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What a process that must succeed has printed.
pub(crate) fn succeeded(what: &str, output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{what}: {}\n{out}{err}",
        output.status
    );
    out.into_owned()
}

const PATIENCE: Duration = Duration::from_secs(20);
