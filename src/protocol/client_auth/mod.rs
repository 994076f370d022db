//! Client authentication (RFC 6749 §2.3): what was presented, whose it claims to be, and the proof that it is.
//! A client uses exactly the one method it registered; one that registered none and has a secret sends that in the
//! header or in the body, at every endpoint.

mod mismatch;
mod presented;
mod private_key_jwt;
mod secret;

use std::sync::Arc;

use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::client::Client;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::rate_limit::Policy;
use crate::http::site::Site;
use crate::spec::auth_method::AuthMethod;
use crate::spec::error_code::ErrorCode;
use crate::spec::params::Params;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use presented::{Credential, Presented};

/// A client that has proven who it is, in the way it registered; only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    used: AuthMethod,
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
        match self.used {
            AuthMethod::PrivateKeyJwt => true,
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::None => {
                false
            }
        }
    }

    /// The same origin, now that it is known who asks, and how it has proven so.
    #[must_use]
    pub fn origin(&self, request: &Origin) -> Origin {
        request.by_client(&self.client.id, self.used)
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
    let presented = Presented::read(&caller.headers, params)?;
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
    Ok(AuthenticatedClient {
        client,
        used: presented.credential.method(),
    })
}

/// Tells the audit trail, unless the failure is ours.
fn note_refusal(site: &Site, caller: &Caller, presented: &Presented, error: &OAuthError, now: Ts) {
    if error.is_refusal() {
        let event = Event::new(EventType::ClientRefused, &caller.origin, now)
            .target("client", presented.claimed.first())
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
    let client = find(site, presented, clients_version)
        .await?
        .ok_or_else(|| Unproven::Counted(OAuthError::invalid_client(UNKNOWN_OR_WRONG)))?;
    if !client.auth_method.accepts(method) {
        let sentence = mismatch::sentence(&client, method);
        return Err(Unproven::Counted(OAuthError::invalid_client(sentence)));
    }
    match &presented.credential {
        Credential::Basic(secret) | Credential::Post(secret) => {
            let presented = secret.present(&site.services.client_secrets);
            let counted = presented.for_counting();
            let attempt = limits.client_secret(client.id.as_str(), counted, caller.ip)?;
            if client.secret_matches(&presented, now) {
                attempt.succeeded();
            } else {
                attempt.failed()?;
                return Err(OAuthError::invalid_client(UNKNOWN_OR_WRONG).into());
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

/// The client that the request claims to come from, if it is one.
async fn find(
    site: &Site,
    presented: &Presented,
    clients_version: i64,
) -> Result<Option<Arc<Client>>, StoreError> {
    for id in presented.claimed.all() {
        let found = site.services.clients.find_at(id, clients_version).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

const UNKNOWN_OR_WRONG: &str = "client_id is unknown, or its secret is wrong";
