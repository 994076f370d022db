//! A `redis-server` of a test's own: tests flush it, stop it and kill it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{ports, watchdog};

/// A running (or stopped) `redis-server` on a port of its own, without persistence.
pub(crate) struct Redis {
    port: u16,
    process: Mutex<Option<Child>>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let redis = Self {
            port: ports::free(),
            process: Mutex::new(None),
        };
        redis.restart();
        redis
    }

    /// The address in the form that goes into `SIGNET_REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Everything Redis knows is lost.
    pub(crate) fn flush(&self) {
        assert_eq!(self.command("FLUSHALL"), "+OK");
    }

    /// Redis wants this password from now on, from everybody who connects.
    pub(crate) fn require_password(&self, password: &str) {
        let answer = self.command(&format!("CONFIG SET requirepass {password}"));
        assert_eq!(answer, "+OK");
    }

    /// Kills Redis; connections break and new ones are refused.
    pub(crate) fn stop(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.kill().unwrap();
            process.wait().unwrap();
            watchdog::forget(process.id());
        }
    }

    /// Redis stops answering, while its connections stay open.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Redis goes on after [`Redis::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts Redis on its old port, empty.
    pub(crate) fn restart(&self) {
        self.stop();
        let port = self.port.to_string();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        watchdog::watch(process.id());
        *self.process.lock().unwrap() = Some(process);
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < patience,
                "redis-server does not listen on port {port}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.lock().unwrap();
        kill_process(Pid::from_child(process.as_ref().unwrap()), signal).unwrap();
    }

    /// Redis' inline protocol: one line there, one line back.
    fn command(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
