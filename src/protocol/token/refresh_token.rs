//! `grant_type=refresh_token` (RFC 6749 §6).

use super::TokenRequest;
use crate::crypto::credential::CredentialKind;
use crate::domain::grant::Grant;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::issue::{Basis, Issuance, TokenResponse, can_issue, issue};
use crate::service::redeem;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;

pub(super) async fn answer(
    site: &Site,
    request: &TokenRequest,
) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let token = request.require("refresh_token")?;
    can_issue(&site.services, client, request.now)?;
    let narrowed = narrowed(site, request, token).await?;
    let grant = redeem::refresh_token(&site.services, client, token, request.now).await?;
    let (scope, resources) = match narrowed {
        Some(narrowed) => narrowed,
        None => (
            grant.scope.clone(),
            request.resources(site, &grant.resources).await?,
        ),
    };
    // What was taken from the client since is not given any more.
    let scope = scope.intersection(&client.scope);
    let issuance = Issuance {
        client,
        grant_type: GrantType::RefreshToken,
        basis: Basis::Grant(&grant),
        scope: &scope,
        resources: &resources,
        now: request.now,
    };
    Ok(issue(&site.services, issuance).await?)
}

/// What the access token is narrowed down to, where the request asks for that. It is checked before the token is
/// redeemed, so that a wrong wish does not use it up.
async fn narrowed(
    site: &Site,
    request: &TokenRequest,
    token: &str,
) -> Result<Option<(Scope, Vec<String>)>, OAuthError> {
    if request.params.find("scope").is_none() && request.params.find("resource").is_none() {
        return Ok(None);
    }
    let grant = redeem::peek(
        &site.services,
        request.client.client(),
        CredentialKind::RefreshToken,
        token,
        request.now,
    )
    .await?;
    Ok(Some((
        scope(request, &grant)?,
        request.resources(site, &grant.resources).await?,
    )))
}

fn scope(request: &TokenRequest, grant: &Grant) -> Result<Scope, OAuthError> {
    let Some(text) = request.params.find("scope") else {
        return Ok(grant.scope.clone());
    };
    let scope = Scope::parse(text)
        .map_err(|error| OAuthError::new(ErrorCode::InvalidScope, error.to_string()))?;
    match scope.first_outside(&grant.scope) {
        Some(token) => Err(OAuthError::new(
            ErrorCode::InvalidScope,
            format!("scope {token} was not granted; a refresh can only narrow scope"),
        )),
        None => Ok(scope),
    }
}
