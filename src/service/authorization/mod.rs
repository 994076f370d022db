//! Authorization requests: from parameters to something that can be decided, the same way whether they have just
//! come in or have travelled through a page.

pub mod consent;
pub mod flow;
mod request;

use std::sync::Arc;

use super::Services;
use crate::crypto::credential::CredentialKind;
use crate::crypto::random;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::authorization::{AuthorizationRequest, ResponseTarget};
use crate::domain::binding::Binding;
use crate::domain::client::Client;
use crate::domain::grant::{CodeBinding, Grant};
use crate::domain::ids::{ClientId, GrantId};
use crate::domain::pending::{Hint, Pending, Purpose};
use crate::domain::redirect;
use crate::domain::session::Session;
use crate::domain::sign_in::Wanted;
use crate::service::decisions::access::{Circumstances, permitted};
use crate::service::tokens::id_token_hint;
use crate::service::tokens::keys::KeyError;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::params::Params;
use crate::spec::response_mode::ResponseMode;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// A request and who made it.
pub struct Resolved {
    /// The client.
    pub client: Arc<Client>,
    /// What it asks for.
    pub request: AuthorizationRequest,
}

impl Resolved {
    /// Cuts the request down to what this person can give: the scope, and with it the resource servers of which they
    /// can give nothing. `false` when none is left of those that the request names, so that nothing can be answered.
    pub async fn cut_to(
        &mut self,
        services: &Services,
        circumstances: &Circumstances,
    ) -> Result<bool, StoreError> {
        let request = &mut self.request;
        let scope = permitted(services, &request.scope, &self.client, circumstances).await?;
        let left = request.audience.left_with(&request.scope, &scope);
        request.scope = scope;
        match left {
            Some(left) => {
                request.audience = left;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Why a request is not answered as it wishes.
#[derive(Debug)]
pub enum Refused {
    /// A person is told, because the redirect is not proven; the sentence names the parameter.
    Page(String),
    /// The client is told.
    Client {
        /// Where.
        target: Box<ResponseTarget>,
        /// The RFC's code.
        code: ErrorCode,
        /// The sentence.
        description: String,
    },
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<KeyError> for Refused {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => Self::Store(error),
            other => Self::Store(StoreError::Unavailable(other.to_string())),
        }
    }
}

/// A request that begins now, in the browser whose cookie has that digest.
///
/// # Errors
/// The store, where the keys of an `id_token_hint` could not be read.
pub async fn begin(
    services: &Services,
    params: &Params,
    browser: Option<[u8; 32]>,
    now: Ts,
) -> Result<Pending, StoreError> {
    let params = params.pairs().to_vec();
    let mut pending = Pending::begin(Purpose::Authorize { params }, browser, now);
    read_hint(services, &mut pending, now).await?;
    Ok(pending)
}

/// Reads the `id_token_hint` of a request that has just come in, or that the version before this one sent on its way.
pub async fn read_hint(
    services: &Services,
    pending: &mut Pending,
    now: Ts,
) -> Result<(), StoreError> {
    const NAME: &str = "id_token_hint";
    let Purpose::Authorize { params } = &mut pending.purpose else {
        return Ok(());
    };
    let mut sent = params.iter().filter(|(name, _)| name == NAME);
    // Sent twice it is refused, like every parameter.
    let (Some((_, token)), None) = (sent.next(), sent.next()) else {
        return Ok(());
    };
    if !token.is_empty() {
        pending.hint = Some(match id_token_hint::read(services, token, now).await? {
            id_token_hint::Read::Ours(hint) => Hint::Of(hint.user),
            id_token_hint::Read::UnknownKey => Hint::UnknownKey,
            id_token_hint::Read::Foreign => Hint::Foreign,
        });
    }
    params.retain(|(name, _)| name != NAME);
    Ok(())
}

/// Checks a request in the order of the specification: who asks, where the answer goes, what is asked.
pub async fn resolve(services: &Services, pending: &Pending) -> Result<Resolved, Refused> {
    let params = match &pending.purpose {
        Purpose::Authorize { params } => Params::from_pairs(params.clone()),
        Purpose::Page { .. } => {
            let sentence = "This sign-in leads to a page of this site, not to an application.";
            return Err(Refused::Page(sentence.to_owned()));
        }
    };
    let client = identify_client(services, &params).await?;
    let target = prove_target(&client, &params)?;
    let request = request::check(services, &client, &params, &target, pending).await;
    let request = request.map_err(|refusal| refusal.at(target))?;
    Ok(Resolved { client, request })
}

/// What the sign-in of that pending value must reach. A request that cannot be answered wants nothing: `/authorize`
/// says what is wrong with it.
pub async fn wanted(services: &Services, pending: &Pending) -> Result<Wanted, StoreError> {
    match &pending.purpose {
        Purpose::Page { .. } => Ok(Wanted::any(pending.started_at)),
        Purpose::Authorize { .. } => match resolve(services, pending).await {
            Ok(resolved) => Ok(resolved.request.wanted),
            Err(Refused::Store(error)) => Err(error),
            Err(Refused::Page(_) | Refused::Client { .. }) => Ok(Wanted::any(pending.started_at)),
        },
    }
}

/// `client_id` (RFC 6749 §4.1.1).
async fn identify_client(services: &Services, params: &Params) -> Result<Arc<Client>, Refused> {
    let page = |sentence: &str| Refused::Page(sentence.to_owned());
    if params.count("client_id") > 1 {
        return Err(page("client_id was sent more than once."));
    }
    let id = params
        .find("client_id")
        .ok_or_else(|| page("client_id is missing."))?;
    let unknown = || {
        Refused::Page(format!(
            "client_id {} is not that of an application registered here.",
            redirect::shown(id)
        ))
    };
    let id = ClientId::parse(id).ok_or_else(unknown)?;
    services.clients.find(&id).await?.ok_or_else(unknown)
}

/// `redirect_uri`, `response_mode` and `state`: from here on errors may be redirected.
fn prove_target(client: &Client, params: &Params) -> Result<ResponseTarget, Refused> {
    let page = |sentence: &str| {
        let (id, name) = (&client.id, client.shown_name());
        let named = if name == id.as_str() {
            id.to_string()
        } else {
            format!("{name} ({id})")
        };
        Err(Refused::Page(format!(
            "The application {named}: {sentence}"
        )))
    };
    if params.count("redirect_uri") > 1 {
        return page("redirect_uri was sent more than once.");
    }
    let Some(presented) = params.find("redirect_uri") else {
        return page("redirect_uri is missing; it must be one of the application's redirect_uris.");
    };
    let Some(redirect) = client.trust(presented) else {
        let unregistered = client.unregistered(presented);
        return page(&format!(
            "redirect_uri is not one that it has registered: {unregistered}. It must be the same, character by character; its operator can add another to redirect_uris."
        ));
    };
    let once = |name| {
        (params.count(name) == 1)
            .then(|| params.find(name))
            .flatten()
    };
    let mode = once("response_mode")
        .and_then(ResponseMode::parse)
        .unwrap_or_default();
    Ok(ResponseTarget {
        redirect,
        mode,
        state: once("state").map(str::to_owned),
    })
}

/// Tells the operator what a client asked for and did not get because of its registration: OAuth leaves it out without
/// a word (RFC 6749 §3.3).
pub fn note_left_out(client: &Client, pending: &Pending) {
    let Some(Ok(asked)) = pending.parameter("scope").map(Scope::parse) else {
        return;
    };
    let id = &client.id;
    if let Some(token) = asked.first_outside(&client.scope) {
        tracing::info!(client.id = %id, "client {id} asked for the scope {}, which was left out: it is not in the client's scope", redirect::shown(token));
    } else if asked.contains(Scope::OFFLINE_ACCESS)
        && !client.has_grant_type(GrantType::RefreshToken)
    {
        tracing::info!(client.id = %id, "client {id} asked for the scope offline_access, which was left out: refresh_token is not among the client's grant_types");
    }
}

/// What is left of a request that ends with a code.
pub struct Code {
    /// The code.
    pub code: PlainToken,
}

/// Stores the grant and makes its code; `None` when the session, the person, the client or what the person allowed
/// was ended meanwhile.
pub async fn grant(
    services: &Services,
    resolved: &Resolved,
    session: &Session,
    origin: &Origin,
    now: Ts,
) -> Result<Option<Code>, StoreError> {
    let Resolved { client, request } = resolved;
    let config = &services.config;
    let code_expires_at = now.plus(config.code_lifetime);
    let expires_at = if client.has_grant_type(GrantType::RefreshToken) {
        now.plus(config.refresh_token_lifetime)
    } else {
        // Nothing but its one access token comes of it.
        code_expires_at.plus(client.access_token_lifetime(config.access_token_lifetime))
    };
    let grant = Grant {
        id: GrantId::from_random(random::bytes()),
        client_id: client.id.clone(),
        user_id: session.user_id,
        user_version: session.user_version,
        session_id: session.id,
        offline: request.scope.contains(Scope::OFFLINE_ACCESS),
        scope: request.scope.clone(),
        resources: request.audience.identifiers(),
        nonce: request.nonce.clone(),
        claims: request.claims.clone(),
        bound_to: CodeBinding {
            redirect_uri: request.target.redirect.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
        },
        binding: Binding::None,
        auth_time: session.auth_time,
        acr: session.acr.clone(),
        amr: session.amr.clone(),
        ip: origin.ip,
        generation: 0,
        created_at: now,
        advanced_at: now,
        code_expires_at,
        expires_at,
        revoked_at: None,
    };
    let consented = !client.metadata.first_party;
    if !services.store.insert_grant(&grant, consented).await? {
        return Ok(None);
    }
    let event = Event::new(EventType::CodeIssued, origin, now)
        .target("grant", &grant.id)
        .user(grant.user_id)
        .client(&client.id);
    services
        .audit
        .note(event.detail("scope", grant.scope.to_string()));
    let code = services
        .credentials
        .mint(CredentialKind::AuthorizationCode, grant.id.bytes(), 0);
    Ok(Some(Code { code }))
}
