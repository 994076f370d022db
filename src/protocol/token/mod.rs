//! `/token` (RFC 6749 §3.2): who asks, which grant type, and that one's file.

mod authorization_code;
mod client_credentials;
mod foresee;
mod refresh_token;

use axum::extract::State;
use axum::response::Response;

use super::client_auth::{AuthenticatedClient, authenticate};
use super::{answered, form};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::binding::Binding;
use crate::domain::resource::Resource;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::json::json;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::registry::resources::is_for;
use crate::service::tokens::issue::TokenResponse;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::params::Params;
use crate::spec::time::Ts;

/// A token request whose client is proven.
struct TokenRequest {
    client: AuthenticatedClient,
    params: Params,
    binding: Binding,
    origin: Origin,
    now: Ts,
}

/// `POST /token`.
pub async fn post(
    State(site): State<Site>,
    caller: Caller,
    body: Result<FormBody, BodyError>,
) -> Response {
    answered(async {
        let response = match answer(&site, &caller, form(body)?).await {
            // Codes and tokens cannot be guessed; a caller that keeps trying is told to stop.
            Err(error) if error.code() == ErrorCode::InvalidGrant => {
                site.services
                    .limits
                    .failed(caller.ip)
                    .map_err(OAuthError::limited)?;
                return Err(error.into());
            }
            other => other?,
        };
        Ok(json(&response).map_err(OAuthError::from)?)
    })
    .await
}

async fn answer(site: &Site, caller: &Caller, params: Params) -> Result<TokenResponse, OAuthError> {
    let now = site.services.clock.now();
    let client = authenticate(site, caller, &params, now).await?;
    let request = TokenRequest {
        origin: client.origin(&caller.origin),
        client,
        params,
        binding: caller.binding,
        now,
    };
    let answer = dispatch(site, &request).await;
    if let Err(error) = &answer
        && error.is_refusal()
    {
        request.note_refusal(site, error);
    }
    answer
}

async fn dispatch(site: &Site, request: &TokenRequest) -> Result<TokenResponse, OAuthError> {
    match grant_type(&request.client, &request.params)? {
        GrantType::AuthorizationCode => authorization_code::answer(site, request).await,
        GrantType::RefreshToken => refresh_token::answer(site, request).await,
        GrantType::ClientCredentials => client_credentials::answer(site, request).await,
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
    if !client.client().has_grant_type(grant_type) {
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
    /// What a client is refused is an event.
    fn note_refusal(&self, site: &Site, error: &OAuthError) {
        let grant_type = self.params.find("grant_type").and_then(GrantType::parse);
        let event = Event::new(EventType::TokenRefused, &self.origin, self.now)
            .client(&self.client.client().id)
            .detail("grant_type", grant_type.map(GrantType::as_str))
            .detail("error", error.code().as_str())
            .detail("reason", error.description());
        site.services.audit.note(event);
    }

    /// A parameter that must be there.
    fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.params
            .find(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// The resource servers asked for (RFC 8707 §2.2), else those `granted`; each must be one of `all` that the
    /// client may have today, and one of the granted when there are any.
    fn resources(&self, all: &[Resource], granted: &[String]) -> Result<Vec<String>, OAuthError> {
        let is_for = |resource: &str| is_for(all, self.client.client(), resource);
        let mut resources: Vec<String> = Vec::new();
        for resource in self.params.all("resource") {
            let covered = granted.is_empty() || granted.iter().any(|granted| granted == resource);
            if !covered || !is_for(resource) {
                return Err(OAuthError::new(
                    ErrorCode::InvalidTarget,
                    if covered {
                        "resource is not a resource server of which this client may have a scope; add one of its scopes to the client's scope, or register it as the client's default_resource"
                    } else {
                        "resource is not a resource server of this grant; name it in the authorization request too"
                    },
                ));
            }
            if !resources.iter().any(|known| known == resource) {
                resources.push(resource.to_owned());
            }
        }
        if resources.is_empty() {
            resources.extend(granted.iter().filter(|granted| is_for(granted)).cloned());
        }
        Ok(resources)
    }
}
