//! Metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2), generated from what is enabled: it cannot lie.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::sign_in::Acr;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::registry::resources::offered;
use crate::spec::alg::SigningAlg;
use crate::spec::auth_method::AuthMethod;
use crate::spec::claims::{Claim, Place};
use crate::spec::grant_type::GrantType;
use crate::spec::prompt::Prompt;
use crate::spec::response_mode::ResponseMode;
use crate::spec::scope::Scope;
use crate::spec::standard_claims::BY_SCOPE;

/// `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server`.
pub async fn metadata(State(site): State<Site>) -> Response {
    match site.services.resources.all().await {
        Ok(resources) => {
            let headers = [
                (CONTENT_TYPE, "application/json"),
                (CACHE_CONTROL, "public, max-age=300"),
            ];
            let write = |resources: &Vec<_>| document(&site, &offered(resources)).to_string();
            (headers, site.metadata.get(&resources, write)).into_response()
        }
        Err(error) => OAuthError::from(error).into_response(),
    }
}

fn document(site: &Site, scopes: &Scope) -> Value {
    let issuer = &site.services.config.issuer;
    let algs = SigningAlg::ALL.map(SigningAlg::as_str);
    // Introspection is never answered to a public client, so "none" is not among its methods.
    let proving: Vec<&str> = AuthMethod::ALL
        .into_iter()
        .filter(|method| *method != AuthMethod::None)
        .map(AuthMethod::as_str)
        .collect();
    let of_people = BY_SCOPE
        .iter()
        .flat_map(|(_, claims)| claims.iter().copied());
    let claims: Vec<&str> = Claim::names(Place::IdToken)
        .chain(of_people)
        .chain(Claim::names(Place::Chosen))
        .collect();
    let acr_values: Vec<&str> = Acr::ALL.iter().map(|acr| acr.as_str()).collect();
    json!({
        "issuer": issuer.as_str(),
        "authorization_endpoint": issuer.endpoint("/authorize"),
        "token_endpoint": issuer.endpoint("/token"),
        "userinfo_endpoint": issuer.endpoint("/userinfo"),
        "jwks_uri": issuer.endpoint("/jwks"),
        "introspection_endpoint": issuer.endpoint("/introspect"),
        "revocation_endpoint": issuer.endpoint("/revoke"),
        "end_session_endpoint": issuer.endpoint("/logout"),
        "scopes_supported": scopes.iter().collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ResponseMode::ALL.map(ResponseMode::as_str),
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algs,
        "userinfo_signing_alg_values_supported": algs,
        "acr_values_supported": acr_values,
        "token_endpoint_auth_methods_supported": AuthMethod::ALL.map(AuthMethod::as_str),
        "token_endpoint_auth_signing_alg_values_supported": algs,
        "introspection_endpoint_auth_methods_supported": proving,
        "introspection_endpoint_auth_signing_alg_values_supported": algs,
        "revocation_endpoint_auth_methods_supported": AuthMethod::ALL.map(AuthMethod::as_str),
        "revocation_endpoint_auth_signing_alg_values_supported": algs,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": claims,
        "claim_types_supported": ["normal", "distributed"],
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "prompt_values_supported": Prompt::ALL,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["en"],
    })
}
