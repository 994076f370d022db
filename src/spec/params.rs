//! Request parameters: `application/x-www-form-urlencoded` text, read once, strictly.
//!
//! One reader serves queries and bodies alike, so that no two parts of Signet can read the same request
//! differently. It refuses what lenient readers paper over: broken percent-encoding, bytes that are not
//! UTF-8, control characters (white space of JSON apart). Repeated names are kept apart, because whether they end in a page or in a
//! redirect is decided by who asks ([RFC 6749 §3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).

use thiserror::Error;

/// At most this many parameters in one request.
pub const MAX_PARAMS: usize = 64;

/// Parameters that their own specifications let a request repeat: RFC 8707 §2.
const MAY_REPEAT: [&str; 1] = ["resource"];

/// Parameters whose values are JSON, where line breaks and tabs are white space
/// ([RFC 8259 §2](https://www.rfc-editor.org/rfc/rfc8259#section-2)): OpenID Connect Core §5.5 and §7.2.1,
/// RFC 9396 §2. JSON itself refuses them inside a string.
const JSON: [&str; 3] = ["claims", "registration", "authorization_details"];

/// The parameters of one request, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
    repeated: Option<String>,
}

/// Why a query or body could not be read at all.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ParamsError {
    /// Broken percent-encoding or bytes that are not UTF-8.
    #[error("parameter {name:?} is not valid percent-encoded UTF-8")]
    Encoding {
        /// The parameter, as far as it could be read.
        name: String,
    },
    /// A control character, which no parameter may carry (RFC 6749 appendix A).
    #[error("parameter {name:?} contains a control character")]
    Control {
        /// The parameter.
        name: String,
    },
    /// More than [`MAX_PARAMS`] parameters.
    #[error("the request has more than {MAX_PARAMS} parameters")]
    TooMany,
}

impl Params {
    /// Reads form-encoded text, such as a query without its `?` or a request body.
    pub fn parse(text: &[u8]) -> Result<Self, ParamsError> {
        let params = Self::parse_typed(text)?;
        let controlled = |(name, value): &&(String, String)| {
            let json = JSON.contains(&name.as_str());
            let white = |c: char| json && matches!(c, '\n' | '\r' | '\t');
            let in_value = value.chars().any(|c| c.is_control() && !white(c));
            in_value || name.chars().any(char::is_control)
        };
        match params.pairs.iter().find(controlled) {
            Some((name, _)) => Err(ParamsError::Control {
                name: name.chars().filter(|c| !c.is_control()).take(40).collect(),
            }),
            None => Ok(params),
        }
    }

    /// Reads what a person typed into a form: a control character is a mistake of theirs, not an attack on a
    /// protocol, and simply matches nothing.
    pub fn parse_typed(text: &[u8]) -> Result<Self, ParamsError> {
        let mut params = Self::default();
        for piece in text
            .split(|byte| *byte == b'&')
            .filter(|piece| !piece.is_empty())
        {
            if params.pairs.len() == MAX_PARAMS {
                return Err(ParamsError::TooMany);
            }
            let mut halves = piece.splitn(2, |byte| *byte == b'=');
            let raw_name = halves.next().unwrap_or_default();
            let raw_value = halves.next().unwrap_or_default();
            let shown = || {
                String::from_utf8_lossy(raw_name)
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(40)
                    .collect()
            };
            let name = decode(raw_name).ok_or_else(|| ParamsError::Encoding { name: shown() })?;
            let value = decode(raw_value).ok_or_else(|| ParamsError::Encoding { name: shown() })?;
            params.push(name, value);
        }
        Ok(params)
    }

    /// The parameters of pairs that were read before, such as those of a sealed pending request.
    #[must_use]
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            params.push(name, value);
        }
        params
    }

    /// The value of `name`; a parameter sent without a value counts as omitted (RFC 6749 §3.1).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .pairs
            .iter()
            .find(|(n, v)| n == name && !v.is_empty())?;
        Some(value)
    }

    /// Every value of a parameter that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(n, v)| n == name && !v.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// Whether `name` was sent, with or without a value.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.pairs.iter().any(|(n, _)| n == name)
    }

    /// How often `name` was sent.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.pairs.iter().filter(|(n, _)| n == name).count()
    }

    /// The first parameter that was sent more than once and must not be.
    #[must_use]
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }

    /// All pairs, in their order.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    fn push(&mut self, name: String, value: String) {
        if self.repeated.is_none() && !MAY_REPEAT.contains(&name.as_str()) && self.contains(&name) {
            self.repeated = Some(name.clone());
        }
        self.pairs.push((name, value));
    }
}

/// Decodes one form-encoded text strictly: `+` is a space, `%` needs two hexadecimal digits, the result
/// is UTF-8. `None` when it is not.
#[must_use]
pub fn decode(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let high = hex(bytes.next()?)?;
                let low = hex(bytes.next()?)?;
                out.push(high << 4 | low);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// Encodes pairs as form text, for a query or a body.
#[must_use]
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        text.append_pair(name, value);
    }
    text.finish()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_value_counts_as_omitted_rfc6749_3_1() {
        let params = Params::parse(b"a=&b&c=1").unwrap();
        assert_eq!(params.find("a"), None);
        assert_eq!(params.find("b"), None);
        assert_eq!(params.find("c"), Some("1"));
        assert!(params.contains("b"));
    }

    #[test]
    fn a_repeated_name_is_told_and_resource_may_repeat_rfc8707_2() {
        assert_eq!(Params::parse(b"a=1&b=2&a=1").unwrap().repeated(), Some("a"));
        let params = Params::parse(b"resource=x&resource=y").unwrap();
        assert_eq!(params.repeated(), None);
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn broken_text_is_refused() {
        for text in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%zz",
            b"a=%ff",
            b"%ff=1",
            b"a=\xc3",
        ] {
            assert!(
                matches!(Params::parse(text), Err(ParamsError::Encoding { .. })),
                "{text:?}"
            );
        }
        for text in [&b"a=%00"[..], b"a=%0d%0a", b"a=\x07", b"a=%7f"] {
            assert!(
                matches!(Params::parse(text), Err(ParamsError::Control { .. })),
                "{text:?}"
            );
        }
        // JSON has white space of its own, in its value alone.
        for text in [
            &b"claims=%0a%0d%09{}"[..],
            b"registration=%0a",
            b"authorization_details=[%0a]",
        ] {
            assert!(Params::parse(text).is_ok(), "{text:?}");
        }
        for text in [
            &b"claims=%00"[..],
            b"claims=%0b",
            b"claims=%c2%85",
            b"claims%0a=1",
        ] {
            assert!(
                matches!(Params::parse(text), Err(ParamsError::Control { .. })),
                "{text:?}"
            );
        }
        assert_eq!(
            Params::parse("a=1&".repeat(65).as_bytes()),
            Err(ParamsError::TooMany)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_panic(bytes: Vec<u8>) {
            let _ = Params::parse(&bytes);
        }

        #[test]
        fn what_is_encoded_is_read_back(pairs in prop::collection::vec(("[^\\p{Cc}]{1,20}", "[^\\p{Cc}]{1,40}"), 0..20)) {
            let text = encode(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            let read = Params::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(read.pairs(), &pairs[..]);
        }
    }
}
