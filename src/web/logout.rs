//! `/logout` (OpenID Connect RP-Initiated Logout 1.0), for applications and for people.

use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::pages::{LogoutPage, SignedOutPage};
use super::visit::Visit;
use crate::domain::session::Session;
use crate::http::cookies::Cookie;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::service::sign_in::logout::{LogoutError, LogoutRequest};
use crate::service::tokens::revoke;
use crate::spec::params::Params;

/// What is handed through the question, to be checked again.
const HANDED_ON: [&str; 4] = [
    "client_id",
    "id_token_hint",
    "post_logout_redirect_uri",
    "state",
];

/// `GET /logout`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let params = visit.query()?;
    let request = resolve(&visit, &params).await?;
    match visit.session().await? {
        Some(session) if request.speaks_of(&session) => end(&visit, &session, &request).await,
        Some(session) => Ok(ask(&visit, &session, &request, &params)),
        // No session. Only an application that shows an ID token of ours is gone back to without a question.
        None if request.has_hint() => Ok(gone(&visit, &request)),
        None => Ok(signed_out(&visit, &request)),
    }
}

/// `POST /logout`: the question answered, or an application that posts (§2), which goes on as `GET` because
/// browsers bring no `SameSite=Lax` cookies along with another site's form.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let params = Visit::read(body)?;
    if params.find("csrf").is_none() {
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
    match visit.session().await? {
        Some(session) => end(&visit, &session, &request).await,
        None => Ok(gone(&visit, &request)),
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
    };
    visit.html(StatusCode::OK, &Page::FLOW, &page)
}

fn ask(visit: &Visit, session: &Session, request: &LogoutRequest, params: &Params) -> Response {
    let page = LogoutPage {
        layout: visit.layout("Sign out"),
        csrf: visit.csrf(),
        client_name: request
            .client
            .as_ref()
            .map(|client| client.shown_name().to_owned()),
        account: session.username.clone(),
        hidden: HANDED_ON
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), params.find(name)?.to_owned())))
            .collect(),
    };
    visit.html(StatusCode::OK, &Page::FLOW, &page)
}
