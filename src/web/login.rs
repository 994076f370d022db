//! `/login`: who are you?

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::pages::{LoginPage, SelectAccountPage};
use super::visit::{Visit, logo_source};
use crate::domain::authorization::{Pending, Shown};
use crate::domain::session::Session;
use crate::http::cookies::Cookie;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::http::rate_limit::Limited;
use crate::service::sign_in::password::{LoginError, Whence, with_password};
use crate::service::sign_in::sessions;
use crate::spec::params::Params;
use crate::spec::prompt::Prompt;
use crate::spec::scope::Scope;

/// `GET /login`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let query = visit.query()?;
    let pending = visit.pending(&query)?;
    let session = visit.session().await?;
    let asked = pending.as_ref().map(asked_prompt).unwrap_or_default();
    if let (Some(pending), Some(session)) = (&pending, &session)
        && asked.select_account
        && !asked.login
        && query.find("account") != Some("other")
    {
        return select_account(&visit, pending, session).await;
    }
    let known = session
        .map(|session| session.username)
        .filter(|_| query.find("account") != Some("other"));
    let hint = pending
        .as_ref()
        .and_then(|pending| parameter(pending, "login_hint"))
        .map(str::to_owned);
    let form = Form {
        username: hint.or_else(|| known.clone()).unwrap_or_default(),
        known: known.is_some(),
        ..Form::default()
    };
    show(&visit, pending.as_ref(), form, StatusCode::OK).await
}

/// `POST /login`.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let pending = visit.pending(&form)?;
    match form.find("action") {
        Some("cancel") => Ok(cancel(&visit, pending)),
        Some("continue") => go_on(&visit, pending).await,
        Some("other") => Ok(other_account(&visit, &form)),
        // Pressing Enter in some browsers names no button.
        Some(_) | None => sign_in(&visit, &form, pending).await,
    }
}

/// Checks name and password; only then is anything written.
async fn sign_in(
    visit: &Visit,
    form: &Params,
    pending: Option<Pending>,
) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let username = form.find("username").unwrap_or_default();
    let password = form.find("password").unwrap_or_default().to_owned();
    let known_browser = visit
        .site
        .cookies
        .read(&visit.headers, Cookie::KnownBrowser);
    let whence = Whence {
        ip: visit.ip(),
        browser: known_browser,
    };
    let user = match with_password(
        services,
        username,
        password,
        whence,
        &visit.origin,
        visit.now,
    )
    .await
    {
        Ok(user) => user,
        Err(LoginError::Store(error)) => return Err(error.into()),
        Err(LoginError::Wait(limited)) => {
            return wait(visit, pending.as_ref(), username, &limited).await;
        }
        Err(refusal) => {
            let (status, sentence) = refusal_shown(&refusal);
            let again = Form {
                username: username.to_owned(),
                error: Some(sentence.into()),
                known: false,
            };
            return show(visit, pending.as_ref(), again, status).await;
        }
    };
    let before = visit.session().await?;
    let Some((session, cookie)) =
        sessions::begin(services, &user, before, &visit.origin, visit.now).await?
    else {
        let again = Form {
            username: username.to_owned(),
            error: Some(refusal_shown(&LoginError::Wrong).1.into()),
            known: false,
        };
        return show(visit, pending.as_ref(), again, StatusCode::BAD_REQUEST).await;
    };
    let mut response = match pending {
        Some(pending) => {
            let proven = Pending {
                signed_in: Some(session.id),
                ..pending
            };
            visit.go("/authorize", &[("flow", &services.flows.seal(&proven))])
        }
        None => visit.go("/account", &[]),
    };
    let cookies = visit.site.cookies;
    let known_browser = services.browsers.remember(known_browser, &user);
    for cookie in [
        cookies.set(Cookie::Session, cookie.expose(), None),
        cookies.set(Cookie::KnownBrowser, &known_browser, Some(KNOWN_FOR)),
    ] {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// How long a browser is known after a sign-in; browsers keep no cookie longer than 400 days.
const KNOWN_FOR: Duration = Duration::from_hours(365 * 24);

/// Too many wrong passwords: this one was not looked at.
async fn wait(
    visit: &Visit,
    pending: Option<&Pending>,
    username: &str,
    limited: &Limited,
) -> Result<Response, PageError> {
    let again = Form {
        username: username.to_owned(),
        error: Some(
            format!(
                "There were too many attempts to sign in. Wait {}, then try again.",
                limited.in_words()
            )
            .into(),
        ),
        known: false,
    };
    let mut response = show(visit, pending, again, StatusCode::TOO_MANY_REQUESTS).await?;
    limited.write(response.headers_mut());
    Ok(response)
}

fn refusal_shown(refusal: &LoginError) -> (StatusCode, &'static str) {
    match refusal {
        // A disabled account looks like a wrong password: whoever guesses learns nothing (the log says which).
        LoginError::Wrong | LoginError::Disabled => (
            StatusCode::BAD_REQUEST,
            "That username and password do not fit together. Check both and try again.",
        ),
        LoginError::Busy | LoginError::Wait(_) | LoginError::Store(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Many people are signing in right now. Try again in a few seconds.",
        ),
    }
}

/// The person turns away: the application is told.
fn cancel(visit: &Visit, pending: Option<Pending>) -> Response {
    match pending {
        Some(pending) => {
            let denied = Pending {
                denied: true,
                ..pending
            };
            visit.go(
                "/authorize",
                &[("flow", &visit.site.services.flows.seal(&denied))],
            )
        }
        None => visit.go("/login", &[]),
    }
}

/// The person goes on as who they are.
async fn go_on(visit: &Visit, pending: Option<Pending>) -> Result<Response, PageError> {
    let session = visit.session().await?;
    Ok(match (pending, session) {
        (Some(pending), session) => {
            let chosen = Pending {
                selected: session
                    .filter(|session| was_shown(&pending, session))
                    .map(|session| session.id),
                ..pending
            };
            visit.go(
                "/authorize",
                &[("flow", &visit.site.services.flows.seal(&chosen))],
            )
        }
        (None, _) => visit.go("/account", &[]),
    })
}

fn other_account(visit: &Visit, form: &Params) -> Response {
    match form.find("flow") {
        Some(flow) => visit.go("/login", &[("account", "other"), ("flow", flow)]),
        None => visit.go("/login", &[]),
    }
}

/// Whether the page on which the person answered showed this very session.
fn was_shown(pending: &Pending, session: &Session) -> bool {
    pending
        .shown
        .as_ref()
        .is_some_and(|shown| shown.session == session.id)
}

async fn select_account(
    visit: &Visit,
    pending: &Pending,
    session: &Session,
) -> Result<Response, PageError> {
    let client = visit.client_of(pending).await?;
    let page = SelectAccountPage {
        layout: visit.layout("Choose an account"),
        flow: visit.site.services.flows.seal(&Pending {
            shown: Some(Shown {
                session: session.id,
                scope: Scope::default(),
            }),
            ..pending.clone()
        }),
        csrf: visit.csrf(),
        client_name: client.as_ref().map(|client| client.shown_name().to_owned()),
        client_logo: client
            .as_ref()
            .and_then(|client| client.metadata.logo_uri.clone()),
        account: session.username.clone(),
    };
    let logo = logo_source(client.as_deref());
    let kind = Page {
        image_source: logo.as_deref(),
        ..Page::FLOW
    };
    Ok(visit.html(StatusCode::OK, &kind, &page))
}

#[derive(Default)]
struct Form {
    username: String,
    error: Option<Cow<'static, str>>,
    /// Whether the person is signed in and must prove it again.
    known: bool,
}

async fn show(
    visit: &Visit,
    pending: Option<&Pending>,
    form: Form,
    status: StatusCode,
) -> Result<Response, PageError> {
    let client = match pending {
        Some(pending) => visit.client_of(pending).await?,
        None => None,
    };
    let metadata = client
        .as_ref()
        .map(|client| client.metadata.clone())
        .unwrap_or_default();
    let page = LoginPage {
        layout: visit.layout("Sign in"),
        flow: pending.map(|pending| visit.site.services.flows.seal(pending)),
        csrf: visit.csrf(),
        client_name: client.as_ref().map(|client| client.shown_name().to_owned()),
        client_logo: metadata.logo_uri,
        username: form.username,
        error: form.error.map(Cow::into_owned),
        reauthenticate: form.known,
        cancel: pending.is_some(),
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

fn asked_prompt(pending: &Pending) -> Prompt {
    parameter(pending, "prompt")
        .and_then(|prompt| Prompt::parse(prompt).ok())
        .unwrap_or_default()
}

fn parameter<'a>(pending: &'a Pending, name: &str) -> Option<&'a str> {
    pending
        .params
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}
