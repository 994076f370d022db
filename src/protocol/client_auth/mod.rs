//! Client authentication (RFC 6749 §2.3): what was presented, whose it claims to be, and the proof that it is.
//! A client uses exactly the one method it registered.

mod private_key_jwt;
mod secret;

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::domain::audit::{Actor, Event, EventType, Origin};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::rate_limit::Policy;
use crate::http::site::Site;
use crate::spec::auth_method::AuthMethod;
use crate::spec::error_code::ErrorCode;
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

    /// Whether its proof may have waited for the client itself: for keys that are fetched from its `jwks_uri`. What was
    /// checked before has to be checked again then.
    #[must_use]
    pub fn may_have_waited(&self) -> bool {
        match self.client.auth_method {
            AuthMethod::PrivateKeyJwt => true,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::None => {
                false
            }
        }
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
    caller: &Caller,
    params: &Params,
    now: Ts,
) -> Result<AuthenticatedClient, OAuthError> {
    let version = site.services.clients.version().await?;
    authenticate_at(site, caller, params, now, version).await
}

/// [`authenticate`], for a request that has asked for the number of the last change of clients already.
pub async fn authenticate_at(
    site: &Site,
    caller: &Caller,
    params: &Params,
    now: Ts,
    clients_version: i64,
) -> Result<AuthenticatedClient, OAuthError> {
    let limits = &site.services.limits;
    let presented = presented(&caller.headers, params)?;
    let client = match prove(site, caller, &presented, now, clients_version).await {
        Ok(client) => client,
        Err(Unproven::Uncounted(error)) => {
            note_refusal(site, caller, &presented, &error, now);
            return Err(error);
        }
        Err(Unproven::Counted(error)) => {
            // What comes too often is refused for that, which is counted elsewhere.
            limits.failed(caller.ip)?;
            note_refusal(site, caller, &presented, &error, now);
            return Err(error);
        }
    };
    // Any caller can name a public client: its requests are counted by the address they come from.
    let key = if client.is_public() {
        format!("{} {}", client.id, caller.ip)
    } else {
        client.id.to_string()
    };
    limits.check(Policy::Client, &key).await?;
    Ok(AuthenticatedClient { client })
}

/// Tells the audit trail, unless the failure is ours.
fn note_refusal(site: &Site, caller: &Caller, presented: &Presented, error: &OAuthError, now: Ts) {
    if error.is_refusal() {
        let event = Event::new(EventType::ClientRefused, &caller.origin, now)
            .target("client", &presented.client_id)
            .detail("method", presented.credential.method().as_str())
            .detail("reason", error.description());
        site.services.audit.note(event);
    }
}

/// Why a client is not proven.
enum Unproven {
    /// It counts against the address.
    Counted(OAuthError),
    /// It does not: it was counted already, or is not the caller's fault.
    Uncounted(OAuthError),
}

impl<E: Into<OAuthError>> From<E> for Unproven {
    fn from(error: E) -> Self {
        Self::Uncounted(error.into())
    }
}

/// Which client it is, if what was presented proves it. A signature that was not proven right before costs work only
/// while there is room for failures.
async fn prove(
    site: &Site,
    caller: &Caller,
    presented: &Presented,
    now: Ts,
    clients_version: i64,
) -> Result<Arc<Client>, Unproven> {
    let limits = &site.services.limits;
    let method = presented.credential.method();
    let refuse = |description: String| {
        OAuthError::invalid_client(description, method == AuthMethod::ClientSecretBasic)
    };
    let client = site
        .services
        .clients
        .find_at(&presented.client_id, clients_version)
        .await?
        .ok_or_else(|| Unproven::Counted(refuse(UNKNOWN_OR_WRONG.to_owned())))?;
    if method != client.auth_method {
        return Err(Unproven::Counted(refuse(format!(
            "this client is registered to authenticate with {}, but the request used {}",
            client.auth_method.as_str(),
            method.as_str()
        ))));
    }
    match &presented.credential {
        Credential::Basic(secret) | Credential::Post(secret) => {
            let presented = site.services.client_secrets.present(secret);
            let counted = presented.for_counting();
            let attempt = limits.client_secret(client.id.as_str(), counted, caller.ip)?;
            if client.secret_matches(&presented, now) {
                attempt.succeeded();
            } else {
                attempt.failed()?;
                return Err(refuse(UNKNOWN_OR_WRONG.to_owned()).into());
            }
        }
        Credential::Assertion(assertion) => {
            limits.client_assertion(client.id.as_str(), caller.ip)?;
            private_key_jwt::prove(site, &client, assertion, now)
                .await
                .map_err(|error| match error.code() {
                    ErrorCode::InvalidClient => Unproven::Counted(error),
                    _ => Unproven::Uncounted(error),
                })?;
            limits.client_asserted(client.id.as_str(), caller.ip);
        }
        Credential::Nothing => {}
    }
    Ok(client)
}

const UNKNOWN_OR_WRONG: &str = "client_id is unknown, or its secret is wrong";

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
    let client_id = ClientId::parse(&claimed)
        .ok_or_else(|| OAuthError::invalid_client(UNKNOWN_OR_WRONG, used_basic))?;
    Ok(Presented {
        client_id,
        credential,
    })
}
