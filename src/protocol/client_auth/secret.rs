//! `client_secret_basic` and `client_secret_post` (RFC 6749 §2.3.1).
//!
//! RFC 6749 §2.3.1 has clients form-encode both halves of a Basic header; many, and `curl -u`, send them as they are
//! (RFC 7617 §2). Each half is therefore read form-decoded, and as it came where that differs.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::client_secret::{ClientSecretMac, PresentedSecret};
use crate::crypto::secret::PlainToken;
use crate::http::error::OAuthError;
use crate::spec::params;

/// `Authorization: Basic`.
pub(super) struct Basic {
    /// The client.
    pub(super) id: Half,
    /// Its secret.
    pub(super) secret: Secret,
}

/// A secret as it was presented.
pub(super) struct Secret {
    first: PlainToken,
    other: Option<PlainToken>,
}

/// One half of a Basic header: form-decoded if it can be, and as it came if that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Half {
    first: String,
    other: Option<String>,
}

impl Half {
    fn read(bytes: &[u8]) -> Option<Self> {
        let came = std::str::from_utf8(bytes).ok().map(str::to_owned);
        match params::decode(bytes) {
            Some(first) => Some(Self {
                other: came.filter(|came| *came != first),
                first,
            }),
            None => came.map(|first| Self { first, other: None }),
        }
    }

    /// Every reading, the likelier first.
    pub(super) fn readings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first)
            .chain(&self.other)
            .map(String::as_str)
    }
}

impl Secret {
    /// One that can be read in one way.
    pub(super) fn plain(secret: &str) -> Self {
        Self {
            first: PlainToken::new(secret),
            other: None,
        }
    }

    /// The same, to be compared with stored ones.
    pub(super) fn present(&self, mac: &ClientSecretMac) -> PresentedSecret {
        match &self.other {
            Some(other) => mac.present_either(&self.first, other),
            None => mac.present(&self.first),
        }
    }
}

impl From<Half> for Secret {
    fn from(half: Half) -> Self {
        Self {
            first: PlainToken::new(half.first),
            other: half.other.map(PlainToken::new),
        }
    }
}

/// The id and secret of `Authorization: Basic`.
pub(super) fn basic(headers: &HeaderMap) -> Result<Option<Basic>, OAuthError> {
    let broken = || {
        OAuthError::invalid_client(
            "the Authorization header must be Basic, then the base64 of the form-encoded client_id, a colon and the form-encoded secret",
        )
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| broken())?,
        (Some(_), Some(_)) => {
            return Err(OAuthError::invalid_request(
                "the Authorization header was sent more than once",
            ));
        }
    };
    let (scheme, encoded) = value.split_once(' ').ok_or_else(broken)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(broken());
    }
    let decoded = STANDARD
        .decode(encoded.trim_matches(' '))
        .map_err(|_| broken())?;
    let colon = decoded
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(broken)?;
    let (id, secret) = decoded.split_at_checked(colon).ok_or_else(broken)?;
    let secret = secret.get(1..).unwrap_or_default();
    Ok(Some(Basic {
        id: Half::read(id).ok_or_else(broken)?,
        secret: Half::read(secret).ok_or_else(broken)?.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_read_form_decoded_and_as_it_came_where_that_differs() {
        let readings = |bytes: &[u8]| {
            let half = Half::read(bytes)?;
            Some(half.readings().map(str::to_owned).collect::<Vec<_>>())
        };
        let cases: [(&[u8], Option<&[&str]>); 8] = [
            (b"sgs_Az-_09", Some(&["sgs_Az-_09"])),
            (b"a+b", Some(&["a b", "a+b"])),
            (b"a%2Bb", Some(&["a+b", "a%2Bb"])),
            (b"100% sure", Some(&["100% sure"])),
            (b"", Some(&[""])),
            ("ä".as_bytes(), Some(&["ä"])),
            // Decoded it is no UTF-8; as it came it is.
            (b"%ff", Some(&["%ff"])),
            (b"\xff", None),
        ];
        for (bytes, expected) in cases {
            let expected = expected.map(<[&str]>::to_vec);
            let read = readings(bytes);
            let read = read
                .as_ref()
                .map(|all| all.iter().map(String::as_str).collect());
            assert_eq!(read, expected, "{bytes:?}");
        }
    }
}
