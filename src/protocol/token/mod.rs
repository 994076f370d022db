//! `/token` (RFC 6749 §3.2): who asks, which grant type, and that one's file.

mod authorization_code;
mod client_credentials;
mod foresee;
mod refresh_token;

use axum::extract::State;
use axum::response::Response;

use super::client_auth::{AuthenticatedClient, authenticate};
use super::{answered, form};
use crate::domain::audience::{Audience, AudienceError, Servers, Targeted};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::binding::Binding;
use crate::domain::grant::Grant;
use crate::domain::resource::Resource;
use crate::http::caller::Caller;
use crate::http::error::OAuthError;
use crate::http::json::json;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::tokens::issue::TokenResponse;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::params::Params;
use crate::spec::scope::Scope;
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

    /// For whom the token of a grant is: the resource servers asked for (RFC 8707 §2.2), else those of the grant.
    fn audience(
        &self,
        site: &Site,
        all: &[Resource],
        grant: &Grant,
        scope: &Scope,
    ) -> Result<Targeted, OAuthError> {
        let named = self.params.all("resource");
        let client = self.client.client();
        Audience::of_grant(servers(site, all), client, &grant.resources, named, scope)
            .map_err(|error| invalid_target(&error))
    }
}

fn servers<'a>(site: &'a Site, all: &'a [Resource]) -> Servers<'a> {
    Servers {
        all,
        issuer: site.services.config.issuer.as_str(),
    }
}

/// RFC 8707 §2.
fn invalid_target(error: &AudienceError) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidTarget, error.to_string())
}
