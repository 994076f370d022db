//! `/introspect` (RFC 7662).
//!
//! Whatever Signet will not vouch for, to this caller, is `{"active":false}` and nothing else (§2.2).

use axum::extract::State;
use axum::response::Response;

use super::client_auth::{AuthenticatedClient, authenticate_at};
use super::{answered, form};
use crate::crypto::credential::{Credential, CredentialKind};
use crate::domain::ids::GrantId;
use crate::domain::resource::is_same;
use crate::http::bearer::note_refusal;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::tokens::access_token::{self, AccessToken, TokenError};
use crate::spec::claims::{Claim, ClaimSet};
use crate::spec::params::Params;
use crate::spec::time::Ts;

/// `POST /introspect`.
pub async fn post(
    State(site): State<Site>,
    caller: Caller,
    body: Result<FormBody, BodyError>,
) -> Response {
    answered(async { Ok(answer(&site, &caller, &form(body)?).await?) }).await
}

async fn answer(site: &Site, asking: &Caller, params: &Params) -> Result<String, OAuthError> {
    let now = site.services.clock.now();
    let services = &site.services;
    // One question about everything: the caller, and the token if its signature was checked before.
    let known = match params.find("token") {
        Some(token) => services.access_tokens.known(token, now).await,
        None => None,
    };
    let keys = known.as_ref().map(|token| token.revocation_keys());
    let keys = keys.as_deref().unwrap_or_default();
    let mut recorded = services.revocations.check(keys).await?;
    let caller = authenticate_at(site, asking, params, now, recorded.clients_version).await?;
    if caller.client().is_public() {
        // Any caller could ask in a public client's name (RFC 7662 §4).
        let sentence = "a public client cannot introspect tokens; the caller must authenticate";
        note_refusal(site, &caller.origin(&asking.origin), sentence, now);
        return Err(OAuthError::invalid_client(sentence));
    }
    if caller.may_have_waited() {
        // Look last: the token may have been revoked while the caller's keys were fetched.
        recorded = services.revocations.check(keys).await?;
    }
    let now = services.clock.now();
    let token = params
        .find("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let active = if let Some(token) = known {
        if token.judge(&recorded, now).is_ok() && may_see(&caller, &token) {
            Some(token.introspected(services, now).await?)
        } else {
            None
        }
    } else {
        match services.credentials.open_any(token) {
            Some((CredentialKind::RefreshToken, credential)) => {
                refresh_token(site, &caller, credential, now).await?
            }
            // A code is not a token.
            Some((CredentialKind::AuthorizationCode, _)) => None,
            None => access_token(site, &caller, token, now).await?,
        }
    };
    Ok(active.map_or_else(|| "{\"active\":false}".to_owned(), String::from))
}

async fn access_token(
    site: &Site,
    caller: &AuthenticatedClient,
    token: &str,
    now: Ts,
) -> Result<Option<Box<str>>, OAuthError> {
    let token = match access_token::verify_unrevoked(&site.services, token, now).await {
        Ok(token) => token,
        Err(TokenError::Inactive(_)) => return Ok(None),
        Err(TokenError::Store(error)) => return Err(error.into()),
    };
    if !may_see(caller, &token) {
        return Ok(None);
    }
    Ok(Some(token.introspected(&site.services, now).await?))
}

/// A caller sees tokens meant for it, tokens issued to it, and all if it was given that permission.
fn may_see(caller: &AuthenticatedClient, token: &AccessToken) -> bool {
    let client = caller.client();
    let own = client.id.as_str();
    let seen = client.metadata.may_introspect
        || client.id == token.client_id
        || token.audience.iter().any(|aud| is_same(aud, own));
    if !seen {
        hidden(caller);
    }
    seen
}

/// The caller is told no more than that the token is not active (RFC 7662 §2.2); the operator reads why.
fn hidden(caller: &AuthenticatedClient) {
    let id = &caller.client().id;
    tracing::info!(client.id = %id, "client {id} asked about a token that is neither its own nor meant for it, and was told that it is not active; may_introspect = true lets a client see every token");
}

/// A refresh token is shown to its own client, and to clients that may introspect every token.
async fn refresh_token(
    site: &Site,
    caller: &AuthenticatedClient,
    credential: Credential,
    now: Ts,
) -> Result<Option<Box<str>>, OAuthError> {
    let id = GrantId::from_bytes(credential.grant_id);
    let Some(found) = site.services.store.find_grant(id, now).await? else {
        return Ok(None);
    };
    let grant = found.grant;
    let client = caller.client();
    let current = grant.generation == credential.generation && credential.generation > 0;
    let late = now >= grant.expires_at || grant.is_idle(now, site.services.grant_limits());
    let seen = client.metadata.may_introspect || client.id == grant.client_id;
    if !current || late || grant.revoked_at.is_some() || !found.alive {
        return Ok(None);
    }
    if !seen {
        hidden(caller);
        return Ok(None);
    }
    let mut claims = ClaimSet::default();
    claims.set(Claim::Active, true);
    claims.set(Claim::ClientId, grant.client_id.as_str());
    claims.set(Claim::Sub, grant.user_id.to_string());
    claims.set(Claim::Scope, grant.scope.to_string());
    claims.set(Claim::Iss, site.services.config.issuer.as_str());
    claims.set(Claim::Iat, grant.advanced_at.secs());
    claims.set(Claim::Exp, grant.expires_at.secs());
    claims.set(Claim::TokenType, "refresh_token");
    claims.set_some(Claim::Cnf, grant.binding.cnf());
    Ok(Some(claims.into_json().into()))
}
