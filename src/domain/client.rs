//! Clients: the applications that people sign in to, and the services that call others.

use std::time::Duration;

use thiserror::Error;

use super::ids::ClientId;
use super::policy::Application;
use super::redirect::{self, TrustedRedirect, Unregistered};
use crate::crypto::client_secret::{PresentedSecret, StoredSecret};
use crate::spec::alg::SigningAlg;
use crate::spec::auth_method::AuthMethod;
use crate::spec::client_metadata::{ApplicationType, ClientMetadata, RefreshTokenRotation};
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// Scopes that a client without `scope` of its own may ask for.
pub const DEFAULT_SCOPE: &str = "openid profile email address phone offline_access";

/// A client whose metadata has been checked: what it says can be acted on.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: ClientId,
    /// As registered; fields that need no rule are read from here.
    pub metadata: ClientMetadata,
    /// What it may ask for at most.
    pub scope: Scope,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    /// Whether its authorization requests need PKCE.
    pub require_pkce: bool,
    /// Secrets that are valid now or will stop being so; several while rotating.
    pub secrets: Vec<ClientSecret>,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Ts>,
    /// Grants and tokens made before this instant are dead.
    pub not_before: Ts,
}

/// A stored client secret; its text is known to the client alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    /// What is stored of it.
    pub digest: StoredSecret,
    /// When it was made.
    pub created_at: Ts,
    /// When it stops being valid, if it was replaced.
    pub expires_at: Option<Ts>,
}

/// Metadata that cannot be registered: RFC 7591 §3.2.2.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct MetadataError {
    /// The metadata name.
    pub field: &'static str,
    /// What is wrong and what was expected.
    pub problem: String,
}

impl Client {
    /// Checks what is to be registered and makes the client of it.
    pub fn register(id: ClientId, metadata: ClientMetadata) -> Result<Self, MetadataError> {
        let client = Self {
            scope: match &metadata.scope {
                Some(scope) => scope.clone(),
                None => Scope::parse(DEFAULT_SCOPE).unwrap_or_default(),
            },
            auth_method: metadata
                .token_endpoint_auth_method
                .unwrap_or(AuthMethod::ClientSecretBasic),
            require_pkce: metadata.require_pkce.unwrap_or(true),
            id,
            metadata,
            secrets: Vec::new(),
            disabled_at: None,
            not_before: Ts(0),
        };
        client.check()?;
        Ok(client)
    }

    fn check(&self) -> Result<(), MetadataError> {
        let refuse = |field, problem: &str| {
            Err(MetadataError {
                field,
                problem: problem.to_owned(),
            })
        };
        let metadata = &self.metadata;
        for uri in &metadata.redirect_uris {
            redirect::check_registration(uri, self.is_native()).map_err(|problem| {
                MetadataError {
                    field: "redirect_uris",
                    problem,
                }
            })?;
        }
        for uri in &metadata.post_logout_redirect_uris {
            redirect::check_registration(uri, self.is_native()).map_err(|problem| {
                MetadataError {
                    field: "post_logout_redirect_uris",
                    problem,
                }
            })?;
        }
        let shown = [
            ("client_uri", &metadata.client_uri),
            ("logo_uri", &metadata.logo_uri),
            ("policy_uri", &metadata.policy_uri),
            ("tos_uri", &metadata.tos_uri),
        ];
        for (field, uri) in shown {
            if uri.as_ref().is_some_and(|uri| !is_web_link(uri)) {
                return refuse(field, "must be an https URL (or http on this machine)");
            }
        }
        if self.has_grant_type(GrantType::AuthorizationCode) && metadata.redirect_uris.is_empty() {
            return refuse(
                "redirect_uris",
                "at least one is needed for grant_types = [\"authorization_code\"]",
            );
        }
        if self.has_grant_type(GrantType::RefreshToken)
            && !self.has_grant_type(GrantType::AuthorizationCode)
        {
            return refuse(
                "grant_types",
                "refresh_token needs authorization_code beside it",
            );
        }
        if self.has_grant_type(GrantType::ClientCredentials) && self.is_public() {
            return refuse(
                "grant_types",
                "client_credentials needs a client that authenticates, not token_endpoint_auth_method = \"none\" (RFC 6749 section 4.4)",
            );
        }
        if metadata
            .response_types
            .as_ref()
            .is_some_and(|types| types.iter().any(|t| t != "code"))
        {
            return refuse("response_types", "only \"code\" is supported");
        }
        if self.is_public() && metadata.require_pkce == Some(false) {
            return refuse(
                "require_pkce",
                "public clients always use PKCE (RFC 9700 section 2.1.1)",
            );
        }
        let longest = MAX_ACCESS_TOKEN_LIFETIME.as_secs();
        if metadata
            .access_token_lifetime
            .is_some_and(|secs| secs == 0 || u64::from(secs) > longest)
        {
            return refuse("access_token_lifetime", "must be 1 to 3600 seconds");
        }
        if metadata.may_introspect && self.is_public() {
            return refuse("may_introspect", "a public client cannot prove who asks");
        }
        match (self.auth_method, &metadata.jwks, &metadata.jwks_uri) {
            (_, Some(_), Some(_)) => refuse(
                "jwks",
                "give jwks or jwks_uri, not both (RFC 7591 section 2)",
            ),
            (AuthMethod::PrivateKeyJwt, None, None) => {
                refuse("jwks", "private_key_jwt needs jwks or jwks_uri")
            }
            (_, Some(jwks), None) if !jwks.get("keys").is_some_and(serde_json::Value::is_array) => {
                refuse(
                    "jwks",
                    "must be a JWK Set: an object with an array named keys (RFC 7517 section 5)",
                )
            }
            (_, _, _) => Ok(()),
        }
    }

    /// What policies may ask about the client: what the operator says of it, and what Signet itself knows.
    #[must_use]
    pub fn application(&self) -> Application {
        let mut attributes = self.metadata.attributes.clone();
        let native = if self.is_native() { "native" } else { "web" };
        let known = [
            ("client_name", self.shown_name()),
            ("application_type", native),
            ("token_endpoint_auth_method", self.auth_method.as_str()),
        ];
        let known = known.map(|(name, value)| (name.to_owned(), value.into()));
        attributes.extend(known);
        attributes.insert("first_party".to_owned(), self.metadata.first_party.into());
        Application {
            id: self.id.as_str().to_owned(),
            attributes,
        }
    }

    /// Whether the client cannot keep a secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_method == AuthMethod::None
    }

    /// Whether the client runs on a person's device.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.metadata.application_type == Some(ApplicationType::Native)
    }

    /// Whether the client registered the grant type.
    #[must_use]
    pub fn has_grant_type(&self, grant_type: GrantType) -> bool {
        match &self.metadata.grant_types {
            Some(registered) => registered.contains(&grant_type),
            None => grant_type == GrantType::AuthorizationCode,
        }
    }

    /// Whether the client's refresh tokens stay the same when used.
    #[must_use]
    pub fn keeps_refresh_token(&self) -> bool {
        self.metadata.refresh_token_rotation == Some(RefreshTokenRotation::None)
    }

    /// The algorithm of the client's ID tokens.
    #[must_use]
    pub fn id_token_alg(&self) -> SigningAlg {
        self.metadata
            .id_token_signed_response_alg
            .unwrap_or(SigningAlg::Rs256)
    }

    /// The algorithm of the client's access tokens.
    #[must_use]
    pub fn access_token_alg(&self) -> SigningAlg {
        self.metadata
            .access_token_signed_response_alg
            .unwrap_or(SigningAlg::Es256)
    }

    /// The lifetime of the client's access tokens, never longer than an hour: revocation records live as
    /// long as the tokens they speak of.
    #[must_use]
    pub fn access_token_lifetime(&self, default: Duration) -> Duration {
        self.metadata
            .access_token_lifetime
            .map_or(default, |secs| Duration::from_secs(u64::from(secs)))
            .min(MAX_ACCESS_TOKEN_LIFETIME)
    }

    /// The name that people are shown.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.metadata
            .client_name
            .as_deref()
            .unwrap_or(self.id.as_str())
    }

    /// The proof that an authorization response may be sent to `presented`.
    #[must_use]
    pub fn trust(&self, presented: &str) -> Option<TrustedRedirect> {
        let native = self.is_native();
        let known = self
            .metadata
            .redirect_uris
            .iter()
            .any(|registered| redirect::matches(registered, presented, native));
        known.then(|| TrustedRedirect::proven(presented))
    }

    /// What to tell of a redirect URI that is not the client's.
    #[must_use]
    pub fn unregistered(&self, presented: &str) -> Unregistered {
        Unregistered::among(&self.metadata.redirect_uris, presented)
    }

    /// The proof that a person may be sent to `presented` after signing out.
    #[must_use]
    pub fn trust_post_logout(&self, presented: &str) -> Option<TrustedRedirect> {
        let native = self.is_native();
        let known = self
            .metadata
            .post_logout_redirect_uris
            .iter()
            .any(|registered| redirect::matches(registered, presented, native));
        known.then(|| TrustedRedirect::proven(presented))
    }

    /// Whether `presented` is one of the client's secrets that are valid at `now`; every one is compared,
    /// each in constant time.
    #[must_use]
    pub fn secret_matches(&self, presented: &PresentedSecret, now: Ts) -> bool {
        let fits = |secret: &ClientSecret| {
            let same = presented.is(&secret.digest);
            same && secret.expires_at.is_none_or(|expires_at| expires_at > now)
        };
        self.secrets.iter().filter(|secret| fits(secret)).count() > 0
    }
}

/// The longest lifetime an access token may have.
pub const MAX_ACCESS_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

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
