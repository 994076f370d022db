//! The one answer to a caller that asks too often: 429 ([RFC 6585 §4](https://www.rfc-editor.org/rfc/rfc6585#section-4)) with
//! `Retry-After`, and the `RateLimit` fields of
//! [draft-ietf-httpapi-ratelimit-headers](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).
//!
//! The body is the audience's own: [`OAuthError::limited`](super::error::OAuthError::limited) for clients,
//! [`page`] for people, a problem document for callers of the JSON API. OAuth has no code for it; Signet says
//! `temporarily_unavailable`, "unable to handle the request due to a temporary overloading" (RFC 6749 §4.1.2.1), as it
//! does with 503. Answers that are no refusals carry the fields on the JSON API only.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse as _, Response};

use super::page_error::PageError;
use super::site::Site;
pub use crate::service::rate_limits::{Admitted, Allowance, Limited, Policy};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Counts one request of the caller named by `key`, and lets it through or not. What comes back writes the headers of
/// the answer in either case.
pub async fn check(site: &Site, policy: Policy, key: &str) -> Result<Admitted, Limited> {
    site.services.limits.check(policy, key).await
}

impl Admitted {
    /// Tells the caller what is left to them.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Some(allowance) = &self.allowance {
            write(allowance, headers);
        }
    }
}

impl Limited {
    /// Tells the caller how long to wait.
    pub fn write(&self, headers: &mut HeaderMap) {
        write(&self.allowance, headers);
        headers.insert(RETRY_AFTER, HeaderValue::from(self.seconds()));
    }

    /// Whole seconds to wait, rounded up.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        seconds(self.wait).max(1)
    }

    /// How long to wait, in words: `4 seconds`, `1 minute`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let of = |number: u64, unit: &str| {
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {unit}{plural}")
        };
        match self.seconds() {
            seconds @ 0..=90 => of(seconds, "second"),
            seconds @ 91..=5400 => of(seconds.div_ceil(60), "minute"),
            seconds => of(seconds.div_ceil(3600), "hour"),
        }
    }
}

/// The answer for people, on a page of its own.
pub fn page(limited: &Limited) -> Response {
    let error = PageError {
        status: StatusCode::TOO_MANY_REQUESTS,
        heading: "Too many attempts",
        message: format!("Wait {}, then try again.", limited.in_words()).into(),
        hint: None,
        code: None,
    };
    let mut response = error.into_response();
    limited.write(response.headers_mut());
    response
}

fn write(allowance: &Allowance, headers: &mut HeaderMap) {
    let Allowance {
        policy,
        quota,
        window,
        left,
    } = allowance;
    let fields = [
        (
            POLICY,
            format!("\"{policy}\";q={quota};w={}", seconds(*window)),
        ),
        (
            LIMIT,
            format!(
                "\"{policy}\";r={};t={}",
                left.remaining,
                seconds(left.reset)
            ),
        ),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rate::Left;

    fn limited(wait: Duration) -> Limited {
        Limited {
            allowance: Allowance {
                policy: "api",
                quota: 600,
                window: Duration::from_mins(1),
                left: Left {
                    remaining: 0,
                    reset: Duration::from_millis(59_001),
                },
            },
            wait,
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back_rounded_up() {
        let mut headers = HeaderMap::new();
        limited(Duration::from_micros(1)).write(&mut headers);
        assert_eq!(headers["retry-after"], "1");
        assert_eq!(headers["ratelimit-policy"], "\"api\";q=600;w=60");
        assert_eq!(headers["ratelimit"], "\"api\";r=0;t=60");
        let response = page(&limited(Duration::from_millis(2500)));
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "3");
    }

    #[test]
    fn nothing_is_said_where_nothing_is_limited() {
        let mut headers = HeaderMap::new();
        Admitted { allowance: None }.write(&mut headers);
        assert!(headers.is_empty());
        Admitted {
            allowance: Some(limited(Duration::ZERO).allowance),
        }
        .write(&mut headers);
        assert_eq!(headers.len(), 2);
    }

    #[test]
    fn waits_are_told_in_words() {
        let words = |seconds| limited(Duration::from_secs(seconds)).in_words();
        assert_eq!(words(0), "1 second");
        assert_eq!(words(90), "90 seconds");
        assert_eq!(words(91), "2 minutes");
        assert_eq!(words(5400), "90 minutes");
        assert_eq!(words(5401), "2 hours");
    }
}
