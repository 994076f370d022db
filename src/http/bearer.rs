//! The access token that a request shows.

use axum::http::HeaderMap;

/// A header that cannot be read, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The token of `Authorization: Bearer` (RFC 6750 §2.1). A header of another scheme, or without a token, carries
/// none; two headers are an error.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unreadable> {
    let mut values = headers.get_all(axum::http::header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let (scheme, token) = value
                .to_str()
                .map_err(|_| Unreadable)?
                .split_once(' ')
                .unwrap_or_default();
            let token = token.trim_matches(' ');
            Ok((scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token))
        }
        (Some(_), Some(_)) => Err(Unreadable),
    }
}
