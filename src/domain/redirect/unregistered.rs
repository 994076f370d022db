//! What is told of a redirect URI that is not registered: the one that was sent, the nearest that is, and where they
//! differ.
//!
//! Registered URIs are no secret, as each of them stands in the address bar of the people it signs in; still only one is
//! told, the nearest. The work is linear in the length of the URIs, because any stranger can ask for it.

use std::fmt::{self, Write as _};

use url::Url;

/// At most so many characters of a URI are shown.
const SHOWN: usize = 200;

/// A redirect URI that a request sent and its client has not registered. It is displayed as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unregistered {
    /// The one that was sent, as it can be shown: visible ASCII, not long.
    pub sent: String,
    /// The nearest registered one, likewise, if any is registered.
    pub nearest: Option<String>,
    /// Where the two differ, in words.
    pub differ_by: Vec<&'static str>,
}

impl Unregistered {
    /// Looks for the nearest of `registered`.
    pub(in crate::domain) fn among(registered: &[String], sent: &str) -> Self {
        let nearest = registered
            .iter()
            .map(|uri| (likeness(uri, sent), uri))
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, uri)| uri);
        Self {
            sent: shown(sent),
            nearest: nearest.map(|uri| shown(uri)),
            differ_by: nearest
                .map(|uri| differences(uri, sent))
                .unwrap_or_default(),
        }
    }
}

impl fmt::Display for Unregistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent was {}, ", self.sent)?;
        match &self.nearest {
            None => f.write_str("and none is registered"),
            Some(nearest) => {
                write!(f, "the nearest that is registered is {nearest}")?;
                if self.differ_by.is_empty() {
                    return Ok(());
                }
                write!(f, " (it differs by {})", self.differ_by.join(" and "))
            }
        }
    }
}

/// Text of a stranger as it can stand on a page and in a line of a log: what is not visible ASCII is percent-encoded,
/// and what is long is cut.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for byte in text.bytes() {
        if shown.len() >= SHOWN {
            shown.push('…');
            break;
        }
        if byte.is_ascii_graphic() {
            shown.push(char::from(byte));
        } else {
            let _ = write!(shown, "%{byte:02X}");
        }
    }
    shown
}

/// How much two URIs have in common at their beginning and their end, in thousandths of their lengths.
fn likeness(one: &str, other: &str) -> usize {
    let (one, other) = (without_scheme(one), without_scheme(other));
    let same = |(a, b): &(u8, u8)| a.eq_ignore_ascii_case(b);
    let begin = one.bytes().zip(other.bytes()).take_while(same).count();
    let shorter = one.len().min(other.len());
    let end = one.bytes().rev().zip(other.bytes().rev()).take_while(same);
    let end = end.take(shorter - begin).count();
    2000 * (begin + end) / (one.len() + other.len()).max(1)
}

fn without_scheme(uri: &str) -> &str {
    uri.split_once("://").map_or(uri, |(_, rest)| rest)
}

fn differences(registered: &str, sent: &str) -> Vec<&'static str> {
    let with_slash = |one: &str, other: &str| one.strip_suffix('/') == Some(other);
    if with_slash(registered, sent) || with_slash(sent, registered) {
        return vec!["the final /"];
    }
    if registered.eq_ignore_ascii_case(sent) {
        return vec!["upper and lower case"];
    }
    let (Ok(one), Ok(other)) = (Url::parse(registered), Url::parse(sent)) else {
        return Vec::new();
    };
    let parts = [
        ("the scheme", one.scheme() != other.scheme()),
        ("the host", one.host_str() != other.host_str()),
        ("the port", one.port() != other.port()),
        ("the path", one.path() != other.path()),
        ("the query", one.query() != other.query()),
        ("the fragment", one.fragment() != other.fragment()),
    ];
    let parts = parts.into_iter().filter(|(_, differ)| *differ);
    parts.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(registered: &[&str], sent: &str) -> Unregistered {
        let registered: Vec<String> = registered.iter().map(ToString::to_string).collect();
        Unregistered::among(&registered, sent)
    }

    #[test]
    fn the_nearest_is_found_and_where_it_differs() {
        let registered = [
            "https://app.example/callback",
            "https://app.example/oauth/callback?kept=1",
            "http://127.0.0.1:9000/callback",
            "com.example.app:/callback",
        ];
        for (sent, nearest, differ_by) in [
            ("https://app.example/callback/", 0, "the final /"),
            ("https://app.example/Callback", 0, "upper and lower case"),
            ("http://app.example/callback", 0, "the scheme"),
            ("https://www.app.example/callback", 0, "the host"),
            ("https://app.example:8443/callback", 0, "the port"),
            ("https://app.example/calback", 0, "the path"),
            ("https://app.example/oauth/callback?kept=2", 1, "the query"),
            ("https://app.example/oauth/callback", 1, "the query"),
            ("http://localhost:9000/callback", 2, "the host"),
            ("http://127.0.0.1:9001/callback", 2, "the port"),
            ("com.example.app:/call", 3, "the path"),
            ("https://app.example:1/x", 0, "the port and the path"),
        ] {
            let told = among(&registered, sent);
            assert_eq!(told.nearest.as_deref(), Some(registered[nearest]), "{sent}");
            assert_eq!(told.differ_by.join(" and "), differ_by, "{sent}");
            let sentence = told.to_string();
            assert!(
                sentence.contains(sent) && sentence.contains(differ_by),
                "{sentence}"
            );
        }
        let told = among(&[], "https://app.example/");
        assert_eq!(
            told.to_string(),
            "sent was https://app.example/, and none is registered"
        );
    }

    #[test]
    fn what_is_shown_is_visible_and_short() {
        assert_eq!(
            shown("https://a.example/\r\n\u{202e}ä"),
            "https://a.example/%0D%0A%E2%80%AE%C3%A4"
        );
        let long = "x".repeat(100_000);
        assert!(shown(&long).chars().count() <= SHOWN + 1);
        let told = among(&[&long], &format!("{long}y"));
        assert!(told.to_string().len() < 3 * SHOWN, "{told}");
    }
}
