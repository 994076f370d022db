//! Which pages of other origins may read our answers: of public documents all, and those of registered clients from the
//! endpoints that a client in a browser needs. Never with cookies.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use super::request_id;
use super::site::Site;

/// How long a browser may remember what a preflight said.
const REMEMBERED: Duration = Duration::from_mins(10);

/// What a page of another origin may send along: the names of requests, of traces
/// ([Trace Context §3](https://www.w3.org/TR/trace-context/)), and of the version that a client of the Model Context
/// Protocol sends with everything.
const HEADERS: [HeaderName; 6] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    request_id::HEADER,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("mcp-protocol-version"),
];

/// The layer of documents that say the same to every reader: metadata, public keys.
pub fn public() -> CorsLayer {
    bounded()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
}

/// The layer of the endpoints of clients. An origin counts if a redirect URI of an enabled client has it.
pub fn of_clients(site: &Site) -> CorsLayer {
    let site = site.clone();
    let registered = move |origin: HeaderValue, _: &_| {
        let site = site.clone();
        async move {
            let Ok(origin) = origin.to_str() else {
                return false;
            };
            match site.services.clients.has_origin(origin).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::warn!(%error, "no origin is known right now");
                    false
                }
            }
        }
    };
    bounded()
        .allow_origin(AllowOrigin::async_predicate(registered))
        .allow_methods([Method::GET, Method::POST])
}

fn bounded() -> CorsLayer {
    CorsLayer::new()
        .allow_headers(HEADERS)
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, request_id::HEADER])
        .max_age(REMEMBERED)
}
