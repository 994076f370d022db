//! `/logout` (OpenID Connect RP-Initiated Logout 1.0), for applications and for people.

use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::pages::{LogoutPage, SignedOutPage};
use super::visit::Visit;
use crate::domain::session::Session;
use crate::http::browser::{is_prefetch, is_program};
use crate::http::cookies::Cookie;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::http::rate_limit::{self, Policy};
use crate::service::sign_in::logout::{LogoutError, LogoutRequest, NamedSession};
use crate::service::tokens::revoke;
use crate::spec::params::Params;

/// What is handed through the question, to be checked again.
const HANDED_ON: [&str; 6] = [
    "client_id",
    "id_token_hint",
    "logout_hint",
    "post_logout_redirect_uri",
    "state",
    "ui_locales",
];

/// `GET /logout`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let params = visit.query()?;
    if is_prefetch(&visit.headers) {
        return look(visit, &params).await;
    }
    answer(visit, &params).await
}

/// `HEAD /logout` ends nothing: what asks for headers alone only looks (RFC 9110 §9.2.1), and so does a browser that
/// fetches what a person may click on next.
pub async fn head(visit: Visit) -> Result<Response, PageError> {
    let params = visit.query()?;
    look(visit, &params).await
}

/// `POST /logout`: the question answered, or an application that posts (§2). A browser that it sends goes on as `GET`,
/// because browsers bring no `SameSite=Lax` cookies along with another site's form.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let params = Visit::read(body)?;
    if params.find("csrf").is_none() {
        if is_program(&visit.headers) {
            return answer(visit, &params).await;
        }
        let kept: Vec<(&str, &str)> = HANDED_ON
            .iter()
            .filter_map(|name| Some((*name, params.find(name)?)))
            .collect();
        return Ok(visit.go("/logout", &kept));
    }
    visit
        .browser
        .check_form(&visit.site, &visit.headers, &params)?;
    let request = resolve(&visit, &params).await?;
    match (visit.session().await?, request.named()) {
        (Some(session), _) => end(&visit, &session, &request).await,
        (None, Some(named)) => end_named(&visit, &named, &request).await,
        (None, None) => Ok(gone(&visit, &request)),
    }
}

/// Ends what the request proves to mean, and asks about everything else.
async fn answer(visit: Visit, params: &Params) -> Result<Response, PageError> {
    let request = resolve(&visit, params).await?;
    match (visit.session().await?, request.named()) {
        (Some(session), _) if request.speaks_of(&session) => end(&visit, &session, &request).await,
        (Some(session), _) => ask(&visit, Some(&session), &request, params).await,
        // No browser, so the application itself asks, from its own server.
        (None, Some(named)) if is_program(&visit.headers) => {
            end_named(&visit, &named, &request).await
        }
        (None, None) if is_program(&visit.headers) && request.has_old_hint() => {
            Err(PageError::bad_request(
                "id_token_hint is so old that the key it was signed with is gone, so nothing was ended.",
            ))
        }
        (None, None) if is_program(&visit.headers) && request.has_hint() => {
            Err(PageError::bad_request(
                "id_token_hint was issued to a client that is disabled or not registered any more, so nothing was ended.",
            ))
        }
        (None, named) => open_or_gone(&visit, named, &request, params).await,
    }
}

/// The same, ending nothing.
async fn look(visit: Visit, params: &Params) -> Result<Response, PageError> {
    let request = resolve(&visit, params).await?;
    match visit.session().await? {
        Some(session) => ask(&visit, Some(&session), &request, params).await,
        None => open_or_gone(&visit, request.named(), &request, params).await,
    }
}

/// A browser without a session: one that the hint names may live, and is asked about. Only an application that shows an
/// ID token of ours is gone back to without a question.
async fn open_or_gone(
    visit: &Visit,
    named: Option<NamedSession<'_>>,
    request: &LogoutRequest,
    params: &Params,
) -> Result<Response, PageError> {
    let lives = match named {
        Some(named) => named.find(&visit.site.services, visit.now).await?.is_some(),
        None => false,
    };
    if lives {
        ask(visit, None, request, params).await
    } else if request.has_hint() {
        Ok(gone(visit, request))
    } else {
        Ok(signed_out(visit, request))
    }
}

async fn resolve(visit: &Visit, params: &Params) -> Result<LogoutRequest, PageError> {
    match LogoutRequest::resolve(&visit.site.services, params, visit.now).await {
        Ok(request) => Ok(request),
        Err(LogoutError::Page(message)) => Err(PageError::bad_request(message)),
        Err(LogoutError::Store(error)) => Err(error.into()),
    }
}

/// Ends the session; success is shown only when it holds everywhere.
async fn end(
    visit: &Visit,
    session: &Session,
    request: &LogoutRequest,
) -> Result<Response, PageError> {
    revoke::session(
        &visit.site.services,
        session.id,
        &visit.by(session),
        visit.now,
    )
    .await?;
    tracing::info!(user.id = %session.user_id, session.id = %session.id, "user {} signed out", session.user_id);
    let mut response = gone(visit, request);
    response
        .headers_mut()
        .append(SET_COOKIE, visit.site.cookies.clear(Cookie::Session));
    Ok(response)
}

/// Ends the session that an application names, which no cookie shows.
async fn end_named(
    visit: &Visit,
    named: &NamedSession<'_>,
    request: &LogoutRequest,
) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let key = named.counted_as(&visit.origin);
    if let Err(limited) = rate_limit::check(&visit.site, Policy::Client, &key).await {
        return Ok(rate_limit::page(&limited));
    }
    named.end(services, &visit.origin, visit.now).await?;
    Ok(gone(visit, request))
}

/// Back to the application, or the page that says it is done.
fn gone(visit: &Visit, request: &LogoutRequest) -> Response {
    match request.location() {
        Some(location) => visit.leave(&location),
        None => signed_out(visit, request),
    }
}

fn signed_out(visit: &Visit, request: &LogoutRequest) -> Response {
    let name = request
        .client
        .as_ref()
        .map(|client| client.shown_name().to_owned());
    let page = SignedOutPage {
        layout: visit.layout("Signed out"),
        return_to: request.location().zip(name),
        left_out: request.left_out.clone(),
    };
    visit.html(StatusCode::OK, &Page::FLOW, &page)
}

/// The question, about the session of this browser or, where there is none, the one that the application names.
async fn ask(
    visit: &Visit,
    session: Option<&Session>,
    request: &LogoutRequest,
    params: &Params,
) -> Result<Response, PageError> {
    let means_another = match session {
        Some(session) => request.means_another(&visit.site.services, session).await?,
        None => false,
    };
    let page = LogoutPage {
        layout: visit.layout("Sign out"),
        csrf: visit.csrf(),
        client_name: request
            .client
            .as_ref()
            .map(|client| client.shown_name().to_owned()),
        account: session.map(|session| session.username.clone()),
        means_another,
        left_out: request.left_out.clone(),
        hidden: HANDED_ON
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), params.find(name)?.to_owned())))
            .collect(),
    };
    Ok(visit.html(StatusCode::OK, &Page::FLOW, &page))
}
