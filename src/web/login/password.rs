//! The page that asks for a name and a password.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Refusal, cancel, follow, pending, select_account, sign_in};
use crate::domain::pending::{Pending, Purpose};
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::service::authorization;
use crate::service::sign_in::password::{Typed, prove};
use crate::spec::params::Params;
use crate::web::pages::Layout;
use crate::web::visit::{Visit, logo_source};

/// `/login`: asks for username and password.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// What all pages share.
    pub layout: Layout,
    /// The sealed pending sign-in.
    pub flow: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application that asks, where there is one.
    pub client_name: Option<String>,
    /// The application's `logo_uri`.
    pub client_logo: Option<String>,
    /// What the username field holds at first: `login_hint`, the known person or the last attempt.
    pub username: String,
    /// Why the last attempt failed; one neutral sentence.
    pub error: Option<String>,
    /// A person who is known must prove it again (`prompt=login`, `max_age`).
    pub reauthenticate: bool,
    /// Whether there is something to go back to.
    pub cancel: bool,
    /// The application's `policy_uri`.
    pub policy_uri: Option<String>,
    /// The application's `tos_uri`.
    pub tos_uri: Option<String>,
}

/// `GET /login`.
pub(super) async fn get(visit: Visit) -> Result<Response, PageError> {
    let query = visit.query()?;
    let pending = pending(&visit, &query)?;
    let session = visit.session().await?;
    if let Some(session) = &session
        && select_account::is_asked_for(&pending, &query)
    {
        return select_account::show(&visit, &pending, session).await;
    }
    let known = session
        .map(|session| session.username)
        .filter(|_| !select_account::is_another(&query));
    let hint = pending.parameter("login_hint").map(str::to_owned);
    let form = Form {
        username: hint.or_else(|| known.clone()).unwrap_or_default(),
        known: known.is_some(),
        error: None,
    };
    show(&visit, &pending, form, StatusCode::OK).await
}

/// `POST /login`.
pub(super) async fn post(
    visit: Visit,
    body: Result<FormBody, BodyError>,
) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let pending = pending(&visit, &form)?;
    match form.find("action") {
        Some("cancel") => cancel(&visit, pending),
        Some("continue") => select_account::go_on(&visit, pending).await,
        Some("other") => Ok(select_account::other(&visit, &form)),
        // Pressing Enter in some browsers names no button.
        Some(_) | None => check(&visit, &form, &pending).await,
    }
}

/// Checks name and password.
async fn check(visit: &Visit, form: &Params, pending: &Pending) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let username = form.find("username").unwrap_or_default();
    let wanted = authorization::wanted(services, pending).await?;
    let typed = Typed {
        username,
        password: form.find("password").unwrap_or_default().to_owned(),
    };
    let sign_in = sign_in(visit, pending, &wanted);
    let step = prove(services, typed, sign_in, &visit.origin, visit.now).await;
    let refusal = match follow(visit, pending, step, "Wrong username or password.").await? {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let again = Form {
        username: username.to_owned(),
        known: false,
        error: Some(&refusal),
    };
    let mut response = show(visit, pending, again, refusal.status).await?;
    refusal.write(&mut response);
    Ok(response)
}

struct Form<'a> {
    username: String,
    /// Whether the person is signed in and must prove it again.
    known: bool,
    error: Option<&'a Refusal>,
}

async fn show(
    visit: &Visit,
    pending: &Pending,
    form: Form<'_>,
    status: StatusCode,
) -> Result<Response, PageError> {
    let client = visit.client_of(pending).await?;
    let metadata = client
        .as_ref()
        .map(|client| client.metadata.clone())
        .unwrap_or_default();
    let page = LoginPage {
        layout: visit.layout("Sign in"),
        flow: visit.seal(pending)?,
        csrf: visit.csrf(),
        client_name: client.as_ref().map(|client| client.shown_name().to_owned()),
        client_logo: metadata.logo_uri,
        username: form.username,
        error: form.error.map(|refusal| refusal.error.to_string()),
        reauthenticate: form.known,
        cancel: matches!(pending.purpose, Purpose::Authorize { .. }),
        policy_uri: metadata.policy_uri,
        tos_uri: metadata.tos_uri,
    };
    let logo = logo_source(client.as_deref());
    let kind = Page {
        image_source: logo.as_deref(),
        ..Page::FLOW
    };
    Ok(visit.html(status, &kind, &page))
}
