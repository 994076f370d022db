//! Where a browser may be sent: the one comparison of redirect URIs
//! ([RFC 9700 §2.1](https://www.rfc-editor.org/rfc/rfc9700#section-2.1)).

mod schemes;
mod unregistered;

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::spec::params::encode;

pub use schemes::{acted_on, needs_operator};
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
        let added = encode(pairs);
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

    /// The URI with parameters in its fragment, which a registered one never has
    /// ([OAuth 2.0 Multiple Response Types §2.1](https://openid.net/specs/oauth-v2-multiple-response-types-1_0.html#ResponseModes)).
    #[must_use]
    pub fn with_fragment<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        format!("{}#{}", self.uri, encode(pairs))
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

/// Whether `presented` is `registered`: the same bytes, or, for a loopback address, the same but for the port: programs
/// on a person's own machine take the one that is free
/// ([RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3)). `localhost` counts as one, although §8.3 advises
/// against it: what is registered as such is asked for as such.
pub(super) fn matches(registered: &str, presented: &str) -> bool {
    if registered == presented {
        return true;
    }
    match (
        loopback_without_port(registered),
        loopback_without_port(presented),
    ) {
        (Some(registered), Some(presented)) => registered == presented,
        (Some(_) | None, _) => false,
    }
}

/// Splits `http://127.0.0.1:PORT/rest` into (origin without port, rest), on bytes: nothing is normalised, so nothing can be
/// spelt in a second way.
fn loopback_without_port(uri: &str) -> Option<(&'static str, &str)> {
    for host in LOOPBACK {
        let Some(rest) = uri.strip_prefix(host) else {
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

/// The origins of loopback addresses, without the port.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// The origin behind which pages of a client run that has this redirect URI; none of a private-use scheme.
#[must_use]
pub fn origin_of(uri: &str) -> Option<String> {
    let origin = Url::parse(uri).ok()?.origin();
    origin
        .is_tuple()
        .then(|| any_port(&origin.ascii_serialization()).to_owned())
}

/// An origin as it is compared: that of a loopback address without its port, as its redirect URIs are.
#[must_use]
pub fn any_port(origin: &str) -> &str {
    match loopback_without_port(origin) {
        Some((host, "")) => host,
        Some(_) | None => origin,
    }
}

/// Checks a URI that someone registers. The error is a sentence that says what to change.
///
/// Refused are fragments, wildcards, userinfo, control characters, schemes that a system acts on, and plain `http` to
/// anything but the machine itself (RFC 7591 §5, RFC 9700 §2.6, RFC 8252 §7). Who may register it is another question:
/// [`needs_operator`].
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
        scheme => match schemes::acted_on(scheme) {
            Some(why) => refuse(&format!(
                "has a scheme that no response may be sent to: it {why}"
            )),
            None if native => Ok(()),
            None => refuse(
                "has a private-use scheme, which only clients with application_type = \"native\" may use",
            ),
        },
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
    fn only_the_port_of_a_loopback_address_may_differ_rfc8252_7_3() {
        let registered = "http://127.0.0.1/cb";
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:1/cb",
            "http://127.0.0.1:65535/cb",
        ] {
            assert!(matches(registered, good), "{good}");
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
            assert!(!matches(registered, bad), "{bad}");
        }
        for (registered, presented) in [
            ("http://localhost/cb", "http://localhost:5000/cb"),
            ("http://localhost:3000/cb", "http://localhost:5000/cb"),
            ("http://localhost:3000/cb", "http://localhost/cb"),
            ("http://[::1]/cb?x", "http://[::1]:5000/cb?x"),
            ("http://127.0.0.1:9", "http://127.0.0.1"),
        ] {
            assert!(matches(registered, presented), "{registered} {presented}");
        }
        for (registered, presented) in [
            ("http://localhost/cb", "http://127.0.0.1/cb"),
            ("http://localhost/cb", "https://localhost:5000/cb"),
            ("http://localhost/cb", "http://localhost.:5000/cb"),
            ("http://localhost/cb", "http://LOCALHOST:5000/cb"),
            ("http://localhost/cb", "http://localhost.evil/cb"),
            ("http://localhost/cb", "http://localhost:5000@evil/cb"),
            ("http://localhost/cb", "http://localhost:5000\\@evil/cb"),
            ("http://localhost/cb", "http://localhost:5000/cb#x"),
            ("https://localhost/cb", "https://localhost:5000/cb"),
            ("https://127.0.0.1/cb", "https://127.0.0.1:5000/cb"),
            ("http://127.0.0.2/cb", "http://127.0.0.2:5000/cb"),
            ("https://a.example/cb", "https://a.example:5000/cb"),
        ] {
            assert!(!matches(registered, presented), "{registered} {presented}");
        }
    }

    #[test]
    fn a_page_on_any_port_of_a_loopback_address_is_the_client_s() {
        for (uri, origin) in [
            ("http://localhost:3000/cb", "http://localhost"),
            ("http://[::1]:3000/", "http://[::1]"),
            ("http://127.0.0.1/cb", "http://127.0.0.1"),
            ("https://localhost:3000/cb", "https://localhost:3000"),
            ("https://a.example/cb", "https://a.example"),
        ] {
            assert_eq!(origin_of(uri).as_deref(), Some(origin), "{uri}");
        }
        assert_eq!(origin_of("com.example.app:/cb"), None);
        assert_eq!(any_port("http://localhost:5173"), "http://localhost");
        for other in [
            "http://localhost.evil",
            "http://localhost:1/x",
            "null",
            "https://localhost:1",
            "http://localhost:x",
        ] {
            assert_eq!(any_port(other), other);
        }
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
        assert_eq!(check_registration("myapp:/cb", true), Ok(()));
        for acted_on in [
            "intent:x",
            "MS-Settings:x",
            "tel:1",
            "x-apple.systempreferences:x",
        ] {
            assert!(check_registration(acted_on, true).is_err(), "{acted_on}");
        }
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
            ("mailto:a@a.example", true, "writes to a person"),
            ("myapp:/cb", false, "application_type"),
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
