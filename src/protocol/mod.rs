//! The protocol endpoints. `authorize` and `token` are lists of steps; each grant type and each way for a client
//! to authenticate is one file.

pub mod authorize;
pub mod authzen;
pub mod client_auth;
pub mod discovery;
pub mod introspect;
pub mod jwks;
pub mod revoke;
pub mod token;
pub mod userinfo;

use axum::response::{IntoResponse, Response};

use crate::http::error::OAuthError;
use crate::http::headers::json_no_store;
use crate::http::limits::{BodyError, FormBody};
use crate::spec::params::Params;

/// The parameters of a posted form, each at most once (RFC 6749 §3.2).
fn form(body: Result<FormBody, BodyError>) -> Result<Params, FormError> {
    let FormBody(bytes) = body.map_err(FormError::Body)?;
    let params = Params::parse(&bytes).map_err(|error| FormError::OAuth(error.into()))?;
    match params.repeated() {
        Some(name) => Err(FormError::OAuth(OAuthError::invalid_request(format!(
            "{name} was sent more than once"
        )))),
        None => Ok(params),
    }
}

/// The answer to a posted form: JSON with `no-store`, or the error.
async fn answered<Body: Into<axum::body::Body>>(
    answer: impl Future<Output = Result<Body, FormError>>,
) -> Response {
    match answer.await {
        Ok(body) => (json_no_store(), body.into()).into_response(),
        Err(error) => error.into_response(),
    }
}

/// A body that is no usable form, or the error that the form is answered with.
#[derive(Debug)]
enum FormError {
    Body(BodyError),
    OAuth(OAuthError),
}

impl IntoResponse for FormError {
    fn into_response(self) -> Response {
        match self {
            Self::Body(error) => error.into_response(),
            Self::OAuth(error) => error.into_response(),
        }
    }
}

impl From<OAuthError> for FormError {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}
