//! `/authorize` (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2): a function of request and session.
//!
//! Nothing is written before a person has proven who they are. What must survive a page travels as a sealed value,
//! `flow`; whenever it comes back, every step runs again.

mod respond;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use crate::crypto::jose::MAX_JWT_BYTES;
use crate::domain::audit::{Actor, Origin};
use crate::domain::authorization::{Step, Unmet, next_step};
use crate::domain::pending::Pending;
use crate::http::browser::Browser;
use crate::http::cookies::Cookie;
use crate::http::limits::{BodyError, FormBody};
use crate::http::origin::RequestOrigin;
use crate::http::page_error::PageError;
use crate::http::site::Site;
use crate::service::authorization::consent;
use crate::service::authorization::flow::{FlowError, MAX_REQUEST, browser_digest};
use crate::service::authorization::{self, Refused};
use crate::service::decisions::access::{self, Circumstances};
use crate::service::sign_in::sessions;
use crate::spec::params::Params;
use crate::spec::time::Ts;
use respond::to_page;

/// Longest text of a request, in bytes: percent-encoded, with an `id_token_hint`, which does not travel on.
const MAX_TEXT: usize = 3 * MAX_REQUEST + MAX_JWT_BYTES;

/// `GET /authorize`.
pub async fn get(
    State(site): State<Site>,
    RawQuery(query): RawQuery,
    RequestOrigin(origin): RequestOrigin,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let browser = Browser::of(&site, &headers);
    let mut response = answer(&site, &origin, &headers, &browser, query.as_bytes())
        .await
        .unwrap_or_else(IntoResponse::into_response);
    browser.remember(&site, &mut response);
    response
}

/// `POST /authorize` works like `GET` (OpenID Connect Core §3.1.2.1). Browsers bring no `SameSite=Lax` cookies along
/// when another site posts a form here, so the request goes on as a `GET`, sealed.
pub async fn post(State(site): State<Site>, body: Result<FormBody, BodyError>) -> Response {
    let params = match body {
        Ok(FormBody(bytes)) => read(&bytes),
        Err(error) => Err(PageError {
            status: error.status(),
            ..PageError::bad_request(format!("{error}."))
        }),
    };
    let begun = match params.and_then(bounded) {
        Ok(params) => begun(&site, &params, None, site.services.clock.now()).await,
        Err(error) => Err(error),
    };
    begun
        .and_then(|pending| to_page(&site, "/authorize", &pending))
        .unwrap_or_else(IntoResponse::into_response)
}

/// The steps.
async fn answer(
    site: &Site,
    origin: &Origin,
    headers: &HeaderMap,
    browser: &Browser,
    query: &[u8],
) -> Result<Response, PageError> {
    let services = &site.services;
    let now = services.clock.now();
    let params = read(query)?;
    let mut pending = pending(site, browser, &params, now).await?;
    let mut resolved = match authorization::resolve(services, &pending).await {
        Ok(resolved) => resolved,
        Err(Refused::Client {
            target,
            code,
            description,
        }) => return Ok(respond::error(site, &target, code, &description)),
        Err(Refused::Page(message)) => {
            tracing::info!("refused on a page: {message}");
            return Err(PageError::bad_request(message));
        }
        Err(Refused::Store(error)) => return Err(error.into()),
    };
    let session =
        sessions::find(services, site.cookies.read(headers, Cookie::Session), now).await?;
    let mut may_sign_in = true;
    if let Some(session) = &session {
        let circumstances = Circumstances::of_session(session, origin, now);
        may_sign_in = access::may_sign_in_to(services, &resolved.client, &circumstances).await?;
        may_sign_in &= resolved.cut_to(services, &circumstances).await?;
    }
    let consented = match &session {
        Some(session) if !resolved.client.metadata.first_party => {
            consent::find(
                services,
                session.user_id,
                &resolved.client,
                &resolved.request,
            )
            .await?
        }
        // The operator's own applications need none.
        _ => None,
    };
    let step = next_step(
        &resolved.request,
        &pending,
        &resolved.client,
        session.as_ref(),
        consented.as_ref(),
    );
    let target = &resolved.request.target;
    match (step, session) {
        (Step::Consent | Step::Respond | Step::Refuse(Unmet::Consent), Some(_)) if !may_sign_in => {
            respond::may_not_use(site, &resolved)
        }
        (Step::Refuse(unmet), _) => Ok(respond::unmet(site, target, unmet)),
        (Step::Login | Step::SelectAccount, _) | (Step::Respond | Step::Consent, None) => {
            to_page(site, "/login", &pending)
        }
        (Step::Consent, Some(_)) => to_page(site, "/consent", &pending),
        (Step::Respond, Some(session)) => {
            if let Some(granted) = authorization::grant(
                services,
                &resolved,
                &session,
                &origin.by(Actor::Person(session.user_id)),
                now,
            )
            .await?
            {
                authorization::note_left_out(&resolved.client, &pending);
                return Ok(respond::code(site, target, &granted.code));
            }
            // Something was ended since it was looked at: look again, and ask again for what was allowed.
            pending.consented = None;
            to_page(site, "/authorize", &pending)
        }
    }
}

fn read(text: &[u8]) -> Result<Params, PageError> {
    if text.len() > MAX_TEXT {
        return Err(PageError::bad_request("The request is too long."));
    }
    Params::parse(text).map_err(|error| PageError::bad_request(format!("{error}.")))
}

/// A request that goes on, or one that begins now.
async fn pending(
    site: &Site,
    browser: &Browser,
    params: &Params,
    now: Ts,
) -> Result<Pending, PageError> {
    if !params.contains("flow") {
        let params = bounded(params.clone())?;
        return begun(site, &params, Some(browser), now).await;
    }
    let flow = params.find("flow").unwrap_or_default();
    let mut pending = site
        .services
        .flows
        .open(flow, Some(browser.cookie()), now)
        .map_err(stale)?;
    // One that was posted meets its browser only now.
    pending
        .browser
        .get_or_insert_with(|| browser_digest(browser.cookie()));
    authorization::read_hint(&site.services, &mut pending, now).await?;
    Ok(pending)
}

/// A request that is short enough to travel through pages, however it came.
fn bounded(params: Params) -> Result<Params, PageError> {
    let travels = |(name, _): &&(String, String)| name != "id_token_hint";
    let pairs = params.pairs().iter().filter(travels);
    let length: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    if length > MAX_REQUEST {
        return Err(PageError::bad_request(format!(
            "The request is longer than {MAX_REQUEST} bytes."
        )));
    }
    Ok(params)
}

async fn begun(
    site: &Site,
    params: &Params,
    browser: Option<&Browser>,
    now: Ts,
) -> Result<Pending, PageError> {
    let browser = browser.map(|browser| browser_digest(browser.cookie()));
    Ok(authorization::begin(&site.services, params, browser, now).await?)
}

fn stale(error: FlowError) -> PageError {
    PageError::stale_flow(error.sentence())
}
