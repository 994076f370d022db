//! Client metadata under the names of [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2) and
//! OpenID Connect Dynamic Client Registration 1.0 §2, with Signet's own settings beside them.
//!
//! This is what is stored and what an operator writes; `domain::client::Client` is what it means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::alg::SigningAlg;
use super::auth_method::AuthMethod;
use super::grant_type::GrantType;
use super::scope::Scope;

/// What a client says about itself, and what the operator says about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientMetadata {
    /// The name that people are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// The client's home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// The client's logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// How the client uses what it learns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// The client's terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Whom to write to about the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Whether the client is a web or a native application (default web).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Where authorization responses may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Where a person may go after signing out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// The grant types the client may use (default `authorization_code`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<GrantType>>,
    /// The response types the client may use; `code` is the only one there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    /// How the client authenticates (default `client_secret_basic`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// The only algorithm the client's assertions may use (default any).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<SigningAlg>,
    /// What the client may ask for at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The client's public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where the client publishes its public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The algorithm of its ID tokens (default RS256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<SigningAlg>,
    /// The algorithm of its userinfo responses (default: plain JSON).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<SigningAlg>,
    /// `max_age` where a request names none, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether ID tokens always carry `auth_time`; Signet's always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_auth_time: Option<bool>,
    /// `acr_values` where a request names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// Signet: whether authorization requests need PKCE (default true; public clients always do).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_pkce: Option<bool>,
    /// Signet: the operator's own application, which asks nobody for consent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_party: bool,
    /// Signet: a resource server that may introspect every token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_introspect: bool,
    /// Signet: the permission that people need to use the client, `resource_type:action` (default none).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_permission: Option<String>,
    /// Signet: what policies may ask about the client.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Signet: what its access tokens say of the person's `roles`, `groups`, `permissions`, `org_id` and
    /// `attributes.…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_token_claims: Vec<String>,
    /// Signet: the same for its ID tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_claims: Vec<String>,
    /// Signet: the same for what `/userinfo` tells it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userinfo_claims: Vec<String>,
    /// Signet: the audience of its access tokens where a request names no `resource` (default: the issuer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_resource: Option<String>,
    /// Signet: the lifetime of its access tokens, in seconds (default: the server's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<u32>,
    /// Signet: the algorithm of its access tokens (default ES256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_signed_response_alg: Option<SigningAlg>,
    /// Signet: whether refresh tokens rotate (default) or stay (FAPI 2.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_rotation: Option<RefreshTokenRotation>,
}

/// OpenID Connect Dynamic Client Registration 1.0 §2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on a web server, or in a browser.
    #[default]
    Web,
    /// Runs on a person's device (RFC 8252).
    Native,
}

/// What happens to a refresh token that is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenRotation {
    /// It is replaced; using it again tells of a theft (RFC 9700 §4.14.2).
    #[default]
    Rotate,
    /// It stays, as FAPI 2.0 §5.3.2.1 wants it of sender-constrained clients.
    None,
}
