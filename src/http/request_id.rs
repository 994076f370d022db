//! The name of one request, in its answer, in every log line about it and on error pages.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::client_ip::TrustedProxies;
use crate::crypto::random;

/// `X-Request-Id`.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request; a request extension and an extractor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new id: 128 random bits in lower-case hexadecimal.
    pub fn random() -> Self {
        let id = u128::from_be_bytes(random::bytes::<16>());
        Self(format!("{id:032x}").into())
    }

    /// The id that a trusted proxy gave the request, else a new one. Other senders could name their
    /// request like another one and so hide in the logs.
    pub fn of(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &TrustedProxies) -> Self {
        let mut given = headers.get_all(HEADER).iter();
        match (given.next(), given.next()) {
            (Some(id), None) if peer.is_some_and(|peer| trusted.contains(peer)) => id
                .to_str()
                .ok()
                .filter(|id| is_acceptable(id))
                .map_or_else(Self::random, |id| Self(id.into())),
            _ => Self::random(),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the value of [`HEADER`].
    pub fn header_value(&self) -> HeaderValue {
        // Both ways to make an id yield visible ASCII only.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Every request has one (see `observe`); the fallback serves tests of a bare handler.
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(Self::random))
    }
}

fn is_acceptable(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(peer: &str, given: &[&str]) -> String {
        let trusted = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(HEADER, value.parse().unwrap());
        }
        RequestId::of(&headers, Some(peer.parse().unwrap()), &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_may_name_a_request() {
        assert_eq!(id("10.0.0.1", &["proxy-id.0001"]), "proxy-id.0001");
        assert_ne!(id("192.0.2.1", &["proxy-id.0001"]), "proxy-id.0001");
    }

    #[test]
    fn an_unfit_name_is_replaced() {
        let long = "x".repeat(65);
        for bad in [
            "short",
            long.as_str(),
            "has space",
            "semi;colon",
            "quote\"quote",
        ] {
            assert_ne!(id("10.0.0.1", &[bad]), bad);
        }
        assert_eq!(
            id("10.0.0.1", &["proxy-id.0001", "proxy-id.0002"]).len(),
            32
        );
    }

    #[test]
    fn own_names_are_32_hexadecimal_digits_and_differ() {
        let (a, b) = (RequestId::random(), RequestId::random());
        assert!(a.as_str().len() == 32 && a.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(a, b);
    }
}
