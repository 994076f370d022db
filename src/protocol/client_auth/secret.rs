//! `client_secret_basic` and `client_secret_post` (RFC 6749 §2.3.1).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::secret::PlainToken;
use crate::http::error::OAuthError;
use crate::spec::params;

/// The id and secret of `Authorization: Basic`, form-decoded after base64 (RFC 6749 §2.3.1).
pub(super) fn basic(headers: &HeaderMap) -> Result<Option<(String, PlainToken)>, OAuthError> {
    let broken = || {
        OAuthError::invalid_client(
            "the Authorization header must be Basic, then the base64 of the form-encoded client_id, a colon and the form-encoded secret",
            true,
        )
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| broken())?,
        (Some(_), Some(_)) => {
            return Err(OAuthError::invalid_request(
                "the Authorization header was sent more than once",
            ));
        }
    };
    let (scheme, encoded) = value.split_once(' ').ok_or_else(broken)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(broken());
    }
    let decoded = STANDARD
        .decode(encoded.trim_matches(' '))
        .map_err(|_| broken())?;
    let colon = decoded
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(broken)?;
    let (id, secret) = decoded.split_at_checked(colon).ok_or_else(broken)?;
    let id = params::decode(id).ok_or_else(broken)?;
    let secret = params::decode(secret.get(1..).unwrap_or_default()).ok_or_else(broken)?;
    Ok(Some((id, PlainToken::new(secret))))
}
