//! `grant_type=refresh_token` (RFC 6749 §6).

use super::TokenRequest;
use crate::domain::grant::Grant;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::tokens::issue::{Basis, Issuance, TokenResponse, can_issue, issue};
use crate::service::tokens::redeem;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;

pub(super) async fn answer(
    site: &Site,
    request: &TokenRequest,
) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let token = request.require("refresh_token")?;
    // After the token is used up, nothing may fail that can be checked before.
    let all = site.services.resources.all().await?;
    can_issue(&site.services, client, &all, request.now).await?;
    let foreseen = request
        .foresee(site, &all, || {
            redeem::opened_refresh_token(&site.services, token)
        })
        .await?;
    if let Some(foreseen) = &foreseen {
        scope(request, &foreseen.grant)?;
    }
    let grant = redeem::refresh_token(
        &site.services,
        client,
        token,
        request.binding,
        &request.origin,
        request.now,
    )
    .await?;
    let scope = scope(request, &grant)?;
    let given = request.given(site, &all, &grant, &scope, foreseen).await?;
    let issuance = Issuance {
        client,
        grant_type: GrantType::RefreshToken,
        basis: Basis::Grant(&grant),
        scope: &given.scope,
        audience: &given.audience,
        binding: request.binding,
        origin: &request.origin,
        now: request.now,
    };
    Ok(issue(&site.services, issuance).await?)
}

/// What is asked for, which can only be less than what was granted; else all of that.
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
