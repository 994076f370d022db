//! `grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636 §4.5).

use super::TokenRequest;
use crate::domain::grant::CodeProofs;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::tokens::issue::{Basis, Issuance, TokenResponse, can_issue, issue};
use crate::service::tokens::redeem;
use crate::spec::grant_type::GrantType;
use crate::spec::pkce::CodeVerifier;

pub(super) async fn answer(
    site: &Site,
    request: &TokenRequest,
) -> Result<TokenResponse, OAuthError> {
    let client = request.client.client();
    let code = request.require("code")?;
    let verifier = code_verifier(request)?;
    let redirect_uri = request.params.find("redirect_uri");
    let proof = CodeProofs::of(redirect_uri, verifier.as_ref()).ok_or_else(|| {
        OAuthError::invalid_request(
            "redirect_uri is missing: send that of the authorization request, or code_verifier if it had a code_challenge",
        )
    })?;
    // After the code is used up, nothing may fail that can be checked before.
    let all = site.services.resources.all().await?;
    can_issue(&site.services, client, &all, request.now).await?;
    let foreseen = request
        .foresee(site, &all, || redeem::opened_code(&site.services, code))
        .await?;
    let grant = redeem::code(
        &site.services,
        client,
        code,
        proof,
        request.binding,
        &request.origin,
        request.now,
    )
    .await?;
    let given = request
        .given(site, &all, &grant, &grant.scope, foreseen)
        .await?;
    let issuance = Issuance {
        client,
        grant_type: GrantType::AuthorizationCode,
        basis: Basis::Grant(&grant),
        scope: &given.scope,
        audience: &given.audience,
        binding: request.binding,
        origin: &request.origin,
        now: request.now,
    };
    Ok(issue(&site.services, issuance).await?)
}

fn code_verifier(request: &TokenRequest) -> Result<Option<CodeVerifier>, OAuthError> {
    match request.params.find("code_verifier") {
        None => Ok(None),
        Some(text) => match CodeVerifier::parse(text) {
            Some(verifier) => Ok(Some(verifier)),
            None => Err(OAuthError::invalid_grant(
                "code_verifier must be 43 to 128 unreserved characters (RFC 7636 section 4.1)",
            )),
        },
    }
}
