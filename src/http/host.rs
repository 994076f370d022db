//! `Host`: for which authority a request is ([RFC 9110 §7.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.2)).
//!
//! Signet itself never reads it: every address that it writes begins with the configured issuer. A proxy in front may
//! choose by it, so a request that two readers could read in two ways is refused.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Request, Version};

/// What is wrong with the authority of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// None was sent.
    #[error("the Host header is missing (RFC 9112 section 3.2)")]
    Missing,
    /// More than one was sent.
    #[error("the Host header was sent more than once (RFC 9112 section 3.2)")]
    Repeated,
    /// It is not a host with an optional port.
    #[error("the Host header is not a host name or address with an optional port")]
    Malformed,
    /// It names another host than the request itself.
    #[error("the Host header and :authority name different hosts (RFC 9113 section 8.3.1)")]
    Contradicts,
}

/// Checks that a request names one authority: HTTP/1.1 in one `Host`
/// ([RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)), HTTP/2 in `:authority` or one `Host`
/// ([RFC 9113 §8.3.1](https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1)). HTTP/1.0 needs none.
pub fn check<B>(request: &Request<B>) -> Result<(), HostError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(HostError::Repeated),
        (host, None) => host,
    };
    if host.is_some_and(|host| !is_host(host)) {
        return Err(HostError::Malformed);
    }
    if request.version() < Version::HTTP_11 {
        return Ok(());
    }
    let authority = (request.version() >= Version::HTTP_2)
        .then(|| request.uri().authority())
        .flatten();
    match (host, authority) {
        (None, None) => Err(HostError::Missing),
        (Some(host), Some(authority))
            if !host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(HostError::Contradicts)
        }
        (Some(_), None) | (None | Some(_), Some(_)) => Ok(()),
    }
}

/// `uri-host [ ":" port ]`, which may be empty (RFC 9110 §7.2).
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    bytes.is_empty()
        || Authority::try_from(bytes).is_ok_and(|authority| {
            // What stands before the host is a user name, which has no place here.
            match authority.as_str().strip_prefix(authority.host()) {
                Some("") => true,
                Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
                None => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, uri: &str, hosts: &[&str]) -> Result<(), HostError> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn http_1_1_needs_exactly_one_host_rfc9112_3_2() {
        let of = |uri, hosts: &[&str]| checked(Version::HTTP_11, uri, hosts);
        for host in [
            "a.example",
            "a.example:8080",
            "127.0.0.1:1",
            "[::1]:1",
            "my_service:80",
            "",
        ] {
            assert_eq!(of("/", &[host]), Ok(()), "{host}");
        }
        assert_eq!(of("/", &[]), Err(HostError::Missing));
        // A target in absolute form makes it no less necessary.
        assert_eq!(of("http://a.example/", &[]), Err(HostError::Missing));
        assert_eq!(of("/", &["a", "b"]), Err(HostError::Repeated));
        assert_eq!(of("/", &["a", "a"]), Err(HostError::Repeated));
        for host in ["a, b", "a/b", "u@a", "a:x", "a b", "http://a", "a?b", "a#b"] {
            assert_eq!(of("/", &[host]), Err(HostError::Malformed), "{host}");
        }
    }

    #[test]
    fn http_1_0_needs_none_and_may_send_one() {
        let of = |hosts: &[&str]| checked(Version::HTTP_10, "/", hosts);
        assert_eq!(of(&[]), Ok(()));
        assert_eq!(of(&["a"]), Ok(()));
        assert_eq!(of(&["a", "b"]), Err(HostError::Repeated));
    }

    #[test]
    fn http_2_names_one_authority_rfc9113_8_3_1() {
        let of = |uri, hosts: &[&str]| checked(Version::HTTP_2, uri, hosts);
        assert_eq!(of("http://a.example/", &[]), Ok(()));
        assert_eq!(of("http://a.example/", &["A.example"]), Ok(()));
        assert_eq!(of("/", &["a.example"]), Ok(()));
        assert_eq!(
            of("http://a.example/", &["b.example"]),
            Err(HostError::Contradicts)
        );
        assert_eq!(
            of("http://a.example/", &["a.example", "a.example"]),
            Err(HostError::Repeated)
        );
        assert_eq!(of("/", &[]), Err(HostError::Missing));
    }
}
