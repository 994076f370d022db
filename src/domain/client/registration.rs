//! What a client can be registered as: RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2.

use thiserror::Error;

use super::{Client, MAX_ACCESS_TOKEN_LIFETIME};
use crate::domain::redirect;
use crate::spec::auth_method::{AuthMethod, RegisteredMethod};
use crate::spec::grant_type::GrantType;

/// Metadata that cannot be registered: RFC 7591 §3.2.2.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct MetadataError {
    /// The metadata name.
    pub field: &'static str,
    /// What is wrong and what was expected.
    pub problem: String,
}

fn mistake(field: &'static str, problem: impl Into<String>) -> MetadataError {
    MetadataError {
        field,
        problem: problem.into(),
    }
}

impl Client {
    /// Everything that is wrong with it, not only the first.
    pub(super) fn mistakes(&self) -> Vec<MetadataError> {
        let mut mistakes = Vec::new();
        self.check_addresses(&mut mistakes);
        self.check_grant_types(&mut mistakes);
        self.check_authentication(&mut mistakes);
        let longest = MAX_ACCESS_TOKEN_LIFETIME.as_secs();
        let lifetime = self.metadata.access_token_lifetime;
        if lifetime.is_some_and(|secs| secs == 0 || u64::from(secs) > longest) {
            let problem = format!("must be 1 to {longest} seconds");
            mistakes.push(mistake("access_token_lifetime", problem));
        }
        mistakes
    }

    fn check_addresses(&self, mistakes: &mut Vec<MetadataError>) {
        let metadata = &self.metadata;
        let lists = [
            ("redirect_uris", &metadata.redirect_uris),
            (
                "post_logout_redirect_uris",
                &metadata.post_logout_redirect_uris,
            ),
        ];
        for (field, uris) in lists {
            let problems = uris
                .iter()
                .filter_map(|uri| redirect::check_registration(uri, self.is_native()).err());
            mistakes.extend(problems.map(|problem| mistake(field, problem)));
        }
        let shown = [
            ("client_uri", &metadata.client_uri),
            ("logo_uri", &metadata.logo_uri),
            ("policy_uri", &metadata.policy_uri),
            ("tos_uri", &metadata.tos_uri),
        ];
        for (field, uri) in shown {
            if uri.as_ref().is_some_and(|uri| !is_web_link(uri)) {
                let problem = "must be an https URL (or http on this machine)";
                mistakes.push(mistake(field, problem));
            }
        }
    }

    fn check_grant_types(&self, mistakes: &mut Vec<MetadataError>) {
        let has = |grant_type| self.has_grant_type(grant_type);
        let mut refuse = |field, problem: &str| mistakes.push(mistake(field, problem));
        if has(GrantType::AuthorizationCode) && self.metadata.redirect_uris.is_empty() {
            refuse(
                "redirect_uris",
                "at least one is needed for grant_types = [\"authorization_code\"]",
            );
        }
        if has(GrantType::RefreshToken) && !has(GrantType::AuthorizationCode) {
            refuse(
                "grant_types",
                "refresh_token needs authorization_code beside it",
            );
        }
        if has(GrantType::ClientCredentials) && self.is_public() {
            refuse(
                "grant_types",
                "client_credentials needs a client that authenticates, not token_endpoint_auth_method = \"none\" (RFC 6749 section 4.4)",
            );
        }
        let mut response_types = self.metadata.response_types.iter().flatten();
        if response_types.any(|name| name != "code") {
            refuse("response_types", "only \"code\" is supported");
        }
    }

    fn check_authentication(&self, mistakes: &mut Vec<MetadataError>) {
        let metadata = &self.metadata;
        let mut refuse = |field, problem: &str| mistakes.push(mistake(field, problem));
        if self.is_public() && metadata.require_pkce == Some(false) {
            refuse(
                "require_pkce",
                "public clients always use PKCE (RFC 9700 section 2.1.1)",
            );
        }
        if metadata.may_introspect && self.is_public() {
            refuse("may_introspect", "a public client cannot prove who asks");
        }
        if metadata.jwks.is_some() && metadata.jwks_uri.is_some() {
            refuse(
                "jwks",
                "give jwks or jwks_uri, not both (RFC 7591 section 2)",
            );
        }
        let proves_a_key = self.auth_method == RegisteredMethod::Only(AuthMethod::PrivateKeyJwt);
        if proves_a_key && metadata.jwks.is_none() && metadata.jwks_uri.is_none() {
            refuse("jwks", "private_key_jwt needs jwks or jwks_uri");
        }
        let is_set =
            |jwks: &serde_json::Value| jwks.get("keys").is_some_and(serde_json::Value::is_array);
        if metadata.jwks.as_ref().is_some_and(|jwks| !is_set(jwks)) {
            refuse(
                "jwks",
                "must be a JWK Set: an object with an array named keys (RFC 7517 section 5)",
            );
        }
    }
}

fn is_web_link(uri: &str) -> bool {
    redirect::check_registration(uri.split('#').next().unwrap_or_default(), false).is_ok()
}

/// Whether a JWK Set holds a member that only its owner may know (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
#[must_use]
pub fn has_private_key(jwks: &serde_json::Value) -> bool {
    const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let keys = jwks.get("keys").and_then(serde_json::Value::as_array);
    keys.into_iter()
        .flatten()
        .any(|key| PRIVATE.iter().any(|name| key.get(name).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ClientId;
    use crate::spec::client_metadata::ClientMetadata;

    #[test]
    fn every_mistake_is_named_not_only_the_first() {
        let bad = |uris: &[&str]| uris.iter().map(|uri| (*uri).to_owned()).collect();
        let metadata = ClientMetadata {
            redirect_uris: bad(&[
                "http://one.example/cb",
                "https://good.example/cb",
                "https://two.example/#x",
            ]),
            post_logout_redirect_uris: bad(&["https://*.three.example/", "four"]),
            logo_uri: Some("http://five.example/".to_owned()),
            grant_types: Some(vec![GrantType::RefreshToken, GrantType::ClientCredentials]),
            token_endpoint_auth_method: Some(AuthMethod::None),
            require_pkce: Some(false),
            may_introspect: true,
            access_token_lifetime: Some(0),
            response_types: Some(vec!["token".to_owned()]),
            jwks: Some(serde_json::json!([])),
            jwks_uri: Some("https://six.example/".to_owned()),
            ..ClientMetadata::default()
        };
        let id = ClientId::parse("app").unwrap();
        let mistakes = Client::register(id, metadata).unwrap_err();
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        let fields: Vec<&str> = mistakes.iter().map(|it| it.field).collect();
        let expected = [
            "redirect_uris",
            "redirect_uris",
            "post_logout_redirect_uris",
            "post_logout_redirect_uris",
            "logo_uri",
            "grant_types",
            "grant_types",
            "response_types",
            "require_pkce",
            "may_introspect",
            "jwks",
            "jwks",
            "access_token_lifetime",
        ];
        assert_eq!(fields, expected, "{told:#?}");
        for (told, uri) in told
            .iter()
            .zip(["one.example", "two.example", "three.example", "four"])
        {
            assert!(told.contains(uri), "{told}");
        }
    }
}
