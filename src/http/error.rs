//! What clients are told when something is wrong: the RFC's code, and a sentence that names the parameter.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::challenge::{Challenge, UNAUTHORIZED, challenge};
use super::headers::json_no_store;
use super::json::Unwritable;
use super::rate_limit::Limited;
use crate::service::tokens::keys::KeyError;
use crate::service::tokens::redeem::RedeemError;
use crate::spec::error_code::ErrorCode;
pub use crate::spec::error_code::plain;
use crate::spec::params::ParamsError;
use crate::store::error::StoreError;

/// How long a client should wait before it tries again, in seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// An error for a client (RFC 6749 §5.2).
#[derive(Clone, Debug)]
pub struct OAuthError {
    code: ErrorCode,
    description: Cow<'static, str>,
    limited: Option<Limited>,
}

impl OAuthError {
    /// An error with its sentence.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            description: description.into(),
            limited: None,
        }
    }

    /// 429: this caller asks too often, and is told when to come back.
    #[must_use]
    pub fn limited(limited: Limited) -> Self {
        let seconds = limited.seconds();
        Self {
            limited: Some(limited),
            ..Self::new(
                ErrorCode::TemporarilyUnavailable,
                format!("too many requests; try again in {seconds} seconds"),
            )
        }
    }

    /// `invalid_request`.
    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// `invalid_grant`.
    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidGrant, description)
    }

    /// `invalid_client`: 401, with the way to authenticate (RFC 6749 §5.2, RFC 9110 §11.6.1).
    pub fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidClient, description)
    }

    /// `server_error`: 500; the log has the cause.
    #[must_use]
    pub fn server_error() -> Self {
        Self::new(
            ErrorCode::ServerError,
            "the server failed; its log has the cause under the request id",
        )
    }

    /// The RFC's code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is wrong.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether it is the client's doing, not ours, and not just too often.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.limited.is_none() && self.status().is_client_error()
    }

    fn status(&self) -> StatusCode {
        if self.limited.is_some() {
            return StatusCode::TOO_MANY_REQUESTS;
        }
        match self.code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => UNAUTHORIZED,
            ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::InvalidScope
            | ErrorCode::AccessDenied
            | ErrorCode::InvalidTarget
            | ErrorCode::LoginRequired
            | ErrorCode::ConsentRequired
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::RegistrationNotSupported
            | ErrorCode::UnmetAuthenticationRequirements => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        // A flood of requests must not flood the log: these refusals are logged where they are decided, not one by one.
        if self.limited.is_none() {
            tracing::info!(error = self.code.as_str(), "refused: {}", self.description);
        }
        let body =
            json!({ "error": self.code.as_str(), "error_description": plain(&self.description) });
        let mut response = (self.status(), json_no_store(), body.to_string()).into_response();
        if response.status() == UNAUTHORIZED {
            challenge(response.headers_mut(), &[Challenge::Client]);
        }
        if let Some(limited) = &self.limited {
            limited.write(response.headers_mut());
        } else if self.code == ErrorCode::TemporarilyUnavailable {
            response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
        }
        response
    }
}

impl From<Limited> for OAuthError {
    fn from(limited: Limited) -> Self {
        Self::limited(limited)
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "answered 503");
            return Self::new(
                ErrorCode::TemporarilyUnavailable,
                "the server cannot do this right now; try again in a moment",
            );
        }
        tracing::error!(%error, "answered 500");
        Self::server_error()
    }
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::NoActiveKey(_) => Self::new(
                ErrorCode::TemporarilyUnavailable,
                "the server is still making its signing keys; try again in a moment",
            ),
            KeyError::Jose(_)
            | KeyError::Sealed { .. }
            | KeyError::NotNeeded(_)
            | KeyError::Generation(_) => {
                tracing::error!(%error, "answered 500");
                Self::server_error()
            }
        }
    }
}

impl From<RedeemError> for OAuthError {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::InvalidGrant(sentence) => Self::invalid_grant(sentence),
            RedeemError::Store(error) => error.into(),
        }
    }
}

impl From<Unwritable> for OAuthError {
    fn from(_: Unwritable) -> Self {
        Self::server_error()
    }
}

impl From<ParamsError> for OAuthError {
    fn from(error: ParamsError) -> Self {
        Self::invalid_request(error.to_string())
    }
}
