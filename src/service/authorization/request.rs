//! The parameters of an authorization request, one check each, in the order of OpenID Connect Core §3.1.2.2.

use std::collections::BTreeSet;

use super::Refused;
use crate::domain::audience::{Audience, Servers, Targeted};
use crate::domain::authorization::{AuthorizationRequest, ResponseTarget};
use crate::domain::client::Client;
use crate::domain::ids::UserId;
use crate::domain::pending::{Hint, Pending};
use crate::domain::sign_in::{Acr, Wanted, WantedAcr};
use crate::service::Services;
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::error_code::ErrorCode;
use crate::spec::grant_type::GrantType;
use crate::spec::params::Params;
use crate::spec::pkce::CodeChallenge;
use crate::spec::prompt::Prompt;
use crate::spec::response_mode::ResponseMode;
use crate::spec::scope::Scope;

/// Longest value of any parameter that travels through pages, in bytes.
const MAX_VALUE: usize = 4096;

/// An error that has a proven target, which the caller knows.
pub(super) struct Refusal {
    cause: Cause,
}

enum Cause {
    Client(ErrorCode, String),
    Other(Refused),
}

impl Refusal {
    pub(super) fn at(self, target: ResponseTarget) -> Refused {
        match self.cause {
            Cause::Client(code, description) => Refused::Client {
                target: Box::new(target),
                code,
                description,
            },
            Cause::Other(refused) => refused,
        }
    }
}

fn refuse(code: ErrorCode, description: impl Into<String>) -> Refusal {
    Refusal {
        cause: Cause::Client(code, description.into()),
    }
}

fn invalid(description: impl Into<String>) -> Refusal {
    refuse(ErrorCode::InvalidRequest, description)
}

impl<E: Into<Refused>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self {
            cause: Cause::Other(error.into()),
        }
    }
}

/// Checks everything that needs no session.
pub(super) async fn check(
    services: &Services,
    client: &Client,
    params: &Params,
    target: &ResponseTarget,
    pending: &Pending,
) -> Result<AuthorizationRequest, Refusal> {
    check_form(params)?;
    check_unsupported(params)?;
    check_response_type(client, params)?;
    check_response_mode(params)?;
    let prompt = params
        .find("prompt")
        .map_or(Ok(Prompt::default()), Prompt::parse)
        .map_err(invalid)?;
    let claims = params
        .find("claims")
        .map_or(Ok(ClaimsRequest::default()), ClaimsRequest::parse)
        .map_err(invalid)?;
    let scope = granted_scope(client, params)?;
    let Targeted { audience, scope } = audience(services, client, params, &scope).await?;
    Ok(AuthorizationRequest {
        target: target.clone(),
        audience,
        nonce: params.find("nonce").map(str::to_owned),
        code_challenge: code_challenge(client, params)?,
        wanted: Wanted {
            began: pending.started_at,
            again: prompt.login,
            max_age: max_age(client, params)?,
            acr: acr(client, params, &claims),
        },
        expected_users: expected_users(&claims, prompt, pending.hint)?,
        auth_times: claims.wanted_auth_times(),
        prompt,
        claims: claims.within(&client.scope),
        scope,
    })
}

/// No parameter twice (RFC 6749 §3.1), none longer than [`MAX_VALUE`].
fn check_form(params: &Params) -> Result<(), Refusal> {
    if let Some(name) = params.repeated() {
        return Err(invalid(format!("{name} was sent more than once")));
    }
    match params
        .pairs()
        .iter()
        .find(|(_, value)| value.len() > MAX_VALUE)
    {
        Some((name, _)) => Err(invalid(format!("{name} is longer than {MAX_VALUE} bytes"))),
        None => Ok(()),
    }
}

/// Request objects and registration by value are not supported, and discovery says so (OpenID Connect Core §6, §7.2).
fn check_unsupported(params: &Params) -> Result<(), Refusal> {
    let unsupported = [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ];
    match unsupported
        .into_iter()
        .find(|(name, _)| params.find(name).is_some())
    {
        Some((name, code)) => Err(refuse(
            code,
            format!("{name} is not supported; send the parameters themselves"),
        )),
        None => Ok(()),
    }
}

/// `response_type`: only `code`, so no token ever travels through a browser (RFC 9700 §2.1.2).
fn check_response_type(client: &Client, params: &Params) -> Result<(), Refusal> {
    match params.find("response_type") {
        Some("code") if client.has_grant_type(GrantType::AuthorizationCode) => Ok(()),
        Some("code") => Err(refuse(
            ErrorCode::UnauthorizedClient,
            "this client is not registered for grant_type authorization_code; add it to the client's grant_types",
        )),
        Some(_) => Err(refuse(
            ErrorCode::UnsupportedResponseType,
            "response_type must be code",
        )),
        None => Err(invalid("response_type is missing; send response_type=code")),
    }
}

fn check_response_mode(params: &Params) -> Result<(), Refusal> {
    match params.find("response_mode").map(ResponseMode::parse) {
        Some(None) => Err(invalid(
            "response_mode must be query, fragment or form_post",
        )),
        Some(Some(_)) | None => Ok(()),
    }
}

/// `scope`, cut down to what the client may have; unknown scopes are ignored (OpenID Connect Core §3.1.2.1).
/// A request without `scope` gets the client's own scopes, short of those that are about the person.
fn granted_scope(client: &Client, params: &Params) -> Result<Scope, Refusal> {
    let mut scope = match params.find("scope") {
        Some(text) => Scope::parse(text)
            .map_err(|error| refuse(ErrorCode::InvalidScope, error.to_string()))?
            .intersection(&client.scope),
        None => client
            .scope
            .clone()
            .without(Scope::OPENID)
            .without(Scope::OFFLINE_ACCESS),
    };
    if !client.has_grant_type(GrantType::RefreshToken) {
        scope = scope.without(Scope::OFFLINE_ACCESS);
    }
    match params.find("scope") {
        Some(Scope::OFFLINE_ACCESS) if scope.is_empty() => Err(refuse(
            ErrorCode::InvalidScope,
            "scope offline_access needs offline_access in the client's scope and refresh_token in its grant_types",
        )),
        Some(_) if scope.is_empty() => Err(refuse(
            ErrorCode::InvalidScope,
            "scope names nothing that this client may have; add what it needs to the client's scope",
        )),
        Some(_) | None => Ok(scope),
    }
}

/// `resource` (RFC 8707 §2), and what is the default without it.
async fn audience(
    services: &Services,
    client: &Client,
    params: &Params,
    scope: &Scope,
) -> Result<Targeted, Refusal> {
    let all = services.resources.all().await?;
    let servers = Servers {
        all: &all,
        issuer: services.config.issuer.as_str(),
    };
    let targeted = Audience::decide(servers, client, params.all("resource"), scope)
        .map_err(|error| refuse(ErrorCode::InvalidTarget, error.to_string()))?;
    if targeted.scope.is_empty() && !scope.is_empty() {
        return Err(refuse(ErrorCode::InvalidScope, targeted.nothing_left()));
    }
    Ok(targeted)
}

/// `code_challenge` (RFC 7636 §4.3), required of public clients always (RFC 9700 §2.1.1).
fn code_challenge(client: &Client, params: &Params) -> Result<Option<CodeChallenge>, Refusal> {
    match (
        params.find("code_challenge"),
        params.find("code_challenge_method"),
    ) {
        (Some(challenge), Some("S256")) => match CodeChallenge::parse(challenge) {
            Some(challenge) => Ok(Some(challenge)),
            None => Err(invalid(
                "code_challenge must be the base64url SHA-256 of the code_verifier: 43 characters",
            )),
        },
        (Some(_), Some(_)) => Err(invalid("code_challenge_method must be S256")),
        (Some(_), None) => Err(invalid(
            "code_challenge_method is missing; send S256 (without it, it would be plain)",
        )),
        (None, Some(_)) => Err(invalid(
            "code_challenge is missing, but code_challenge_method was sent",
        )),
        (None, None) if client.is_public() => Err(invalid(
            "code_challenge is missing; a public client must use PKCE (RFC 7636) with code_challenge_method=S256",
        )),
        (None, None) if client.require_pkce => Err(invalid(
            "code_challenge is missing; this client must use PKCE (RFC 7636) with code_challenge_method=S256, or be registered with require_pkce = false if its software cannot",
        )),
        (None, None) => Ok(None),
    }
}

fn max_age(client: &Client, params: &Params) -> Result<Option<u64>, Refusal> {
    match params.find("max_age") {
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| invalid("max_age must be a whole number of seconds")),
        None => Ok(client.metadata.default_max_age.map(u64::from)),
    }
}

/// How strong a sign-in must be: `acr` in the `claims` parameter (OpenID Connect Core §5.5.1.1), else `acr_values`
/// (§3.1.2.1), else the client's `default_acr_values` (OpenID Connect Dynamic Client Registration 1.0 §2).
fn acr(client: &Client, params: &Params, claims: &ClaimsRequest) -> WantedAcr {
    if let Some(wish) = claims.wanted_acr().filter(|wish| !wish.is_for_any()) {
        let wanted = wish.texts().filter_map(Acr::parse).collect();
        return if wish.essential {
            WantedAcr::Required(wanted)
        } else {
            WantedAcr::Preferred(wanted)
        };
    }
    WantedAcr::Preferred(if let Some(values) = params.find("acr_values") {
        values.split(' ').filter_map(Acr::parse).collect()
    } else {
        let values = client.metadata.default_acr_values.iter();
        values.filter_map(|value| Acr::parse(value)).collect()
    })
}

/// Who must be signed in: `id_token_hint` and `sub` in the `claims` parameter (OpenID Connect Core §3.1.2.1, §5.5.1),
/// and where both are there, one of whom both speak.
fn expected_users(
    claims: &ClaimsRequest,
    prompt: Prompt,
    hint: Option<Hint>,
) -> Result<Option<Vec<UserId>>, Refusal> {
    let known = |subs: BTreeSet<&str>| subs.into_iter().filter_map(UserId::parse).collect();
    let wanted: Option<Vec<UserId>> = claims.wanted_subjects().map(known);
    let hinted = match hint {
        None => None,
        // An expired hint still says who it was about; its expiry is not looked at.
        Some(Hint::Of(user)) => Some(vec![user]),
        // It may be so old that its key is gone. Its subject is unknown then, which matters only if no page may be
        // shown.
        Some(Hint::UnknownKey) => prompt.none.then(Vec::new),
        Some(Hint::Foreign) => {
            return Err(invalid(
                "id_token_hint is not an ID token that this server issued",
            ));
        }
    };
    Ok(match (wanted, hinted) {
        (Some(mut wanted), Some(hinted)) => {
            wanted.retain(|user| hinted.contains(user));
            Some(wanted)
        }
        (wanted, hinted) => wanted.or(hinted),
    })
}

#[cfg(test)]
mod tests;
