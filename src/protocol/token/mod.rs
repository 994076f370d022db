//! `/token` (RFC 6749 §3.2): who asks, which grant type, and that one's file.

mod authorization_code;
mod client_credentials;
mod refresh_token;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::client_auth::{AuthenticatedClient, authenticate};
use super::form;
use crate::http::error::OAuthError;
use crate::http::headers::json_no_store;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::issue::TokenResponse;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::params::Params;
use crate::spec::time::Ts;

/// A token request whose client is proven.
struct TokenRequest {
    client: AuthenticatedClient,
    params: Params,
    now: Ts,
}

/// `POST /token`.
pub async fn post(
    State(site): State<Site>,
    headers: HeaderMap,
    body: Result<FormBody, BodyError>,
) -> Response {
    let params = match form(body) {
        Ok(params) => params,
        Err(error) => return error.into_response(),
    };
    match answer(&site, &headers, params).await {
        Ok(response) => (
            json_no_store(),
            serde_json::to_vec(&response).unwrap_or_default(),
        )
            .into_response(),
        Err(error) => error.into_response(),
    }
}

async fn answer(
    site: &Site,
    headers: &HeaderMap,
    params: Params,
) -> Result<TokenResponse, OAuthError> {
    let now = site.services.clock.now();
    let client = authenticate(site, headers, &params, now).await?;
    let grant_type = grant_type(&client, &params)?;
    let request = TokenRequest {
        client,
        params,
        now,
    };
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::answer(site, &request).await,
        GrantType::RefreshToken => refresh_token::answer(site, &request).await,
        GrantType::ClientCredentials => client_credentials::answer(site, &request).await,
    }
}

fn grant_type(client: &AuthenticatedClient, params: &Params) -> Result<GrantType, OAuthError> {
    let name = params
        .find("grant_type")
        .ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    let Some(grant_type) = GrantType::parse(name) else {
        let known = GrantType::ALL.map(GrantType::as_str).join(", ");
        return Err(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            format!("grant_type must be one of {known}"),
        ));
    };
    if !client.client().may_use(grant_type) {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            format!(
                "this client is not registered for grant_type {name}; add it to the client's grant_types"
            ),
        ));
    }
    Ok(grant_type)
}

impl TokenRequest {
    /// A parameter that must be there.
    fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.params
            .find(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// The resource servers asked for (RFC 8707 §2.2), which must be among `granted` when the grant names any.
    async fn resources(&self, site: &Site, granted: &[String]) -> Result<Vec<String>, OAuthError> {
        let mut asked: Vec<String> = Vec::new();
        for resource in self.params.all("resource") {
            let known = if granted.is_empty() {
                site.services.resources.contains(resource).await?
            } else {
                granted.iter().any(|granted| granted == resource)
            };
            if !known {
                return Err(OAuthError::new(
                    ErrorCode::InvalidTarget,
                    "resource is not a resource server that this grant covers",
                ));
            }
            if !asked.iter().any(|known| known == resource) {
                asked.push(resource.to_owned());
            }
        }
        Ok(if asked.is_empty() {
            granted.to_vec()
        } else {
            asked
        })
    }
}
