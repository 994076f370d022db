//! The document that `signet apply -f` makes true.
//!
//! Client fields are the registration names of [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2)
//! and OpenID Connect Dynamic Client Registration 1.0 §2. A field that is absent has its default, but
//! a person's is left as it is ([`crate::service::apply::Desired`]). Here only the form is judged;
//! whether a value makes sense is the service's to say, with the entry's `line` at hand.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::config::{Secret, parse};

/// Everything one document describes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    /// Resource servers.
    pub resources: Vec<ResourceEntry>,
    /// Applications.
    pub clients: Vec<ClientEntry>,
    /// People.
    pub users: Vec<UserEntry>,
    /// Roles.
    pub roles: Vec<RoleEntry>,
    /// Cedar policies.
    pub policies: Vec<PolicyEntry>,
    /// Organizations.
    pub organizations: Vec<OrganizationEntry>,
    /// Groups.
    pub groups: Vec<GroupEntry>,
    /// What policies may ask about resources.
    pub objects: Vec<ObjectEntry>,
    /// Of which type attributes are.
    pub attributes: Vec<AttributeEntry>,
}

/// A resource server: an audience of access tokens ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceEntry {
    /// The `resource` and `aud` value.
    pub identifier: String,
    /// The name that people see.
    pub name: Option<String>,
    /// The scopes it understands.
    pub scopes: Option<Vec<String>>,
    /// By scope: the permission that a person needs to give it, such as `order:refund`.
    pub scope_permissions: Option<BTreeMap<String, String>>,
    /// `roles`, `groups`, `permissions`, `org_id` or `attributes.…` in access tokens for it.
    pub access_token_claims: Option<Vec<String>>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// An application. Field documentation is that of the registration names.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "RFC 7591 §2 and OpenID Connect Registration 1.0 §2 define these names"
)]
pub struct ClientEntry {
    pub client_id: String,
    pub client_secret: Option<Secret>,
    pub client_name: Option<String>,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Option<Vec<String>>,
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    pub grant_types: Option<Vec<String>>,
    pub response_types: Option<Vec<String>>,
    pub token_endpoint_auth_method: Option<String>,
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// Scopes separated by spaces.
    pub scope: Option<String>,
    /// A JWK Set as a table.
    pub jwks: Option<serde_json::Value>,
    pub jwks_uri: Option<String>,
    pub id_token_signed_response_alg: Option<String>,
    pub userinfo_signed_response_alg: Option<String>,
    /// Seconds.
    pub default_max_age: Option<u32>,
    pub require_auth_time: Option<bool>,
    pub default_acr_values: Option<Vec<String>>,
    pub application_type: Option<String>,
    /// Signet's own: whether authorization requests must carry a PKCE challenge.
    pub require_pkce: Option<bool>,
    /// Signet's own: whether the consent page is left out.
    pub first_party: Option<bool>,
    /// Signet's own: whether it may introspect every token.
    pub may_introspect: Option<bool>,
    /// Signet's own: the permission that people need to use it, such as `shop:use`.
    pub required_permission: Option<String>,
    /// Signet's own: what policies may ask about it.
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// Signet's own: `roles`, `groups`, `permissions`, `org_id` or `attributes.…` in its access tokens.
    pub access_token_claims: Option<Vec<String>>,
    /// Signet's own: the same in its ID tokens.
    pub id_token_claims: Option<Vec<String>>,
    /// Signet's own: the same in what `/userinfo` tells it.
    pub userinfo_claims: Option<Vec<String>>,
    /// Signet's own: the audience of tokens for which no `resource` was asked.
    pub default_resource: Option<String>,
    /// Signet's own: written like every duration, `5m` or seconds.
    #[serde(default, deserialize_with = "optional_duration")]
    pub access_token_lifetime: Option<Duration>,
    /// Signet's own: whether a refresh token is replaced when it is used.
    pub refresh_token_rotation: Option<RefreshTokenRotation>,
    /// Signet's own: the algorithm of access tokens.
    pub access_token_signed_response_alg: Option<String>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// What happens to a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshTokenRotation {
    /// A successor replaces it.
    Rotate,
    /// It stays, as FAPI 2.0 §5.3.2.1 wants.
    None,
}

/// A person, with the standard claims of OpenID Connect Core 1.0 §5.1.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "OpenID Connect Core 1.0 §5.1 defines these names"
)]
pub struct UserEntry {
    pub username: String,
    /// The password in plain text; hashed when applied.
    pub password: Option<Secret>,
    /// A PHC string from elsewhere.
    pub password_hash: Option<Secret>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub middle_name: Option<String>,
    pub nickname: Option<String>,
    pub preferred_username: Option<String>,
    pub profile: Option<String>,
    pub picture: Option<String>,
    pub website: Option<String>,
    pub gender: Option<String>,
    pub birthdate: Option<String>,
    pub zoneinfo: Option<String>,
    pub locale: Option<String>,
    pub phone_number: Option<String>,
    pub phone_number_verified: Option<bool>,
    pub address: Option<AddressEntry>,
    /// Names of roles, or tables with `role`, `organization` and `until`.
    pub roles: Option<Vec<AssignmentEntry>>,
    /// Names of groups.
    pub groups: Option<Vec<String>>,
    /// Names of organizations.
    pub organizations: Option<Vec<String>>,
    /// By resource, such as `Document:42`: `read`, `write`, `delete` or `admin`.
    pub levels: Option<BTreeMap<String, String>>,
    /// What policies may ask about.
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// Whether they may not sign in.
    pub disabled: Option<bool>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// A role that is given.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a role, or a table such as { role = \"manager\", organization = \"acme\", until = 2027-01-01T00:00:00Z }"
)]
pub enum AssignmentEntry {
    /// For every organization, without an end.
    Name(String),
    /// With more said of it.
    Table(AssignmentTable),
}

/// A role that is given, with what restricts it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentTable {
    /// Its name.
    pub role: String,
    /// Only for resources of this organization.
    pub organization: Option<String>,
    /// Until then: a date and time with its zone, as TOML or as text.
    pub until: Option<serde_json::Value>,
}

/// The address claim of OpenID Connect Core 1.0 §5.1.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    missing_docs,
    reason = "OpenID Connect Core 1.0 §5.1.1 defines these names"
)]
pub struct AddressEntry {
    pub formatted: Option<String>,
    pub street_address: Option<String>,
    pub locality: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

/// A role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The roles whose permissions it has too.
    pub parents: Option<Vec<String>>,
    /// `resource:action` pairs.
    pub permissions: Option<Vec<String>>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// A Cedar policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its name in explanations.
    pub id: String,
    /// The policy's text.
    pub cedar: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it counts; it does when nothing is said.
    pub enabled: Option<bool>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// An organization.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationEntry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// What policies may ask about.
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// A group of people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The groups whose members its members are too.
    pub parents: Option<Vec<String>>,
    /// Roles of its members: names, or tables with `role`, `organization` and `until`.
    pub roles: Option<Vec<AssignmentEntry>>,
    /// By resource, such as `Document:42`: `read`, `write`, `delete` or `admin`.
    pub levels: Option<BTreeMap<String, String>>,
    /// What policies may ask about.
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// What policies may ask about a resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectEntry {
    /// A type, a colon and an id, such as `Document:42`.
    pub resource: String,
    /// To which organization it belongs.
    pub organization: Option<String>,
    /// What policies may ask about.
    pub attributes: Option<BTreeMap<String, serde_json::Value>>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// A declared attribute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeEntry {
    /// Of what: `user`, `group`, `organization`, `client`, or a resource type such as `Document`.
    pub of: String,
    /// Its name.
    pub name: String,
    /// `string`, `long`, `bool`, `set<string>`, `decimal`, `datetime` or `ipaddr`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether everything of that kind has it; it need not when nothing is said.
    pub required: Option<bool>,
    /// The line where the entry begins.
    #[serde(skip)]
    pub line: usize,
}

/// Everything that is wrong with a document; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// One sentence per problem, with file and line.
    pub problems: Vec<String>,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document cannot be applied:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for DocumentError {}

impl Document {
    /// Reads a document; `file_name` is for messages only.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, DocumentError> {
        let mut form = Form::new(text, file_name);
        let lines = form.check();
        if form.has_problems() {
            return Err(DocumentError {
                problems: form.into_problems(),
            });
        }
        match toml::from_str::<Self>(text) {
            Ok(mut document) => {
                document.note_lines(&lines);
                Ok(document)
            }
            Err(error) => {
                let start = error.span().unwrap_or_default().start;
                let problem = match key_at(text, start) {
                    Some(key) => form.at(start, &format!("{key}: {}", error.message())),
                    None => form.at(start, error.message()),
                };
                Err(DocumentError {
                    problems: vec![problem],
                })
            }
        }
    }

    fn note_lines(&mut self, lines: &Lines) {
        let of = |table: &str| lines.get(table).map_or(&[][..], Vec::as_slice);
        self.resources
            .iter_mut()
            .zip(of("resources"))
            .for_each(|(entry, line)| entry.line = *line);
        self.clients
            .iter_mut()
            .zip(of("clients"))
            .for_each(|(entry, line)| entry.line = *line);
        self.users
            .iter_mut()
            .zip(of("users"))
            .for_each(|(entry, line)| entry.line = *line);
        self.roles
            .iter_mut()
            .zip(of("roles"))
            .for_each(|(entry, line)| entry.line = *line);
        self.policies
            .iter_mut()
            .zip(of("policies"))
            .for_each(|(entry, line)| entry.line = *line);
        self.organizations
            .iter_mut()
            .zip(of("organizations"))
            .for_each(|(entry, line)| entry.line = *line);
        self.groups
            .iter_mut()
            .zip(of("groups"))
            .for_each(|(entry, line)| entry.line = *line);
        self.objects
            .iter_mut()
            .zip(of("objects"))
            .for_each(|(entry, line)| entry.line = *line);
        self.attributes
            .iter_mut()
            .zip(of("attributes"))
            .for_each(|(entry, line)| entry.line = *line);
    }
}

/// The key of the line at `offset`, for messages about its value.
fn key_at(text: &str, offset: usize) -> Option<&str> {
    let begin = text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(begin..)?.lines().next()?;
    let (key, _) = line.split_once('=')?;
    Some(key.trim())
}

fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected a duration such as 5m or whole seconds"
    )]
    enum Written {
        Seconds(u32),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
        Written::Text(text) => parse::duration(&text)
            .map(Some)
            .map_err(serde::de::Error::custom),
    }
}

#[path = "document_form.rs"]
mod form;
use form::{Form, Lines};

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
