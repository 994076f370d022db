//! The accept loop: HTTP/1.1 and HTTP/2 over TCP, every wait bounded.
//!
//! hyper bounds how long a header may take, but not the silence before the first byte (its protocol
//! detection waits for ever), nor the silence between requests apart from headers. So one watchdog
//! per connection knows when it last was busy; it costs a request a few atomic writes and no timer.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Request, StatusCode, Version};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::activity::{Activity, Watched};
use super::headers::json_no_store;
use super::host::{self, HostError};
use super::peer::Peer;
use super::request_id::{self, RequestId};
use crate::config::Config;
use crate::telemetry::metrics;

/// What one listener allows.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Open connections at most; more wait in the kernel's queue.
    pub max_connections: usize,
    /// From a request's first byte (or the connection's begin) to the end of its header.
    pub header_timeout: Duration,
    /// Silence between two requests of one connection.
    pub idle_timeout: Duration,
    /// Bytes of one request's header; hyper's smallest is 8 KiB.
    pub max_header_bytes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            // Longer than the idle time of common proxies (60 s), so that they close first and never
            // send a request into a connection that is just being closed.
            idle_timeout: Duration::from_secs(75),
            // Sealed values travel in the query: a long login flow is a few KiB.
            max_header_bytes: 64 * 1024,
            max_streams: 200,
        }
    }
}

impl From<&Config> for ServerLimits {
    fn from(config: &Config) -> Self {
        Self {
            max_connections: config.max_connections,
            header_timeout: config.header_timeout,
            ..Self::default()
        }
    }
}

/// Serves `router` on `listener` until `shutdown`, then finishes what is in flight for at most
/// `grace` and returns. Requests carry a [`Peer`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: CancellationToken,
    grace: Duration,
) {
    let server = Arc::new(Server {
        builder: builder(&limits),
        router,
        limits,
        shutdown: shutdown.clone(),
        kill: CancellationToken::new(),
    });
    let permits = Arc::new(Semaphore::new(server.limits.max_connections));
    let connections = TaskTracker::new();
    let accepting = accept(&listener, &server, &permits, &connections);
    let _ = shutdown.run_until_cancelled(accepting).await;

    // Closing the listener first lets the next instance bind and refuses what we would not serve.
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait())
        .await
        .is_err()
    {
        warn!(
            "{} connections were still busy after {grace:?} and are cut",
            connections.len()
        );
        server.kill.cancel();
        connections.wait().await;
    }
}

/// Raises the limit of open files to what the system allows, as every connection is one.
pub fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        debug!("the limit of open files stays as it is: {error}");
    }
}

struct Server {
    builder: auto::Builder<TokioExecutor>,
    router: Router,
    limits: ServerLimits,
    shutdown: CancellationToken,
    kill: CancellationToken,
}

fn builder(limits: &ServerLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The watchdog bounds headers; hyper's own timer would cost an allocation per request.
        .header_read_timeout(None)
        .max_buf_size(limits.max_header_bytes.max(8 * 1024));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        // A dead peer is noticed although TCP is silent.
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15));
    builder
}

async fn accept(
    listener: &TcpListener,
    server: &Arc<Server>,
    permits: &Arc<Semaphore>,
    connections: &TaskTracker,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        // Only a closed semaphore refuses, and it is never closed.
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                pause = FIRST_PAUSE;
                connections.spawn(connection(Arc::clone(server), stream, peer, permit));
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: accepting again at once would only spin.
                warn!("cannot accept connections right now, trying again in {pause:?}: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn connection(
    server: Arc<Server>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let _open = Open::new(permit);
    let activity = Arc::new(Activity::new());
    let service = {
        let activity = Arc::clone(&activity);
        let router = server.router.clone();
        service_fn(move |mut request: Request<Incoming>| {
            let busy = activity.begin(request.version() == Version::HTTP_2);
            request.extensions_mut().insert(Peer(peer));
            let router = router.clone();
            async move {
                let answer = answer(router, request).await;
                drop(busy);
                answer
            }
        })
    };
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
    let mut serving = pin!(server.builder.serve_connection(io, service));
    let mut watchdog =
        pin!(activity.watch(server.limits.header_timeout, server.limits.idle_timeout));
    let mut stopping = pin!(server.shutdown.cancelled());
    let mut closing = false;
    loop {
        tokio::select! {
            biased;
            result = serving.as_mut() => {
                if let Err(error) = result {
                    debug!(%peer, "a connection ended early: {error}");
                }
                return;
            }
            () = stopping.as_mut(), if !closing => {
                closing = true;
                serving.as_mut().graceful_shutdown();
            }
            silence = watchdog.as_mut() => {
                debug!(%peer, "a connection was closed: {silence}");
                return;
            }
            () = server.kill.cancelled() => return,
        }
    }
}

/// The answer to one request, on every listener: what HTTP forbids reaches no route, and no answer may be taken for
/// another type than it says it is ([Fetch §3.6](https://fetch.spec.whatwg.org/#x-content-type-options-header)).
async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    let mut response = match host::check(&request) {
        Ok(()) => router.oneshot(request.map(Body::new)).await?,
        Err(error) => no_request(error),
    };
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// 400 for a request that does not say for whom it is.
fn no_request(error: HostError) -> Response {
    let id = RequestId::random();
    debug!(request_id = id.as_str(), "refused a request: {error}");
    let body = serde_json::json!({
        "error": "invalid_request",
        "error_description": format!("{error}. Request id: {id}"),
    });
    let headers = ([(request_id::HEADER, id.header_value())], json_no_store());
    (StatusCode::BAD_REQUEST, headers, body.to_string()).into_response()
}

/// A connection that counts as open until this is dropped.
struct Open {
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        metrics::open_connections().increment(1.0);
        Self { _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::open_connections().decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
