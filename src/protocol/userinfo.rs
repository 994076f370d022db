//! `/userinfo` (OpenID Connect Core §5.3).

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::form;
use crate::domain::user::User;
use crate::http::bearer::{self, Admitted, Refused, TokenUse, bearer};
use crate::http::caller::Caller;
use crate::http::challenge::{Challenge, UNAUTHORIZED, challenge};
use crate::http::error::{OAuthError, plain};
use crate::http::headers::json_no_store;
use crate::http::limits::{BodyError, FormBody};
use crate::http::site::Site;
use crate::service::tokens::claims;
use crate::spec::claims::{Claim, ClaimSet};
use crate::spec::error_code::ErrorCode;
use crate::spec::params::Params;
use crate::spec::standard_claims;
use crate::store::error::StoreError;

/// `GET` and `POST /userinfo`.
pub async fn userinfo(
    State(site): State<Site>,
    method: Method,
    RawQuery(query): RawQuery,
    caller: Caller,
    body: Result<FormBody, BodyError>,
) -> Response {
    let params = match posted(&method, &caller.headers, body) {
        Ok(params) => params,
        Err(response) => return *response,
    };
    match answer(&site, &caller, query.as_deref(), &params).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// The form of a POST that has one; without a body the token is in the header.
fn posted(
    method: &Method,
    headers: &HeaderMap,
    body: Result<FormBody, BodyError>,
) -> Result<Params, Box<Response>> {
    if method != Method::POST || !headers.contains_key(CONTENT_TYPE) {
        return Ok(Params::default());
    }
    match form(body) {
        Ok(params) => Ok(params),
        // A body that is no form cannot hold the token; with a header that does not matter (RFC 6750 §2.2).
        Err(_) if matches!(bearer(headers), Ok(Some(_))) => Ok(Params::default()),
        Err(error) => Err(Box::new(error.into_response())),
    }
}

/// Why nothing is told (RFC 6750 §3.1).
enum Refusal {
    /// No token at all: a bare challenge.
    NoToken,
    /// A code and a sentence, in the challenge and in the body.
    Bearer(ErrorCode, &'static str),
    /// Not the token's fault.
    Other(OAuthError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::InvalidToken(sentence) => Self::Bearer(ErrorCode::InvalidToken, sentence),
            Refused::InsufficientScope(sentence) => {
                Self::Bearer(ErrorCode::InsufficientScope, sentence)
            }
            Refused::Limited(limited) => Self::Other(limited.into()),
            Refused::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, told) = match self {
            Self::NoToken => (UNAUTHORIZED, None),
            Self::Bearer(code, sentence) => {
                let status = match code {
                    ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
                    ErrorCode::InvalidRequest => StatusCode::BAD_REQUEST,
                    _ => UNAUTHORIZED,
                };
                (status, Some((code.as_str(), sentence)))
            }
            Self::Other(error) => return error.into_response(),
        };
        let (code, sentence) = told.unwrap_or(("invalid_token", "no access token was sent"));
        let body = json!({ "error": code, "error_description": plain(sentence) });
        let mut response = (status, json_no_store(), body.to_string()).into_response();
        let way = Challenge::Bearer {
            error: told,
            scope: Some(TokenUse::UserInfo.scope()),
        };
        challenge(response.headers_mut(), &[way]);
        response
    }
}

async fn answer(
    site: &Site,
    caller: &Caller,
    query: Option<&str>,
    params: &Params,
) -> Result<Response, Refusal> {
    let token = presented(&caller.headers, query, params)?;
    // The form was read before: the token may be in it.
    let all_here = std::future::ready(());
    let (admitted, ()) = bearer::admit(site, caller, token, TokenUse::UserInfo, all_here).await?;
    let user = subject(site, &admitted).await?;
    let claims = released(site, &admitted, &user).await?;
    respond(site, &admitted, &user, claims).await
}

/// The token, sent in exactly one way (RFC 6750 §2); never in the query, which ends up in logs (RFC 9700 §4.3.2).
fn presented<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
    params: &'a Params,
) -> Result<&'a str, Refusal> {
    let in_query = query.is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair == "access_token" || pair.starts_with("access_token="))
    });
    if in_query {
        return Err(Refusal::Bearer(
            ErrorCode::InvalidRequest,
            "access_token must not be sent in the query; use the Authorization header",
        ));
    }
    let in_header = bearer(headers).map_err(|_| {
        Refusal::Bearer(
            ErrorCode::InvalidRequest,
            "the Authorization header was sent twice or is not ASCII",
        )
    })?;
    match (in_header, params.find("access_token")) {
        (Some(_), Some(_)) => Err(Refusal::Bearer(
            ErrorCode::InvalidRequest,
            "access_token was sent in two ways",
        )),
        (Some(token), None) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Refusal::NoToken),
    }
}

/// The person, if the token is one that lets Signet speak about them.
async fn subject(site: &Site, admitted: &Admitted) -> Result<User, Refusal> {
    let user_id = admitted.token().user_id.ok_or(Refusal::Bearer(
        ErrorCode::InsufficientScope,
        TokenUse::UserInfo.lacks_scope(),
    ))?;
    let user = site.services.store.find_user(user_id).await?;
    user.filter(|user| user.disabled_at.is_none())
        .ok_or(Refusal::Bearer(
            ErrorCode::InvalidToken,
            "the token's subject is gone",
        ))
}

/// The claims of the token's scope and those the `claims` parameter asked for.
async fn released(
    site: &Site,
    admitted: &Admitted,
    user: &User,
) -> Result<Map<String, Value>, Refusal> {
    let token = admitted.token();
    let grant = match token.grant_id {
        Some(id) => site.services.store.find_grant(id, admitted.at()).await?,
        None => None,
    };
    let asked: Vec<String> = grant
        .map(|found| found.grant.claims.userinfo.into_keys().collect())
        .unwrap_or_default();
    let mut claims = standard_claims::released(
        user.all_claims().map_err(StoreError::from)?,
        &token.scope,
        asked.iter().map(String::as_str),
    );
    claims.insert(Claim::Sub.name().to_owned(), user.id.to_string().into());
    Ok(claims)
}

/// JSON, or a signed JWT for clients that registered `userinfo_signed_response_alg` (OpenID Connect Core §5.3.2).
async fn respond(
    site: &Site,
    admitted: &Admitted,
    user: &User,
    mut claims: Map<String, Value>,
) -> Result<Response, Refusal> {
    let (client, now) = (admitted.client(), admitted.at());
    let elsewhere = &admitted.token().elsewhere;
    let chosen = claims::at_userinfo(&site.services, client, user.id, elsewhere, now);
    claims.extend(chosen.await?);
    let Some(alg) = client.metadata.userinfo_signed_response_alg else {
        return Ok((json_no_store(), Value::Object(claims).to_string()).into_response());
    };
    let mut signed = ClaimSet::default();
    signed.set(Claim::Iss, site.services.config.issuer.as_str());
    signed.set(Claim::Aud, client.id.as_str());
    signed.add(claims);
    let key = site.services.keys.signing(alg, now).await;
    let key = key.map_err(|error| Refusal::Other(error.into()))?;
    let jwt = key.sign("JWT", &signed).map_err(|error| {
        Refusal::Other(crate::service::tokens::keys::KeyError::from(error).into())
    })?;
    Ok((
        [
            (CONTENT_TYPE, "application/jwt"),
            (CACHE_CONTROL, "no-store"),
        ],
        jwt,
    )
        .into_response())
}
