//! Which pages of other origins may read our answers: those of registered clients, and only from the endpoints that a
//! client in a browser needs. Never with cookies.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::request_id;
use super::site::Site;

/// How long a browser may remember what a preflight said.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The layer. An origin counts if a redirect URI of an enabled client has it.
pub fn layer(site: &Site) -> CorsLayer {
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
    CorsLayer::new()
        .allow_origin(AllowOrigin::async_predicate(registered))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, request_id::HEADER])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, request_id::HEADER])
        .max_age(REMEMBERED)
}
