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
    let now = services.clock.now();
    let jwks = match tokio::time::timeout(PATIENCE, services.keys.published(now)).await {
        Ok(Ok(jwks)) => jwks,
        // Verifiers need the keys also while the database is away.
        Ok(Err(_)) | Err(_) => services.keys.ring().jwks(),
    };
    (headers, jwks).into_response()
}

/// How long the database is waited for before the keys are told as they were read last.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
