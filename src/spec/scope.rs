//! `scope`: a set of words ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A set of scope tokens; written in a stable order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(BTreeSet<String>);

/// A scope text that RFC 6749 §3.3 does not allow.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("scope {token:?} has a character that RFC 6749 section 3.3 does not allow")]
pub struct ScopeError {
    /// The offending token, shortened.
    pub token: String,
}

impl JsonSchema for Scope {
    fn schema_name() -> Cow<'static, str> {
        "Scope".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[!#-\\[\\]-~ ]*$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl Scope {
    /// The scope of an OpenID Connect request (OpenID Connect Core §3.1.2.1).
    pub const OPENID: &'static str = "openid";
    /// Asks for a refresh token that outlives the browser session (OpenID Connect Core §11).
    pub const OFFLINE_ACCESS: &'static str = "offline_access";

    /// Lets a resource server ask for decisions. Signet's own.
    pub const DECIDE: &'static str = "signet:decide";

    /// Lets an application use the administration API. Signet's own.
    pub const ADMIN: &'static str = "signet:admin";

    /// Reads a space-delimited list.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut tokens = BTreeSet::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !is_token(token) {
                return Err(ScopeError {
                    token: token.chars().take(40).collect(),
                });
            }
            tokens.insert(token.to_owned());
        }
        Ok(Self(tokens))
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Whether the request is an OpenID Connect request.
    #[must_use]
    pub fn is_openid(&self) -> bool {
        self.contains(Self::OPENID)
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything here is also in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What either set holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The set without `token`.
    #[must_use]
    pub fn without(mut self, token: &str) -> Self {
        self.0.remove(token);
        self
    }

    /// The first token that is not in `other`.
    #[must_use]
    pub fn first_outside(&self, other: &Self) -> Option<&str> {
        self.0
            .iter()
            .find(|token| !other.contains(token))
            .map(String::as_str)
    }

    /// The tokens, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(tokens: I) -> Self {
        Self(
            tokens
                .into_iter()
                .filter(|token| is_token(token))
                .map(str::to_owned)
                .collect(),
        )
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, at most 256 bytes.
#[must_use]
pub fn is_token(token: &str) -> bool {
    !token.is_empty()
        && token.len() <= 256
        && token
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_set_with_one_spelling() {
        let scope = Scope::parse("profile openid  profile").unwrap();
        assert_eq!(scope.to_string(), "openid profile");
        assert!(scope.is_openid());
        assert_eq!(
            scope.first_outside(&Scope::parse("openid").unwrap()),
            Some("profile")
        );
        assert!(Scope::parse("a\"b").is_err());
        assert!(Scope::parse("ä").is_err());
    }
}
