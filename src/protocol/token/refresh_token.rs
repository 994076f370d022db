//! `grant_type=refresh_token` (RFC 6749 §6).

use super::TokenRequest;
use crate::domain::grant::Grant;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::access::{Circumstances, may_use, permitted};
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
    // Nothing may fail after the token is used up but what nobody can foresee.
    can_issue(&site.services, client, request.now)?;
    let all = site.services.resources.all().await?;
    let asks = |name| request.params.find(name).is_some();
    if asks("scope") || asks("resource") {
        let token = redeem::opened_refresh_token(&site.services, token)?;
        let grant = redeem::peek(&site.services, client, token, request.now).await?;
        scope(request, &grant)?;
        request.resources(&all, &grant.resources)?;
    }
    if client.metadata.required_permission.is_some() {
        // Looked at first: who may come back later keeps their token.
        let opened = redeem::opened_refresh_token(&site.services, token)?;
        let grant = redeem::peek(&site.services, client, opened, request.now).await?;
        let circumstances = Circumstances::of_grant(&grant, request.now);
        if !may_use(&site.services, client, &circumstances).await? {
            return Err(OAuthError::invalid_grant(
                "the person may not use this client any more",
            ));
        }
    }
    let grant = redeem::refresh_token(&site.services, client, token, request.now).await?;
    let scope = scope(request, &grant)?;
    let resources = request
        .granted_resources(site, &all, &grant.resources)
        .await?;
    // What was taken from the client since is not given any more.
    let scope = scope.intersection(&client.scope);
    let circumstances = Circumstances::of_grant(&grant, request.now);
    let scope = permitted(&site.services, &scope, client, &circumstances).await?;
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
