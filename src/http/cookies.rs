//! The cookies of Signet ([RFC 6265bis](https://datatracker.ietf.org/doc/draft-ietf-httpbis-rfc6265bis/)).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The session of someone who is signed in.
    Session,
    /// The browser in which an authorization request began.
    Browser,
    /// The accounts that were signed in to in this browser before; see [`crate::service::rate_limits::browsers`].
    KnownBrowser,
}

impl Cookie {
    fn host_name(self) -> &'static str {
        match self {
            Self::Session => "__Host-signet-session",
            Self::Browser => "__Host-signet-browser",
            Self::KnownBrowser => "__Host-signet-known",
        }
    }

    fn plain_name(self) -> &'static str {
        match self {
            Self::Session => "signet-session",
            Self::Browser => "signet-browser",
            Self::KnownBrowser => "signet-known",
        }
    }
}

/// Reads and writes cookies the way the issuer's scheme allows.
///
/// On https the names begin with `__Host-`: browsers then insist on `Secure`, `Path=/` and no
/// `Domain`, so that neither a sibling host nor plain http can plant one. Plain http (only on this
/// machine, see [`crate::config::Issuer`]) cannot have that.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    /// `secure` is whether the issuer is https.
    pub fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// The name under which browsers keep `cookie`.
    pub fn name(self, cookie: Cookie) -> &'static str {
        if self.secure {
            cookie.host_name()
        } else {
            cookie.plain_name()
        }
    }

    /// The value of `cookie`; absent too when it comes twice, is too long or has characters that
    /// Signet never writes, because another site must have planted it then.
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<&str> {
        let name = self.name(cookie).as_bytes();
        let mut found = None;
        let mut total = 0_usize;
        // HTTP/2 may split the header into several lines (RFC 9113 §8.2.3).
        for line in headers.get_all(header::COOKIE) {
            total = total.saturating_add(line.len());
            if total > MAX_HEADER {
                return None;
            }
            for pair in line.as_bytes().split(|byte| *byte == b';') {
                let pair = pair.trim_ascii();
                let Some(value) = pair
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix(b"="))
                else {
                    continue;
                };
                if found.replace(value).is_some() {
                    return None;
                }
            }
        }
        found
            .filter(|value| is_ours(value))
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// A `Set-Cookie` value; without `max_age` the cookie ends with the browser's own session.
    ///
    /// `value` is base64url or alike; anything that has no place in a cookie clears it instead.
    pub fn set(self, cookie: Cookie, value: &str, max_age: Option<Duration>) -> HeaderValue {
        if !is_ours(value.as_bytes()) {
            return self.clear(cookie);
        }
        let age = max_age.map_or(String::new(), |age| format!("; Max-Age={}", age.as_secs()));
        let text = format!("{}={value}{age}{}", self.name(cookie), self.attributes());
        HeaderValue::from_str(&text).unwrap_or_else(|_| self.clear(cookie))
    }

    /// A `Set-Cookie` value that removes `cookie`.
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        HeaderValue::from_static(match (self.secure, cookie) {
            (true, Cookie::Session) => {
                "__Host-signet-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
            }
            (true, Cookie::Browser) => {
                "__Host-signet-browser=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
            }
            (true, Cookie::KnownBrowser) => {
                "__Host-signet-known=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
            }
            (false, Cookie::Session) => {
                "signet-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
            }
            (false, Cookie::Browser) => {
                "signet-browser=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
            }
            (false, Cookie::KnownBrowser) => {
                "signet-known=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
            }
        })
    }

    /// `SameSite=Lax`, not `Strict`: the browser must bring them when an application sends it here.
    fn attributes(self) -> &'static str {
        if self.secure {
            "; Path=/; HttpOnly; SameSite=Lax; Secure"
        } else {
            "; Path=/; HttpOnly; SameSite=Lax"
        }
    }
}

/// Browsers keep at most 4096 bytes of name, value and attributes together.
const MAX_VALUE: usize = 4096;
/// Other applications on the same host may have cookies too, but not without end.
const MAX_HEADER: usize = 16 * 1024;

fn is_ours(value: &[u8]) -> bool {
    (1..=MAX_VALUE).contains(&value.len())
        && value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                header::COOKIE,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            );
        }
        headers
    }

    fn read(lines: &[&str]) -> Option<String> {
        Cookies::new(true)
            .read(&headers(lines), Cookie::Session)
            .map(str::to_owned)
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        assert_eq!(
            read(&["a=b; __Host-signet-session=x.Y-9_;c"]).as_deref(),
            Some("x.Y-9_")
        );
        assert_eq!(
            read(&["a=ü", "__Host-signet-session=x"]).as_deref(),
            Some("x")
        );
        assert_eq!(
            read(&["a=b;; =;__Host-signet-sessionx=1;__Host-signet-session=x"]).as_deref(),
            Some("x")
        );
        assert_eq!(read(&["signet-session=x"]), None);
        assert_eq!(
            Cookies::new(false).read(&headers(&["__Host-signet-session=x"]), Cookie::Session),
            None
        );
    }

    #[test]
    fn a_planted_second_cookie_removes_both() {
        assert_eq!(
            read(&["__Host-signet-session=x; __Host-signet-session=y"]),
            None
        );
        assert_eq!(
            read(&["__Host-signet-session=x", "__Host-signet-session=x"]),
            None
        );
    }

    #[test]
    fn what_signet_never_writes_is_absent() {
        let long = format!("__Host-signet-session={}", "x".repeat(5000));
        let crowd = format!("a={}; __Host-signet-session=x", "x".repeat(20_000));
        for line in [
            "",
            "__Host-signet-session",
            "__Host-signet-session=",
            "__Host-signet-session=\"x\"",
            "__Host-signet-session=a=b",
            "__Host-signet-session=a b",
            &long,
            &crowd,
        ] {
            assert_eq!(read(&[line]), None, "{line}");
        }
    }

    #[test]
    fn set_cookie_has_the_attributes_of_its_prefix() {
        let https = Cookies::new(true);
        assert_eq!(
            https.set(Cookie::Session, "v", Some(Duration::from_mins(1))),
            "__Host-signet-session=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            Cookies::new(false).set(Cookie::Browser, "v", None),
            "signet-browser=v; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            https.set(Cookie::Session, "v; Domain=evil", None),
            https.clear(Cookie::Session)
        );
        assert!(
            https
                .clear(Cookie::Browser)
                .to_str()
                .unwrap()
                .contains("Max-Age=0; Path=/")
        );
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(line in "[ -~]{0,80}", value in "[A-Za-z0-9_.~-]{1,40}") {
            let _ = read(&[&line]);
            let all = Cookies::new(true);
            let set = all.set(Cookie::Session, &value, None);
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            prop_assert_eq!(read(&["x=y", &pair]), Some(value));
        }
    }
}
