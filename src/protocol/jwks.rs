//! `/jwks`: the public keys (RFC 7517 §5).

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::spec::error_code::ErrorCode;

/// `GET /jwks`.
pub async fn jwks(State(site): State<Site>) -> Response {
    let services = &site.services;
    if !services.keys.is_ready(services.clock.now()) {
        let description = "the server is still making its signing keys; try again in a moment";
        return OAuthError::new(ErrorCode::TemporarilyUnavailable, description).into_response();
    }
    // Shorter than the time for which the next key is published before it signs.
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, services.keys.ring().jwks()).into_response()
}
