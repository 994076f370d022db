//! Client authentication (RFC 6749 §2.3): what was presented, whose it claims to be, and the proof that it is.
//! A client uses exactly the one method it registered.

mod private_key_jwt;
mod secret;

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::domain::audit::{Actor, Event, EventType, Origin};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::spec::auth_method::AuthMethod;
use crate::spec::params::Params;
use crate::spec::time::Ts;

/// A client that has proven who it is, in the way it registered; only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same origin, now that it is known who asks.
    #[must_use]
    pub fn origin(&self, request: &Origin) -> Origin {
        request.by(Actor::Client(self.client.id.clone()))
    }
}

/// What a request presents about its client.
struct Presented {
    client_id: ClientId,
    credential: Credential,
}

enum Credential {
    Basic(crate::crypto::secret::PlainToken),
    Post(crate::crypto::secret::PlainToken),
    Assertion(String),
    Nothing,
}

impl Credential {
    const fn method(&self) -> AuthMethod {
        match self {
            Self::Basic(_) => AuthMethod::ClientSecretBasic,
            Self::Post(_) => AuthMethod::ClientSecretPost,
            Self::Assertion(_) => AuthMethod::PrivateKeyJwt,
            Self::Nothing => AuthMethod::None,
        }
    }
}

/// Finds out which client asks, and lets it prove so.
pub async fn authenticate(
    site: &Site,
    headers: &HeaderMap,
    params: &Params,
    origin: &Origin,
    now: Ts,
) -> Result<AuthenticatedClient, OAuthError> {
    let version = site.services.clients.version().await?;
    authenticate_at(site, headers, params, origin, now, version).await
}

/// [`authenticate`], for a request that has asked for the number of the last change of clients already.
pub async fn authenticate_at(
    site: &Site,
    headers: &HeaderMap,
    params: &Params,
    origin: &Origin,
    now: Ts,
    clients_version: i64,
) -> Result<AuthenticatedClient, OAuthError> {
    let presented = presented(headers, params)?;
    let proven = prove(site, &presented, now, clients_version).await;
    if let Err(error) = &proven
        && error.is_refusal()
    {
        let event = Event::new(EventType::ClientRefused, origin, now)
            .target("client", &presented.client_id)
            .detail("method", presented.credential.method().as_str())
            .detail("reason", error.description());
        site.services.audit.note(event);
    }
    proven
}

async fn prove(
    site: &Site,
    presented: &Presented,
    now: Ts,
    clients_version: i64,
) -> Result<AuthenticatedClient, OAuthError> {
    let used_basic = presented.credential.method() == AuthMethod::ClientSecretBasic;
    let refuse = |description: String| OAuthError::invalid_client(description, used_basic);
    let client = site
        .services
        .clients
        .find_at(&presented.client_id, clients_version)
        .await?
        .ok_or_else(|| refuse("client_id is unknown, or its secret is wrong".to_owned()))?;
    let method = presented.credential.method();
    if method != client.auth_method {
        return Err(refuse(format!(
            "this client is registered to authenticate with {}, but the request used {}",
            client.auth_method.as_str(),
            method.as_str()
        )));
    }
    match &presented.credential {
        Credential::Basic(secret) | Credential::Post(secret) => {
            secret::prove(&client, secret, now).map_err(refuse)?;
        }
        Credential::Assertion(assertion) => {
            private_key_jwt::prove(site, &client, assertion, now).await?;
        }
        Credential::Nothing => {}
    }
    Ok(AuthenticatedClient { client })
}

/// Reads the one credential of the request; two of them are refused (RFC 6749 §2.3), and so are two names.
fn presented(headers: &HeaderMap, params: &Params) -> Result<Presented, OAuthError> {
    let basic = secret::basic(headers)?;
    let post = params.find("client_secret");
    let assertion = params.find("client_assertion");
    if usize::from(basic.is_some()) + usize::from(post.is_some()) + usize::from(assertion.is_some())
        > 1
    {
        return Err(OAuthError::invalid_request(
            "the request authenticates its client in more than one way; use exactly one of Authorization, client_secret and client_assertion",
        ));
    }
    let named = params.find("client_id");
    let (claimed, credential) = if let Some((id, secret)) = basic {
        (id, Credential::Basic(secret))
    } else if let Some(secret) = post {
        let id = named.ok_or_else(|| {
            OAuthError::invalid_request("client_id is missing beside client_secret")
        })?;
        (
            id.to_owned(),
            Credential::Post(crate::crypto::secret::PlainToken::new(secret)),
        )
    } else if let Some(assertion) = assertion {
        let id = private_key_jwt::claimed_client(params, assertion)?;
        (id, Credential::Assertion(assertion.to_owned()))
    } else {
        let id = named.ok_or_else(|| {
            OAuthError::invalid_client("the request does not say which client sends it: client authentication or client_id is missing", false)
        })?;
        (id.to_owned(), Credential::Nothing)
    };
    if named.is_some_and(|named| named != claimed) {
        return Err(OAuthError::invalid_request(
            "client_id is not the client that the request authenticates",
        ));
    }
    let used_basic = matches!(credential, Credential::Basic(_));
    let client_id = ClientId::parse(&claimed).ok_or_else(|| {
        OAuthError::invalid_client("client_id is unknown, or its secret is wrong", used_basic)
    })?;
    Ok(Presented {
        client_id,
        credential,
    })
}
