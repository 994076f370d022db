//! The running server: routes, listeners, health, shutdown.

pub mod health;
pub mod jobs;
pub mod management;
pub mod router;
pub mod shutdown;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::observe::{Observe, observe};
use crate::http::server::{ServerLimits, raise_open_files, serve};
use crate::http::site::Site;
use crate::service::Services;
use crate::web::manual;
use health::{Readiness, check};
use jobs::Jobs;

/// What goes wrong before anything is served.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address that cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The configuration key.
        key: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// Serves until `stop`, then finishes what is in flight. `on_ready` is called once both listeners accept, before
/// `/health/ready` says so.
pub async fn run(
    services: Arc<Services>,
    options: router::Options,
    stop: CancellationToken,
    on_ready: impl FnOnce(),
) -> Result<(), AppError> {
    let config = &services.config;
    raise_open_files();
    let management = listen(config.management_listen, "management_listen").await?;
    let limits = ServerLimits::from(config);
    let management_stop = CancellationToken::new();
    let opened = Arc::new(AtomicBool::new(false));
    let readiness = Readiness::new(readiness(&services, &opened), stop.clone());
    let operations = tokio::spawn(serve(
        management,
        management::router(readiness, manual::alone(config)),
        limits.clone(),
        management_stop.clone(),
        config.shutdown_timeout,
    ));

    let public = open(&services, &stop).await;
    let public = match public {
        Ok(public) => public,
        Err(error) => {
            management_stop.cancel();
            let _ = operations.await;
            return Err(error);
        }
    };
    on_ready();
    opened.store(true, Ordering::Release);
    let jobs = Jobs::start(&services, &stop);
    let routes = observe(
        router::routes(Site::new(Arc::clone(&services)), options),
        Observe::from(config),
    );
    serve(public, routes, limits, stop, config.shutdown_timeout).await;
    management_stop.cancel();
    let _ = operations.await;
    jobs.finish().await;
    services.store.db().close().await;
    Ok(())
}

/// The public listener, which opens when the first keys are there: `/jwks` never answers without them.
async fn open(services: &Services, stop: &CancellationToken) -> Result<TcpListener, AppError> {
    while let Err(error) = services.keys.ensure(services.clock.now()).await {
        tracing::warn!(%error, "the signing keys cannot be read or made yet; trying again");
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(KEYS_AGAIN) => {}
        }
    }
    listen(services.config.listen, "listen").await
}

/// How soon the first keys are tried for again.
const KEYS_AGAIN: Duration = Duration::from_secs(1);

async fn listen(address: std::net::SocketAddr, key: &'static str) -> Result<TcpListener, AppError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| AppError::Listen {
            address,
            key,
            source,
        })
}

fn readiness(
    services: &Arc<Services>,
    opened: &Arc<AtomicBool>,
) -> Vec<(&'static str, health::Check)> {
    let opened = Arc::clone(opened);
    let database = Arc::clone(services);
    let keys = Arc::clone(services);
    vec![
        (
            "listener",
            check(move || {
                let is_open = opened.load(Ordering::Acquire);
                let sentence = "the public listener is not open yet";
                std::future::ready(is_open.then_some(()).ok_or_else(|| sentence.to_owned()))
            }),
        ),
        (
            "database",
            check(move || {
                let services = Arc::clone(&database);
                async move {
                    services
                        .store
                        .db()
                        .ping()
                        .await
                        .map_err(|error| error.to_string())
                }
            }),
        ),
        (
            "signing_keys",
            check(move || {
                let services = Arc::clone(&keys);
                async move {
                    if services.keys.is_ready(services.clock.now()) {
                        Ok(())
                    } else {
                        Err("the signing keys are still being made".to_owned())
                    }
                }
            }),
        ),
    ]
}
