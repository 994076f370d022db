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
