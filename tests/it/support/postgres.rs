//! One temporary PostgreSQL cluster per run, one database per test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::watchdog;

/// A cluster of Debian's PostgreSQL, reached through a Unix socket only.
pub(crate) struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    owner: Option<&'static str>,
}

/// One database of a cluster.
#[derive(Clone)]
pub(crate) struct Database {
    name: String,
    cluster: &'static Cluster,
}

impl Cluster {
    /// The cluster of this run; the first caller starts it.
    pub(crate) fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    /// An empty database of its own.
    pub(crate) fn database(&'static self) -> Database {
        self.create("template1")
    }

    fn create(&'static self, template: &str) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        );
        Database {
            name,
            cluster: self,
        }
    }

    /// Runs SQL as the superuser and returns what it prints, one row a line.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        let output = Command::new(self.binaries.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-p",
                "5432",
            ])
            .args(["-d", database, "-c", text, "-h"])
            .arg(&self.directory)
            .output()
            .expect("psql does not start: apt-get install postgresql-client");
        succeeded("psql", &output)
    }

    /// A cluster of a test's own, to be stopped; it lives until the end of the run.
    pub(crate) fn own() -> &'static Self {
        Box::leak(Box::new(Self::start()))
    }

    /// Ends the postmaster as a crash does.
    pub(crate) fn stop(&self) {
        self.pg_ctl(&["stop", "-w", "-m", "immediate"]);
    }

    /// Starts the postmaster after [`Cluster::stop`].
    pub(crate) fn restart(&self) {
        self.pg_ctl(&["start", "-w"]);
    }

    fn start() -> Self {
        let binaries = newest_binaries();
        // PostgreSQL refuses to run as root.
        let owner = rustix::process::geteuid().is_root().then_some("postgres");
        let made = as_owner(
            owner,
            Path::new("mktemp"),
            &["-d", "/tmp/signet-postgres-XXXXXXXX"],
        );
        let cluster = Self {
            directory: succeeded("mktemp", &made).into(),
            binaries,
            owner,
        };
        let directory = cluster.directory.to_str().unwrap();
        watchdog::stop_cluster(&format!("{directory}/data/postmaster.pid"));
        watchdog::remove(directory);

        let data = format!("{directory}/data");
        let settings = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ];
        succeeded(
            "initdb",
            &as_owner(owner, &cluster.binaries.join("initdb"), &settings),
        );
        std::fs::write(
            cluster.directory.join("data/postgresql.auto.conf"),
            format!(
                "unix_socket_directories = '{directory}'\nlisten_addresses = ''\nport = 5432\n\
                 max_connections = 300\nfsync = off\nfull_page_writes = off\nshared_buffers = '64MB'\n\
                 logging_collector = off\n"
            ),
        )
        .unwrap();
        cluster.pg_ctl(&["start", "-w"]);
        cluster
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let directory = self.directory.to_str().unwrap();
        let (data, log) = (format!("{directory}/data"), format!("{directory}/log"));
        let mut all = vec!["-s", "-D", &data, "-l", &log];
        all.extend_from_slice(arguments);
        let output = as_owner(self.owner, &self.binaries.join("pg_ctl"), &all);
        assert!(
            output.status.success(),
            "pg_ctl {arguments:?} failed: {}",
            std::fs::read_to_string(&log).unwrap_or_default()
        );
    }
}

impl Database {
    /// The address in the form that goes into `SIGNET_DATABASE_URL`.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres:///{}?host={}&port=5432&user=postgres",
            self.name,
            self.cluster.directory.display()
        )
    }

    /// A new database with the same content; nobody may be connected to this one.
    pub(crate) fn copy(&self) -> Self {
        self.cluster.create(&self.name)
    }

    pub(crate) fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Runs SQL in this database and returns what it prints, one row a line, columns separated by `|`.
    pub(crate) fn sql(&self, text: &str) -> String {
        self.cluster.sql(&self.name, text)
    }
}

fn newest_binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let binaries = entry.path().join("bin");
            binaries
                .join("initdb")
                .exists()
                .then_some((version, binaries))
        })
        .max()
        .expect("PostgreSQL is missing: apt-get install postgresql")
        .1
}

fn as_owner(owner: Option<&str>, program: &Path, arguments: &[&str]) -> Output {
    let mut command = match owner {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // The postmaster outlives pg_ctl: it must not hold a pipe whose end we wait for.
    let reports = program.file_name().is_some_and(|name| name != "pg_ctl");
    command.args(arguments).current_dir("/");
    if reports {
        return command
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    }
    let status = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    Output {
        status,
        stdout: Vec::new(),
        stderr: Vec::new(),
    }
}

fn succeeded(program: &str, output: &Output) -> String {
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
