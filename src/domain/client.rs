//! Clients: the applications that people sign in to, and the services that call others.

mod registration;

use std::time::Duration;

use super::ids::ClientId;
use super::policy::Application;
use super::redirect::{self, TrustedRedirect, Unregistered};
use crate::crypto::client_secret::{PresentedSecret, StoredSecret};
use crate::spec::alg::SigningAlg;
use crate::spec::auth_method::{AuthMethod, RegisteredMethod};
use crate::spec::client_metadata::{ApplicationType, ClientMetadata, RefreshTokenRotation};
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

pub use registration::{MetadataError, has_private_key};

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
    pub auth_method: RegisteredMethod,
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

impl Client {
    /// Checks what is to be registered and makes the client of it, or says everything that is wrong with it.
    pub fn register(id: ClientId, metadata: ClientMetadata) -> Result<Self, Vec<MetadataError>> {
        let client = Self {
            scope: match &metadata.scope {
                Some(scope) => scope.clone(),
                None => Scope::parse(DEFAULT_SCOPE).unwrap_or_default(),
            },
            auth_method: RegisteredMethod::of(
                metadata.token_endpoint_auth_method,
                metadata.jwks.is_some() || metadata.jwks_uri.is_some(),
            ),
            require_pkce: metadata.require_pkce.unwrap_or(true),
            id,
            metadata,
            secrets: Vec::new(),
            disabled_at: None,
            not_before: Ts(0),
        };
        let mistakes = client.mistakes();
        if mistakes.is_empty() {
            Ok(client)
        } else {
            Err(mistakes)
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
            ("token_endpoint_auth_method", self.auth_method.name()),
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
        self.auth_method == RegisteredMethod::Only(AuthMethod::None)
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

    /// The algorithms that it names for what is signed for it.
    pub fn named_algs(&self) -> impl Iterator<Item = SigningAlg> + use<> {
        let metadata = &self.metadata;
        let named = [
            metadata.id_token_signed_response_alg,
            metadata.userinfo_signed_response_alg,
            metadata.access_token_signed_response_alg,
        ];
        named.into_iter().flatten()
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
        let known = self
            .metadata
            .redirect_uris
            .iter()
            .any(|registered| redirect::matches(registered, presented));
        known.then(|| TrustedRedirect::proven(presented))
    }

    /// What to tell of a redirect URI that is not the client's.
    #[must_use]
    pub fn unregistered(&self, presented: &str) -> Unregistered {
        Unregistered::among(&self.metadata.redirect_uris, presented)
    }

    /// What to tell of an address for after signing out that is not the client's.
    #[must_use]
    pub fn unregistered_post_logout(&self, presented: &str) -> Unregistered {
        Unregistered::among(&self.metadata.post_logout_redirect_uris, presented)
    }

    /// The proof that a person may be sent to `presented` after signing out.
    #[must_use]
    pub fn trust_post_logout(&self, presented: &str) -> Option<TrustedRedirect> {
        let known = self
            .metadata
            .post_logout_redirect_uris
            .iter()
            .any(|registered| redirect::matches(registered, presented));
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
