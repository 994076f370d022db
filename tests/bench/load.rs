//! The load generator: keep-alive HTTP/1.1 connections, each doing one thing after the other.
//!
//! It runs on one thread, beside the server on the same machine. Latency is what a connection sees; when
//! the server is faster than the generator, the generator's own queue is in it.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::process::{cpu_micros, resident_mib};

/// A request that can be sent again and again.
pub(crate) type Ask = Request<Full<Bytes>>;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One connection that is kept open.
pub(crate) struct Connection {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            sender: None,
        }
    }

    pub(crate) async fn send(&mut self, ask: Ask) -> Result<Answer, String> {
        let answer = self.try_send(ask).await;
        if answer.is_err() {
            self.sender = None;
        }
        answer.map_err(|error| format!("no answer: {error}"))
    }

    async fn try_send(&mut self, ask: Ask) -> Result<Answer, Box<dyn std::error::Error>> {
        let sender = match &mut self.sender {
            Some(sender) => sender,
            none => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                none.insert(sender)
            }
        };
        sender.ready().await?;
        let (head, body) = sender.send_request(ask).await?.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

/// What one connection does over and over.
pub(crate) trait Operation: 'static {
    /// Does it once. `Ok(false)` says that there is nothing left to do and nothing was done.
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String>;
}

/// How long a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// That long, after a warm-up that is not counted.
    Timed {
        warm_up: Duration,
        measured: Duration,
    },
    /// Until every operation has nothing left to do.
    Exhausted,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) done: u64,
    pub(crate) seconds: f64,
    /// Microseconds, ascending.
    pub(crate) latencies: Vec<u32>,
    pub(crate) cpu_micros: f64,
    pub(crate) resident_mib: f64,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

impl Sample {
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    pub(crate) fn cpu_each(&self) -> f64 {
        self.cpu_micros / self.done as f64
    }

    /// A latency in milliseconds; `share` is 0.5 for the median.
    pub(crate) fn latency(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        f64::from(self.latencies.get(place).copied().unwrap_or_default()) / 1000.0
    }
}

/// Lets every operation run on a connection of its own against the process `pid`.
pub(crate) async fn run<O: Operation>(
    address: SocketAddr,
    pid: u32,
    operations: Vec<O>,
    length: Length,
) -> Sample {
    run_with(address, pid, operations, length, None).await
}

/// The same, where each connection begins one operation per `pace` and no more. An operation that comes late
/// because the one before it took too long has its waiting counted.
pub(crate) async fn run_paced<O: Operation>(
    address: SocketAddr,
    pid: u32,
    operations: Vec<O>,
    length: Length,
    pace: Duration,
) -> Sample {
    run_with(address, pid, operations, length, Some(pace)).await
}

async fn run_with<O: Operation>(
    address: SocketAddr,
    pid: u32,
    operations: Vec<O>,
    length: Length,
    pace: Option<Duration>,
) -> Sample {
    let phase = Rc::new(Phase::default());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let connections = operations.len().max(1);
            let mut workers = JoinSet::new();
            for (number, operation) in operations.into_iter().enumerate() {
                let phase = Rc::clone(&phase);
                let lag = pace
                    .map(|pace| pace * u32::try_from(number).unwrap_or(0))
                    .map(|all| all / u32::try_from(connections).unwrap_or(1));
                workers.spawn_local(async move {
                    if let Some(lag) = lag {
                        tokio::time::sleep(lag).await;
                    }
                    work(address, operation, &phase, pace).await
                });
            }
            if let Length::Timed { warm_up, .. } = length {
                tokio::time::sleep(warm_up).await;
            }
            let cpu = cpu_micros(pid);
            let began = Instant::now();
            phase.counting.set(true);
            let mut sample = Sample::default();
            if let Length::Timed { measured, .. } = length {
                tokio::time::sleep(measured).await;
                sample.seconds = began.elapsed().as_secs_f64();
                sample.cpu_micros = cpu_micros(pid) - cpu;
                phase.counting.set(false);
                phase.stop.set(true);
            }
            while let Some(worker) = workers.join_next().await {
                sample.add(worker.expect("a worker has panicked"));
            }
            if let Length::Exhausted = length {
                sample.seconds = began.elapsed().as_secs_f64();
                sample.cpu_micros = cpu_micros(pid) - cpu;
            }
            sample.resident_mib = resident_mib(pid);
            sample.latencies.sort_unstable();
            sample
        })
        .await
}

#[derive(Default)]
struct Phase {
    counting: Cell<bool>,
    stop: Cell<bool>,
}

impl Sample {
    fn add(&mut self, one: Self) {
        self.done += one.done;
        self.latencies.extend(one.latencies);
        self.errors += one.errors;
        self.first_error = self.first_error.take().or(one.first_error);
    }
}

async fn work<O: Operation>(
    address: SocketAddr,
    mut operation: O,
    phase: &Phase,
    pace: Option<Duration>,
) -> Sample {
    let mut connection = Connection::new(address);
    let mut sample = Sample::default();
    let mut due = Instant::now();
    while !phase.stop.get() {
        let mut began = Instant::now();
        if let Some(pace) = pace {
            if due > began {
                tokio::time::sleep_until(due.into()).await;
                began = Instant::now();
            } else {
                began = due;
            }
            due += pace;
        }
        match operation.perform(&mut connection).await {
            Ok(false) => break,
            Ok(true) => {
                if phase.counting.get() {
                    sample.done += 1;
                    let micros = began.elapsed().as_micros();
                    sample
                        .latencies
                        .push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
            }
            // Errors of the warm-up count too: a row is only good when nothing failed.
            Err(error) => {
                sample.errors += 1;
                sample.first_error.get_or_insert(error);
                if sample.errors >= MANY {
                    break;
                }
            }
        }
    }
    sample
}

/// Nothing is learned from more errors than these on one connection.
const MANY: u64 = 100;
