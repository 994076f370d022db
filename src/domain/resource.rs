//! Resource servers: the audiences of access tokens
//! ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::policy::Permission;
use crate::spec::alg::SigningAlg;
use crate::spec::scope::{Scope, is_token};

/// A resource server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Resource {
    /// Its URI: the `aud` of tokens for it. It names the record, so it is no member.
    #[serde(skip)]
    pub identifier: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The scopes that mean something to it.
    #[serde(serialize_with = "as_list", deserialize_with = "from_list")]
    #[schemars(schema_with = "list")]
    pub scopes: Scope,
    /// By scope: the permission that a person needs to give it, `resource_type:action`.
    pub scope_permissions: BTreeMap<String, Permission>,
    /// What access tokens for it say of the person, beside what the client chose: `roles`, `groups`, `permissions`,
    /// `org_id` or `attributes.NAME`.
    pub access_token_claims: Vec<String>,
    /// `typ` of access tokens for it (default `at+jwt`): `JWT` for libraries that know no other.
    pub access_token_typ: AccessTokenTyp,
    /// The algorithm of access tokens for it (default: that of the client).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_signing_alg: Option<SigningAlg>,
}

/// `typ` in the header of an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessTokenTyp {
    /// That of [RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1).
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// That of any JWT, for resource servers that refuse the other.
    #[serde(rename = "JWT")]
    Jwt,
}

impl AccessTokenTyp {
    /// As it stands in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }

    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = [Self::AtJwt, Self::Jwt].into_iter();
        all.find(|typ| typ.as_str() == text)
    }
}

fn as_list<S: Serializer>(scopes: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter())
}

fn from_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
    let scopes = Vec::<String>::deserialize(deserializer)?;
    if let Some(bad) = scopes.iter().find(|scope| !is_token(scope)) {
        let problem = format!("{bad:?} is no scope (RFC 6749 section 3.3)");
        return Err(serde::de::Error::custom(problem));
    }
    Ok(scopes.iter().map(String::as_str).collect())
}

fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string" } })
}

/// The URI of a resource server: absolute, without fragment, at most 512 bytes
/// ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)).
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String")]
pub struct Identifier(String);

impl Identifier {
    /// Out of the store: it was read when it was written.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Identifier {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check_identifier(&text).map(|()| Self(text))
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0
    }
}

impl Deref for Identifier {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Identifier {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether two identifiers name the same resource server: an origin with and without a final `/` is one identifier
/// ([RFC 3986 §6.2.3](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3)).
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

/// The one spelling of an identifier by which it is compared: an origin stands without the final `/`.
#[must_use]
pub fn canonical(identifier: &str) -> &str {
    match identifier.strip_suffix('/') {
        Some(origin) if is_origin(origin) => origin,
        Some(_) | None => identifier,
    }
}

/// The other spelling of an origin, with or without the final `/`; any other identifier has one spelling.
#[must_use]
pub fn other_spelling(identifier: &str) -> Option<String> {
    let origin = canonical(identifier);
    if origin.len() < identifier.len() {
        Some(origin.to_owned())
    } else {
        is_origin(origin).then(|| format!("{origin}/"))
    }
}

fn is_origin(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, authority)| authority);
    authority.is_some_and(|it| !it.is_empty() && !it.contains(['/', '?', '#']))
}

/// Checks a resource indicator: an absolute URI without fragment (RFC 8707 §2). The error is a sentence.
pub fn check_identifier(identifier: &str) -> Result<(), String> {
    let absolute = Url::parse(identifier).is_ok();
    if !absolute
        || identifier.contains('#')
        || identifier.len() > 512
        || !identifier.bytes().all(|b| (0x21..=0x7e).contains(&b))
    {
        return Err(
            "must be an absolute URI without fragment, at most 512 bytes (RFC 8707 section 2)"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_with_and_without_a_final_slash_is_one_identifier_rfc3986_6_2_3() {
        for origin in ["https://a.example", "http://[::1]:8080", "api://orders"] {
            let slash = format!("{origin}/");
            assert!(is_same(origin, &slash) && is_same(&slash, origin));
            assert_eq!(other_spelling(origin).as_deref(), Some(slash.as_str()));
            assert_eq!(other_spelling(&slash).as_deref(), Some(origin));
        }
        for (one, other) in [
            ("https://a.example/v1", "https://a.example/v1/"),
            ("https://a.example", "https://a.example//"),
            ("https://a.example", "http://a.example/"),
            ("https://a.example?x", "https://a.example?x/"),
            ("urn:orders", "urn:orders/"),
            ("https://", "https:///"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
            assert_eq!(other_spelling(one).filter(|it| it == other), None, "{one}");
        }
    }
}
