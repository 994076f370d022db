//! `/revoke` (RFC 7009): a client takes back its own tokens. 200 means that no instance calls the token active
//! again; if that cannot be promised right now, the answer is 503.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::client_auth::authenticate;
use super::{answered, form};
use crate::crypto::credential::CredentialKind;
use crate::domain::ids::GrantId;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::tokens::access_token::{self, TokenError};
use crate::service::tokens::revoke;
use crate::spec::params::Params;

/// `POST /revoke`.
pub async fn post(
    State(site): State<Site>,
    caller: Caller,
    body: Result<FormBody, BodyError>,
) -> Response {
    answered(async {
        answer(&site, &caller, &form(body)?).await?;
        Ok(Body::empty())
    })
    .await
}

async fn answer(site: &Site, caller: &Caller, params: &Params) -> Result<(), OAuthError> {
    let services = &site.services;
    let now = services.clock.now();
    let client = authenticate(site, caller, params, now).await?;
    let own = &client.client().id;
    let origin = &client.origin(&caller.origin);
    let token = params
        .find("token")
        .ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    match services.credentials.open_any(token) {
        // Any generation ends the family: the holder of an old one may end what came of it. A code of the
        // client's own ends its grant as well.
        Some((CredentialKind::RefreshToken | CredentialKind::AuthorizationCode, credential)) => {
            let id = GrantId::from_bytes(credential.grant_id);
            let found = services.store.find_grant(id, now).await?;
            // Another client's token: nothing happens, and nothing is told (RFC 7009 §2.1).
            if found.is_some_and(|found| found.grant.client_id == *own) {
                tracing::info!(client.id = %own, grant.id = %id, "client {own} revoked grant {id}");
                revoke::grant(services, id, origin, now).await?;
            }
        }
        None => match access_token::verify(services, token, now).await {
            Ok(token) if token.client_id == *own => {
                tracing::info!(client.id = %own, "client {own} revoked an access token");
                revoke::access_token(services, &token.jti, token.expires_at, origin, now).await?;
            }
            // Unknown, expired or foreign: there is nothing to revoke (RFC 7009 §2.2).
            Ok(_) | Err(TokenError::Inactive(_)) => {}
            Err(TokenError::Store(error)) => return Err(error.into()),
        },
    }
    Ok(())
}
