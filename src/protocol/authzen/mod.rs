//! The decision API: [OpenID AuthZEN Authorization API 1.0](https://openid.net/specs/authorization-api-1_0.html).
//!
//! A resource server asks with an access token whose scope has `signet:decide`, or with its client credentials if it
//! is registered for that scope. A person's token counts only if that person may `decide` on `signet`.

mod evaluation;
mod request;
mod search;

use std::net::IpAddr;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::answered;
use super::client_auth::authenticate;
use crate::http::bearer::{self, Admitted, Refused, TokenUse, bearer};
use crate::http::caller::Caller;
use crate::http::challenge::{Challenge, UNAUTHORIZED, challenge};
use crate::http::error::OAuthError;
use crate::http::limits::{BodyLimit, read};
use crate::http::request_id;
use crate::http::site::Site;
use crate::service::decisions::{DecisionRequest, Who};
use crate::spec::error_code::ErrorCode;
use crate::spec::params::Params;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use request::Posed;

/// Longest `X-Request-ID` that is sent back, in bytes.
const MAX_REQUEST_ID: usize = 256;

/// `GET /.well-known/authzen-configuration` (AuthZEN §9).
pub async fn metadata(State(site): State<Site>) -> Response {
    let issuer = &site.services.config.issuer;
    let document = json!({
        "policy_decision_point": issuer.as_str(),
        "access_evaluation_endpoint": issuer.endpoint("/access/v1/evaluation"),
        "access_evaluations_endpoint": issuer.endpoint("/access/v1/evaluations"),
        "search_subject_endpoint": issuer.endpoint("/access/v1/search/subject"),
        "search_resource_endpoint": issuer.endpoint("/access/v1/search/resource"),
        "search_action_endpoint": issuer.endpoint("/access/v1/search/action"),
    });
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, document.to_string()).into_response()
}

/// `POST /access/v1/evaluation` (AuthZEN §6).
pub async fn evaluation(State(site): State<Site>, request: Request) -> Response {
    answer(&site, request, evaluation::one).await
}

/// `POST /access/v1/evaluations` (AuthZEN §7).
pub async fn evaluations(State(site): State<Site>, request: Request) -> Response {
    answer(&site, request, evaluation::several).await
}

/// `POST /access/v1/search/subject` (AuthZEN §8.4).
pub async fn search_subject(State(site): State<Site>, request: Request) -> Response {
    answer(&site, request, search::subjects).await
}

/// `POST /access/v1/search/resource` (AuthZEN §8.5).
pub async fn search_resource(State(site): State<Site>, request: Request) -> Response {
    answer(&site, request, search::resources).await
}

/// `POST /access/v1/search/action` (AuthZEN §8.6).
pub async fn search_action(State(site): State<Site>, request: Request) -> Response {
    answer(&site, request, search::actions).await
}

/// Who asks, what they ask, and the answer with their own request id.
async fn answer<F>(site: &Site, request: Request, decide: F) -> Response
where
    F: AsyncFnOnce(&Site, Posed, Ts) -> Result<Value, OAuthError>,
{
    let (mut parts, body) = request.into_parts();
    let Ok(asking) = Caller::from_request_parts(&mut parts, site).await;
    let limit = parts.extensions.get::<BodyLimit>().copied();
    let answer = async {
        let body = read(body, limit.unwrap_or_default());
        let (now, body) = match caller(site, &asking, body).await? {
            Ok(admitted) => admitted,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !is_json(&parts.headers) {
            return Err(OAuthError::invalid_request(
                "the Content-Type must be application/json",
            ));
        }
        let body = body.map_err(|error| OAuthError::invalid_request(error.to_string()))?;
        let posed = Posed::parse(&body)?;
        decide(site, posed, now).await.map(Ok)
    };
    let mut response = match answer.await {
        Ok(Ok(decided)) => answered(async { Ok(decided.to_string()) }).await,
        Ok(Err(refusal)) => refusal,
        Err(error) => {
            let mut response = error.into_response();
            if response.status() == UNAUTHORIZED {
                challenge(response.headers_mut(), &ways(None));
            }
            response
        }
    };
    // AuthZEN §10.1: the caller's own id comes back.
    if let Some(id) = parts.headers.get(request_id::HEADER) {
        if id.len() <= MAX_REQUEST_ID {
            tracing::info!(caller.request_id = ?id, "the caller names this request {id:?}");
        }
        response
            .headers_mut()
            .insert(request_id::HEADER, id.clone());
    }
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    value.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}

/// Lets only those through who may ask for decisions, once the body has come: the time of the request, and the body.
/// The refusal of a bearer token is a response of its own (RFC 6750 §3).
async fn caller<T>(
    site: &Site,
    asking: &Caller,
    body: impl Future<Output = T>,
) -> Result<Result<(Ts, T), Response>, OAuthError> {
    let Ok(Some(token)) = bearer(&asking.headers) else {
        let body = body.await;
        let now = site.services.clock.now();
        client(site, asking, now).await?;
        return Ok(Ok((now, body)));
    };
    let (admitted, body) = match bearer::admit(site, asking, token, TokenUse::Decisions, body).await
    {
        Ok(admitted) => admitted,
        Err(Refused::Store(error)) => return Err(error.into()),
        Err(Refused::Limited(limited)) => return Err(limited.into()),
        Err(Refused::InvalidToken(sentence)) => {
            return Ok(Err(refused(ErrorCode::InvalidToken, sentence)));
        }
        Err(Refused::InsufficientScope(sentence)) => {
            return Ok(Err(refused(ErrorCode::InsufficientScope, sentence)));
        }
    };
    if may_decide(site, &admitted, asking.ip).await? {
        return Ok(Ok((admitted.at(), body)));
    }
    let sentence = TokenUse::Decisions.lacks_scope();
    bearer::note_refusal(site, admitted.origin(), sentence, admitted.at());
    Ok(Err(refused(ErrorCode::InsufficientScope, sentence)))
}

/// A client that proves itself and is registered for the scope.
async fn client(site: &Site, asking: &Caller, now: Ts) -> Result<(), OAuthError> {
    let caller = authenticate(site, asking, &Params::default(), now).await?;
    let client = caller.client();
    if !client.is_public() && client.scope.contains(Scope::DECIDE) {
        return Ok(());
    }
    let sentence =
        "this client is not registered for the scope signet:decide; add it to the client's scope";
    bearer::note_refusal(site, &caller.origin(&asking.origin), sentence, now);
    Err(OAuthError::new(ErrorCode::InsufficientScope, sentence))
}

/// A client's own token needs no more than its scope, which only the operator gives.
async fn may_decide(site: &Site, admitted: &Admitted, ip: IpAddr) -> Result<bool, OAuthError> {
    let (token, now) = (admitted.token(), admitted.at());
    let Some(user) = token.user_id else {
        return Ok(true);
    };
    let asked = DecisionRequest {
        subject: Who::Id(user),
        action: "decide".to_owned(),
        resource_type: "signet".to_owned(),
        resource_id: "signet".to_owned(),
        resource_attributes: Map::new(),
        context: token.sign_in.context(&token.client_id, ip, now),
        client: None,
        why: false,
    };
    Ok(site.services.decisions.decide(&asked, now).await?.allowed)
}

fn refused(code: ErrorCode, sentence: &'static str) -> Response {
    let mut response = OAuthError::new(code, sentence).into_response();
    *response.status_mut() = match code {
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        _ => UNAUTHORIZED,
    };
    challenge(
        response.headers_mut(),
        &ways(Some((code.as_str(), sentence))),
    );
    response
}

/// How to ask: with a token that has the scope, or as a client.
const fn ways<'a>(error: Option<(&'a str, &'a str)>) -> [Challenge<'a>; 2] {
    let scope = Some(Scope::DECIDE);
    [Challenge::Bearer { error, scope }, Challenge::Client]
}
