//! The forms in which values are written.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Reads `30s`, `5m`, `12h`, `30d` or whole seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a duration such as 30s, 5m, 12h, 30d or whole seconds";
    let (digits, unit) = match text.char_indices().last() {
        Some((_, last)) if last.is_ascii_digit() => (text, 1),
        Some((at, 's')) => (text.get(..at).unwrap_or_default(), 1),
        Some((at, 'm')) => (text.get(..at).unwrap_or_default(), 60),
        Some((at, 'h')) => (text.get(..at).unwrap_or_default(), 60 * 60),
        Some((at, 'd')) => (text.get(..at).unwrap_or_default(), 24 * 60 * 60),
        Some(_) | None => return Err(EXPECTED.to_owned()),
    };
    // Ten years is longer than anything here may live, and far from any overflow.
    let longest = 10 * 366 * 24 * 60 * 60;
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|number| number.checked_mul(unit))
        .filter(|seconds| *seconds <= longest)
        .map(Duration::from_secs)
        .ok_or_else(|| EXPECTED.to_owned())
}

/// Writes a duration the way [`duration`] reads it, in the largest unit that fits.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(24 * 60 * 60) => format!("{}d", seconds / (24 * 60 * 60)),
        _ if seconds.is_multiple_of(60 * 60) => format!("{}h", seconds / (60 * 60)),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Decodes 32 bytes of base64 in either alphabet, padded or not.
pub fn key_bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim().trim_end_matches('=');
    let bytes = Zeroizing::new(
        STANDARD_NO_PAD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text))
            .ok()?,
    );
    <[u8; 32]>::try_from(bytes.as_slice())
        .ok()
        .map(Zeroizing::new)
}

/// A host that outbound fetches may reach although it is private or speaks plain http.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// The host, lower-cased; an IPv6 address without brackets.
    pub host: String,
    /// The only port that is meant; every port when absent.
    pub port: Option<u16>,
}

impl HostPattern {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || "expected host or host:port, such as sso.internal or 127.0.0.1:9000".to_owned();
        if text.is_empty()
            || text
                .chars()
                .any(|c| c.is_whitespace() || "/@?#,\\*".contains(c))
        {
            return Err(wrong());
        }
        let url = url::Url::parse(&format!("http://{text}")).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?;
        // `Url` hides a port that is the scheme's own.
        let port = match text.rsplit_once(':') {
            Some((_, digits)) if !digits.ends_with(']') => {
                Some(digits.parse().map_err(|_| wrong())?)
            }
            Some(_) | None => None,
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        })
    }

    /// Whether this host and port are meant.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.host
            .eq_ignore_ascii_case(host.trim_matches(['[', ']']))
            && self.port.is_none_or(|own| own == port)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The known name that `name` was probably meant to be, if one is near enough to say so.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_unit() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("0"), Ok(0));
        for text in [
            "",
            "s",
            "5 m",
            "+5m",
            "-5m",
            "1.5h",
            "5w",
            "1h30m",
            "5µ",
            "99999999999999999999d",
            "9999999999d",
            "٣s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_read() {
        for text in ["0s", "30s", "5m", "12h", "30d", "90s"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_master_key_is_32_bytes_in_either_alphabet() {
        assert!(key_bytes("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").is_some());
        assert!(key_bytes("__________________________________________8").is_some());
        assert!(key_bytes("//////////////////////////////////////////8=\n").is_some());
        assert!(key_bytes("AAAA").is_none());
        assert!(key_bytes("not base64!").is_none());
    }

    #[test]
    fn host_patterns() {
        let parse = |text| HostPattern::parse(text).unwrap();
        assert!(parse("SSO.internal").matches("sso.internal", 443));
        assert!(parse("127.0.0.1:80").matches("127.0.0.1", 80));
        assert!(!parse("127.0.0.1:80").matches("127.0.0.1", 81));
        assert!(parse("[::1]:9000").matches("[::1]", 9000));
        assert!(parse("[::1]").matches("::1", 1));
        assert_eq!(parse("[::1]:9000").to_string(), "[::1]:9000");
        for text in [
            "",
            "http://a",
            "a/b",
            "a:b",
            "a:99999",
            "*.example.com",
            "::1",
            "a b",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_named_only_when_it_is_near() {
        let known = ["listen", "issuer", "database_url"];
        assert_eq!(nearest("isuer", known.into_iter()), Some("issuer"));
        assert_eq!(
            nearest("databse_url", known.into_iter()),
            Some("database_url")
        );
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }
}
