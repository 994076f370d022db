//! The issuer identifier ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)).

use std::fmt;

use url::{Host, Url};

/// An issuer identifier: https (http only on this machine), no query, no fragment.
///
/// Relying parties compare it byte for byte, so the text stays exactly as the operator wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Reads an issuer identifier; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("expected a URL such as https://id.example.com ({error})"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => {
                return Err(
                    "expected https: over plain http anyone on the way reads passwords and \
                            tokens; http is accepted only for localhost and loopback addresses"
                        .to_owned(),
                );
            }
            _ => return Err("expected an https URL".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("expected a URL without user name and password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected a URL without query and fragment (RFC 8414 §2)".to_owned());
        }
        if !matches!(url.path(), "" | "/") {
            return Err(
                "expected a URL without path: Signet answers at the root of its host".to_owned(),
            );
        }
        // Browsers normalise addresses; an issuer they would write differently never compares equal.
        if url.as_str() != text && url.as_str().strip_suffix('/') != Some(text) {
            let normal = url.as_str().trim_end_matches('/');
            return Err(format!("expected the form that browsers use: {normal}"));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }

    /// The identifier exactly as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether browsers reach Signet over TLS: decides `Secure`, `__Host-` and HSTS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The absolute address of `path`, which begins with a slash.
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text.trim_end_matches('/'))
    }

    /// The origin as browsers write it in the `Origin` header.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// RFC 6761 reserves `localhost` and all names below it for this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_as_written() {
        for text in [
            "https://id.example.com",
            "https://id.example.com/",
            "https://id.example.com:8443",
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://id.localhost",
        ] {
            assert_eq!(Issuer::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn endpoints_have_one_slash() {
        let endpoint = |text| Issuer::parse(text).unwrap().endpoint("/jwks");
        assert_eq!(
            endpoint("https://id.example.com"),
            "https://id.example.com/jwks"
        );
        assert_eq!(
            endpoint("https://id.example.com/"),
            "https://id.example.com/jwks"
        );
        assert!(Issuer::parse("https://id.example.com/tenant").is_err());
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in [
            "http://id.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://0.0.0.0:8080",
        ] {
            assert!(
                Issuer::parse(text).unwrap_err().contains("plain http"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        for text in [
            "",
            "id.example.com",
            "ftp://id.example.com",
            "https://",
            "https://a@id.example.com",
            "https://id.example.com?x",
            "https://id.example.com/#f",
            "https://ID.example.com",
            "https://id.example.com:443",
            " https://id.example.com",
            "https://id.example.com/a/../b",
        ] {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
        assert!(
            Issuer::parse("https://ID.example.com:443")
                .unwrap_err()
                .ends_with("https://id.example.com")
        );
    }
}
