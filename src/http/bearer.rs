//! The access token that a request shows.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};

use super::caller::Caller;
use super::error::plain;
use super::rate_limit::Limited;
use super::site::Site;
use crate::domain::audit::{Event, EventType, Origin};
use crate::service::tokens::access_token::{self, AccessToken, TokenError};
use crate::spec::time::Ts;
use crate::store::error::StoreError;

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

/// What is told in `WWW-Authenticate` to whoever shows no token that suffices (RFC 6750 §3): a code and a sentence, which a
/// request without a token is not told, and the scope that is needed.
#[must_use]
pub fn challenge(error: Option<(&str, &str)>, scope: Option<&str>) -> HeaderValue {
    let mut text = "Bearer realm=\"signet\"".to_owned();
    if let Some((code, sentence)) = error {
        let sentence = plain(sentence);
        text = format!("{text}, error=\"{code}\", error_description=\"{sentence}\"");
    }
    if let Some(scope) = scope {
        text = format!("{text}, scope=\"{scope}\"");
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer realm=\"signet\""))
}

/// Why a token that was shown does not count.
#[derive(Debug)]
pub enum Unproven {
    /// It is not one of ours, has expired or was revoked; a sentence for whoever showed it.
    Inactive(&'static str),
    /// Too many that did not count came from this address.
    Limited(Limited),
    /// The store.
    Store(StoreError),
}

/// Writes down that a token did not suffice.
pub fn note_refusal(site: &Site, origin: &Origin, reason: &str, now: Ts) {
    let event = Event::new(EventType::AccessDenied, origin, now);
    site.services.audit.note(event.detail("reason", reason));
}

/// The access token, if it is ours, has not expired and was not revoked. One that is not counts against the address,
/// and the signature of one that was not seen before is only checked while the address has room for failures.
pub async fn verify(
    site: &Site,
    token: &str,
    caller: &Caller,
    now: Ts,
) -> Result<Arc<AccessToken>, Unproven> {
    let services = &site.services;
    if services.access_tokens.known(token, now).await.is_none() {
        services.limits.room(caller.ip).map_err(Unproven::Limited)?;
    }
    match access_token::verify_standing(services, token, now).await {
        Ok(token) => Ok(token),
        Err(TokenError::Store(error)) => Err(Unproven::Store(error)),
        Err(TokenError::Inactive(sentence)) => {
            note_refusal(site, &caller.origin, sentence, now);
            services
                .limits
                .failed(caller.ip)
                .map_err(Unproven::Limited)?;
            Err(Unproven::Inactive(sentence))
        }
    }
}
