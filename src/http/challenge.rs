//! `WWW-Authenticate`: how a caller that was not recognized may say who it is
//! ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)).
//!
//! No other file names the status 401, so none can be answered without a challenge.

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::spec::error_code::plain;

/// The status of an answer that carries a challenge; [`challenge`] writes it.
pub const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge<'a> {
    /// As a client ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
    Client,
    /// With an access token ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
    Bearer {
        /// What is wrong with the token: a code and a sentence. A request without a token is not told.
        error: Option<(&'a str, &'a str)>,
        /// The scope that it needs.
        scope: Option<&'a str>,
    },
}

/// Writes the ways to authenticate into an answer, one line each, the better one first.
pub fn challenge(headers: &mut HeaderMap, ways: &[Challenge<'_>]) {
    headers.remove(WWW_AUTHENTICATE);
    for way in ways {
        headers.append(WWW_AUTHENTICATE, way.value());
    }
}

impl Challenge<'_> {
    fn value(&self) -> HeaderValue {
        match self {
            Self::Client => HeaderValue::from_static("Basic realm=\"signet\", charset=\"UTF-8\""),
            Self::Bearer { error, scope } => {
                let mut text = "Bearer realm=\"signet\"".to_owned();
                if let Some((code, sentence)) = error {
                    let sentence = plain(sentence);
                    text = format!("{text}, error=\"{code}\", error_description=\"{sentence}\"");
                }
                if let Some(scope) = scope {
                    text = format!("{text}, scope=\"{scope}\"");
                }
                HeaderValue::from_str(&text)
                    .unwrap_or(HeaderValue::from_static("Bearer realm=\"signet\""))
            }
        }
    }
}
