//! `grant_type=client_credentials` (RFC 6749 §4.4).

use super::{TokenRequest, invalid_target, servers};
use crate::domain::audience::{Audience, about_people};
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::tokens::issue::{Basis, Issuance, TokenResponse, issue};
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;

pub(super) async fn answer(
    site: &Site,
    request: &TokenRequest,
) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    if client.is_public() {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "a public client cannot use client_credentials; register it with a secret or a key, not with token_endpoint_auth_method = none",
        ));
    }
    let scope = scope(request)?;
    let all = site.services.resources.all().await?;
    let named = request.params.all("resource");
    let targeted = Audience::decide(servers(site, &all), client, named, &scope);
    let targeted = targeted.map_err(|error| invalid_target(&error))?;
    if targeted.scope.is_empty() && request.params.find("scope").is_some() && !scope.is_empty() {
        let problem = targeted.nothing_left();
        return Err(OAuthError::new(ErrorCode::InvalidScope, problem));
    }
    let issuance = Issuance {
        client,
        grant_type: GrantType::ClientCredentials,
        basis: Basis::Client,
        scope: &targeted.scope,
        audience: &targeted.audience,
        binding: request.binding,
        origin: &request.origin,
        now: request.now,
    };
    Ok(issue(&site.services, issuance).await?)
}

/// What is asked for, else everything the client is registered for; nothing that is about a person.
fn scope(request: &TokenRequest) -> Result<Scope, OAuthError> {
    let about_people = about_people();
    let own: Scope = request
        .client
        .client()
        .scope
        .iter()
        .filter(|token| !about_people.contains(token))
        .collect();
    let Some(text) = request.params.find("scope") else {
        return Ok(own);
    };
    let asked = Scope::parse(text)
        .map_err(|error| OAuthError::new(ErrorCode::InvalidScope, error.to_string()))?;
    match asked.first_outside(&own) {
        Some(token) => Err(OAuthError::new(
            ErrorCode::InvalidScope,
            if about_people.contains(token) {
                format!(
                    "scope {token} is about a person, and a client has it only for one who signed in"
                )
            } else {
                format!("scope {token} is not in this client's scope; add it there")
            },
        )),
        None => Ok(asked),
    }
}
