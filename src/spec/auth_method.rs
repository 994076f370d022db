//! `token_endpoint_auth_method` (RFC 7591 §2, OpenID Connect Core §9).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way for a client to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// A JWT signed with the client's own key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A public client: it proves nothing but its grants' own proofs (RFC 6749 §2.1).
    None,
}

impl AuthMethod {
    /// Every method, in the order in which discovery lists them.
    pub const ALL: [Self; 4] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::None,
    ];

    /// The method of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }

    /// Whether the method proves a secret that is shared with Signet.
    #[must_use]
    pub const fn uses_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What a client registered of how it authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredMethod {
    /// Exactly this one.
    Only(AuthMethod),
    /// None was written: its secret, in the header or in the body, never both in one request.
    Secret,
}

impl RegisteredMethod {
    /// What a registration says that has that `token_endpoint_auth_method`. Who registered keys of its own beside none
    /// has the default of RFC 7591 §2, `client_secret_basic`: its secret is not all that it could prove.
    #[must_use]
    pub const fn of(written: Option<AuthMethod>, has_keys: bool) -> Self {
        match (written, has_keys) {
            (Some(method), _) => Self::Only(method),
            (None, true) => Self::Only(AuthMethod::ClientSecretBasic),
            (None, false) => Self::Secret,
        }
    }

    /// Whether the client may authenticate so.
    #[must_use]
    pub fn accepts(self, used: AuthMethod) -> bool {
        match self {
            Self::Only(method) => used == method,
            Self::Secret => used.uses_secret(),
        }
    }

    /// Whether the client needs a secret.
    #[must_use]
    pub const fn uses_secret(self) -> bool {
        match self {
            Self::Only(method) => method.uses_secret(),
            Self::Secret => true,
        }
    }

    /// The one name that RFC 7591 §2 gives it: where none was written, its default.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Only(method) => method.as_str(),
            Self::Secret => AuthMethod::ClientSecretBasic.as_str(),
        }
    }

    /// The same in words, for people.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Only(method) => method.as_str(),
            Self::Secret => "secret by header or body",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_method_is_the_only_one_and_no_method_takes_the_secret_either_way() {
        for method in AuthMethod::ALL {
            for has_keys in [false, true] {
                let registered = RegisteredMethod::of(Some(method), has_keys);
                for used in AuthMethod::ALL {
                    assert_eq!(registered.accepts(used), used == method, "{registered:?}");
                }
            }
        }
        let unwritten = RegisteredMethod::of(None, false);
        let accepted = AuthMethod::ALL.map(|used| unwritten.accepts(used));
        assert_eq!(accepted, [true, true, false, false]);
        let with_keys = RegisteredMethod::of(None, true);
        let accepted = AuthMethod::ALL.map(|used| with_keys.accepts(used));
        assert_eq!(accepted, [true, false, false, false], "RFC 7591 section 2");
    }
}
