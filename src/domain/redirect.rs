//! Where a browser may be sent: the one comparison of redirect URIs
//! ([RFC 9700 §2.1](https://www.rfc-editor.org/rfc/rfc9700#section-2.1)).

mod unregistered;

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

pub use unregistered::{Unregistered, shown};

/// Longest redirect URI, in bytes.
pub const MAX_BYTES: usize = 2000;

/// A redirect target that is proven to belong to the client: only
/// [`Client::trust`](super::client::Client::trust) and
/// [`Client::trust_post_logout`](super::client::Client::trust_post_logout) make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRedirect {
    uri: String,
}

impl TrustedRedirect {
    /// The URI, byte for byte as it was requested.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// The URI with more parameters in its query; those it had stay (RFC 6749 §3.1.2).
    #[must_use]
    pub fn with_query<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let added = crate::spec::params::encode(pairs);
        if added.is_empty() {
            return self.uri.clone();
        }
        let joint = match self.uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{}{joint}{added}", self.uri)
    }

    /// The host that a person is told about, or the scheme of a private-use URI.
    #[must_use]
    pub fn shown_host(&self) -> String {
        Url::parse(&self.uri)
            .ok()
            .map(|url| {
                url.host_str()
                    .map_or_else(|| url.scheme().to_owned(), str::to_owned)
            })
            .unwrap_or_default()
    }

    pub(super) fn proven(uri: &str) -> Self {
        Self {
            uri: uri.to_owned(),
        }
    }
}

/// Whether `presented` is `registered`: the same bytes, or, for a native application's loopback address,
/// the same but for the port (RFC 8252 §7.3).
pub(super) fn matches(registered: &str, presented: &str, native: bool) -> bool {
    if registered == presented {
        return true;
    }
    if !native {
        return false;
    }
    match (
        loopback_without_port(registered),
        loopback_without_port(presented),
    ) {
        (Some(registered), Some(presented)) => registered == presented,
        (Some(_) | None, _) => false,
    }
}

/// Splits `http://127.0.0.1:PORT/rest` into (host, rest), on bytes: nothing is normalised, so nothing can be
/// spelt in a second way.
fn loopback_without_port(uri: &str) -> Option<(&'static str, &str)> {
    for host in ["127.0.0.1", "[::1]"] {
        let Some(rest) = uri
            .strip_prefix("http://")
            .and_then(|rest| rest.strip_prefix(host))
        else {
            continue;
        };
        let Some(after_colon) = rest.strip_prefix(':') else {
            return (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest));
        };
        let digits = after_colon.bytes().take_while(u8::is_ascii_digit).count();
        let (port, rest) = after_colon.split_at_checked(digits)?;
        let known = port.parse::<u16>().is_ok_and(|port| port != 0) && !port.starts_with('0');
        return (known && (rest.is_empty() || rest.starts_with(['/', '?'])))
            .then_some((host, rest));
    }
    None
}

/// Checks a URI that someone registers. The error is a sentence that says what to change.
///
/// Refused are fragments, wildcards, userinfo, control characters, schemes that run code, and plain `http`
/// to anything but the machine itself (RFC 7591 §5, RFC 9700 §2.6, RFC 8252 §7).
pub fn check_registration(uri: &str, native: bool) -> Result<(), String> {
    let shown: String = uri.chars().filter(|c| !c.is_control()).take(80).collect();
    let refuse = |why: &str| Err(format!("redirect URI {shown:?} {why}"));
    if uri.len() > MAX_BYTES {
        return refuse("is longer than 2000 bytes");
    }
    if !uri.bytes().all(|b| (0x21..=0x7e).contains(&b))
        || uri.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^'])
    {
        return refuse("has a character that must be percent-encoded");
    }
    if uri.contains('#') {
        return refuse("has a fragment, which RFC 6749 section 3.1.2 forbids");
    }
    if uri.contains('*') {
        return refuse("has a wildcard; list every URI in full");
    }
    let Ok(url) = Url::parse(uri) else {
        return refuse("is not an absolute URI");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("carries a user name or password");
    }
    let path = url.path();
    if uri.contains("/../")
        || uri.contains("/./")
        || uri.to_ascii_lowercase().contains("%2e")
        || path.contains("..;")
    {
        return refuse("has dot segments in its path");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_this_machine(&url) => Ok(()),
        "http" => refuse("uses http to a host that is not this machine; use https"),
        "javascript" | "data" | "vbscript" | "blob" | "file" | "about" | "ftp" | "ws" | "wss"
        | "mailto" | "view-source" => refuse("has a scheme that no response may be sent to"),
        scheme if native && scheme.contains('.') => Ok(()),
        _ if native => refuse(
            "has a private-use scheme without a dot; use your domain name in reverse (RFC 8252 section 7.1)",
        ),
        _ => refuse(
            "has a private-use scheme, which only clients with application_type = \"native\" may use",
        ),
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(ip)) => ip == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_native_loopback_may_differ_rfc8252_7_3() {
        let registered = "http://127.0.0.1/cb";
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:65535/cb",
        ] {
            assert!(matches(registered, good, true), "{good}");
        }
        for bad in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:8@evil/cb",
            "http://127.0.0.1.evil/cb",
            "http://localhost:1/cb",
            "https://127.0.0.1:1/cb",
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/cb?x",
            "http://[::1]:1/cb",
            "http://127.0.0.1:01/cb",
            "HTTP://127.0.0.1:1/cb",
            "http://127.0.0.1:1/Cb",
        ] {
            assert!(!matches(registered, bad, true), "{bad}");
        }
        assert!(!matches(registered, "http://127.0.0.1:1/cb", false));
    }

    #[test]
    fn what_may_be_registered() {
        for good in [
            "https://app.example/cb",
            "https://app.example/cb?x=1",
            "http://127.0.0.1:9000/cb",
            "http://localhost/cb",
            "http://[::1]/",
        ] {
            assert_eq!(check_registration(good, false), Ok(()), "{good}");
        }
        assert_eq!(check_registration("com.example.app:/cb", true), Ok(()));
        for bad in [
            "http://app.example/cb",
            "https://app.example/cb#f",
            "https://*.example/cb",
            "https://u:p@app.example/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "/cb",
            "",
            "https://app.example/a/../b",
            "https://app.example/%2e%2E/b",
            "https://app.example/..;/b",
            "https://app.example\\@evil/",
            "https://app.example/\r\n",
            "com.example.app:/cb",
            "http://localhost.evil/",
        ] {
            assert!(check_registration(bad, false).is_err(), "{bad}");
        }
        assert!(check_registration("myapp:/cb", true).is_err());
    }

    #[test]
    fn a_refusal_says_what_to_change() {
        let long = |bytes: usize| format!("https://a.example/{}", "a".repeat(bytes - 18));
        assert_eq!(check_registration(&long(MAX_BYTES), false), Ok(()));
        for (bad, native, why) in [
            (
                long(MAX_BYTES + 1).as_str(),
                false,
                "longer than 2000 bytes",
            ),
            ("http://app.example/cb", false, "use https"),
            ("http://app.example/cb", true, "use https"),
            ("javascript:alert(1)", true, "no response may be sent to"),
            (
                "view-source:https://app.example/",
                true,
                "no response may be sent to",
            ),
            ("https://u@app.example/", false, "user name or password"),
            ("https://:p@app.example/", false, "user name or password"),
            ("myapp:/cb", true, "without a dot"),
            ("com.example.app:/cb", false, "application_type"),
        ] {
            let refused = check_registration(bad, native).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert!(refused.contains(&bad[..20.min(bad.len())]), "{refused}");
        }
        let refused = check_registration("https://app.example/\r\n", false).unwrap_err();
        assert!(
            !refused.contains('\r') && refused.contains("app.example"),
            "{refused}"
        );
    }

    #[test]
    fn a_host_is_shown_or_the_scheme_of_an_app() {
        let web = TrustedRedirect::proven("https://a.example/cb?x=1");
        assert_eq!(web.shown_host(), "a.example");
        assert_eq!(web.as_str(), "https://a.example/cb?x=1");
        let app = TrustedRedirect::proven("com.example.app:/cb");
        assert_eq!(app.shown_host(), "com.example.app");
    }

    #[test]
    fn a_query_is_kept_and_added_to() {
        let plain = TrustedRedirect::proven("https://a.example/cb");
        assert_eq!(
            plain.with_query([("code", "x y")]),
            "https://a.example/cb?code=x+y"
        );
        assert_eq!(
            TrustedRedirect::proven("https://a.example/cb?t=1").with_query([("s", "&")]),
            "https://a.example/cb?t=1&s=%26"
        );
        for ending in ["https://a.example/cb?", "https://a.example/cb?t=1&"] {
            let added = TrustedRedirect::proven(ending).with_query([("s", "1")]);
            assert_eq!(added, format!("{ending}s=1"));
        }
        assert_eq!(plain.with_query([]), "https://a.example/cb");
    }
}
