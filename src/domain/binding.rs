//! The key that a grant and its tokens are bound to (`cnf`, [RFC 7800](https://www.rfc-editor.org/rfc/rfc7800)).

use std::fmt;

use serde_json::{Map, Value};

use crate::crypto::b64;

/// A binding to a key: the presenter of the credential must prove that it holds that key.
///
/// It stands in the grant, in what is presented, in the guard of the redeeming statement and in the claims, so it is
/// one more proof beside the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// No key: the bearer may use it ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).
    #[default]
    None,
    /// The public key of DPoP proofs ([RFC 9449 §6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)).
    Jkt(Thumbprint),
    /// A client's certificate ([RFC 8705 §3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).
    X5t(Thumbprint),
}

/// A SHA-256 of a key or a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint(pub [u8; 32]);

/// The member of `cnf` that names a DPoP key.
const JKT: &str = "jkt";

/// The member of `cnf` that names a certificate.
const X5T: &str = "x5t#S256";

impl Binding {
    /// The binding that a `cnf` claim names; a token without one is bound to no key. `None` for a confirmation that
    /// this server does not understand: nothing can prove it.
    #[must_use]
    pub fn of_cnf(cnf: Option<&Value>) -> Option<Self> {
        let Some(cnf) = cnf else {
            return Some(Self::None);
        };
        let mut members = cnf.as_object()?.iter();
        match (members.next(), members.next()) {
            (Some((member, thumbprint)), None) => Self::of(member, thumbprint.as_str()?),
            _ => None,
        }
    }

    /// The value of the `cnf` claim ([RFC 7800 §3](https://www.rfc-editor.org/rfc/rfc7800#section-3)).
    #[must_use]
    pub fn cnf(&self) -> Option<Value> {
        let (member, thumbprint) = self.confirmation()?;
        let members = Map::from_iter([(member.to_owned(), thumbprint.to_string().into())]);
        Some(Value::Object(members))
    }

    /// The binding as a grant's row has it: the member of `cnf`, a blank and the thumbprint.
    #[must_use]
    pub fn to_column(self) -> Option<String> {
        let (member, thumbprint) = self.confirmation()?;
        Some(format!("{member} {thumbprint}"))
    }

    /// The binding of a grant's row; `None` for text that [`to_column`](Self::to_column) does not write.
    #[must_use]
    pub fn of_column(column: Option<&str>) -> Option<Self> {
        let Some(text) = column else {
            return Some(Self::None);
        };
        let (member, thumbprint) = text.split_once(' ')?;
        Self::of(member, thumbprint)
    }

    /// `token_type` of an access token with this binding
    /// ([RFC 9449 §5](https://www.rfc-editor.org/rfc/rfc9449#section-5); a token that is bound to a certificate is sent
    /// as a bearer token, [RFC 8705 §3](https://www.rfc-editor.org/rfc/rfc8705#section-3)).
    #[must_use]
    pub const fn token_type(&self) -> &'static str {
        match self {
            Self::None | Self::X5t(_) => "Bearer",
            Self::Jkt(_) => "DPoP",
        }
    }

    fn of(member: &str, thumbprint: &str) -> Option<Self> {
        let thumbprint = Thumbprint::parse(thumbprint)?;
        match member {
            JKT => Some(Self::Jkt(thumbprint)),
            X5T => Some(Self::X5t(thumbprint)),
            _ => None,
        }
    }

    const fn confirmation(&self) -> Option<(&'static str, &Thumbprint)> {
        match self {
            Self::None => None,
            Self::Jkt(thumbprint) => Some((JKT, thumbprint)),
            Self::X5t(thumbprint) => Some((X5T, thumbprint)),
        }
    }
}

impl Thumbprint {
    /// The thumbprint in base64url without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(b64::decode(text)?.try_into().ok()?))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: Thumbprint = Thumbprint([7; 32]);

    #[test]
    fn a_binding_is_read_back_from_its_claim_and_its_column() {
        for binding in [Binding::None, Binding::Jkt(KEY), Binding::X5t(KEY)] {
            assert_eq!(Binding::of_cnf(binding.cnf().as_ref()), Some(binding));
            let column = binding.to_column();
            assert_eq!(Binding::of_column(column.as_deref()), Some(binding));
        }
        assert_eq!(
            Binding::Jkt(KEY).cnf(),
            Some(json!({ "jkt": KEY.to_string() }))
        );
        assert_eq!(
            Binding::X5t(KEY).cnf(),
            Some(json!({ "x5t#S256": KEY.to_string() }))
        );
    }

    #[test]
    fn a_confirmation_that_is_not_understood_is_no_binding_rfc7800_3_1() {
        let key = KEY.to_string();
        for cnf in [
            json!(null),
            json!("jkt"),
            json!({}),
            json!({ "jkt": 1 }),
            json!({ "jkt": "short" }),
            json!({ "jwk": { "kty": "EC" } }),
            json!({ "jkt": key, "x5t#S256": key }),
        ] {
            assert_eq!(Binding::of_cnf(Some(&cnf)), None, "{cnf}");
        }
        for column in ["", "jkt", "jkt x", "kid AAAA"] {
            assert_eq!(Binding::of_column(Some(column)), None, "{column}");
        }
    }

    #[test]
    fn only_dpop_has_a_token_type_of_its_own_rfc9449_5() {
        assert_eq!(Binding::None.token_type(), "Bearer");
        assert_eq!(Binding::X5t(KEY).token_type(), "Bearer");
        assert_eq!(Binding::Jkt(KEY).token_type(), "DPoP");
    }
}
