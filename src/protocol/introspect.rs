//! `/introspect` (RFC 7662).
//!
//! Whatever Signet will not vouch for, to this caller, is `{"active":false}` and nothing else (§2.2).

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::client_auth::{AuthenticatedClient, authenticate};
use super::form;
use crate::crypto::credential::{Credential, CredentialKind};
use crate::domain::ids::GrantId;
use crate::http::error::OAuthError;
use crate::http::headers::json_no_store;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::access_token::{self, AccessToken, TokenError};
use crate::spec::params::Params;
use crate::spec::time::Ts;

/// `POST /introspect`.
pub async fn post(
    State(site): State<Site>,
    headers: HeaderMap,
    body: Result<FormBody, BodyError>,
) -> Response {
    let params = match form(body) {
        Ok(params) => params,
        Err(error) => return error.into_response(),
    };
    match answer(&site, &headers, &params).await {
        Ok(body) => (json_no_store(), body).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn answer(site: &Site, headers: &HeaderMap, params: &Params) -> Result<String, OAuthError> {
    let now = site.services.clock.now();
    let caller = authenticate(site, headers, params, now).await?;
    if caller.client().is_public() {
        // Anybody could ask in a public client's name (RFC 7662 §4).
        return Err(OAuthError::invalid_client(
            "a public client cannot introspect tokens; the caller must authenticate",
            false,
        ));
    }
    let token = params
        .find("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let active = match site.services.credentials.open_any(token) {
        Some((CredentialKind::RefreshToken, credential)) => {
            refresh_token(site, &caller, credential, now).await?
        }
        // A code is not a token.
        Some((CredentialKind::AuthorizationCode, _)) => None,
        None => access_token(site, &caller, token, now).await?,
    };
    Ok(active.map_or_else(
        || INACTIVE.to_owned(),
        |claims| Value::Object(claims).to_string(),
    ))
}

const INACTIVE: &str = "{\"active\":false}";

async fn access_token(
    site: &Site,
    caller: &AuthenticatedClient,
    token: &str,
    now: Ts,
) -> Result<Option<Map<String, Value>>, OAuthError> {
    let token = match access_token::verify_standing(&site.services, token, now).await {
        Ok(token) => token,
        Err(TokenError::Inactive(_)) => return Ok(None),
        Err(TokenError::Store(error)) => return Err(error.into()),
    };
    if !may_see(caller, &token) {
        return Ok(None);
    }
    let mut claims = token.claims.clone();
    claims.insert("active".to_owned(), true.into());
    claims.insert("token_type".to_owned(), "Bearer".into());
    // What Signet itself needs for revocation is nobody else's business.
    claims.remove("ver");
    claims.remove("grant_id");
    Ok(Some(claims))
}

/// A caller sees tokens meant for it, tokens issued to it, and all if it was given that permission.
fn may_see(caller: &AuthenticatedClient, token: &AccessToken) -> bool {
    let client = caller.client();
    let own = client.id.as_str();
    client.metadata.may_introspect
        || client.id == token.client_id
        || token.audience.iter().any(|audience| audience == own)
}

/// A refresh token is seen by its own client, and by whoever may introspect everything.
async fn refresh_token(
    site: &Site,
    caller: &AuthenticatedClient,
    credential: Credential,
    now: Ts,
) -> Result<Option<Map<String, Value>>, OAuthError> {
    let id = GrantId(uuid::Uuid::from_bytes(credential.grant_id));
    let Some(standing) = site.services.store.find_grant(id, now).await? else {
        return Ok(None);
    };
    let grant = standing.grant;
    let client = caller.client();
    let current = grant.generation == credential.generation && credential.generation > 0;
    let late = now >= grant.expires_at || grant.is_idle(now, site.services.grant_limits());
    let seen = client.metadata.may_introspect || client.id == grant.client_id;
    if !seen || !current || late || grant.revoked_at.is_some() || !standing.alive {
        return Ok(None);
    }
    let claims = json!({
        "active": true,
        "client_id": grant.client_id.as_str(),
        "sub": grant.user_id.to_string(),
        "scope": grant.scope.to_string(),
        "iss": site.services.config.issuer.as_str(),
        "iat": grant.advanced_at.secs(),
        "exp": grant.expires_at.secs(),
        "token_type": "refresh_token",
    });
    Ok(claims.as_object().cloned())
}
