//! `/login`: who are you?

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::pages::{LoginPage, SelectAccountPage};
use super::visit::{Visit, logo_source};
use crate::domain::pending::{OwnPath, Pending, Purpose, Shown};
use crate::domain::session::Session;
use crate::domain::sign_in::{Factor, Next, Proofs, SignedIn, Unmet};
use crate::http::cookies::Cookie;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::http::rate_limit::Limited;
use crate::service::authorization;
use crate::service::sign_in::password::{LoginError, SignIn, SignInFrom, Typed, prove};
use crate::service::sign_in::sessions;
use crate::spec::params::Params;
use crate::spec::prompt::Prompt;
use crate::spec::scope::Scope;

/// `GET /login`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let query = visit.query()?;
    let pending = pending(&visit, &query)?;
    let session = visit.session().await?;
    let asked = asked_prompt(&pending);
    if let Some(session) = &session
        && asked.select_account
        && !asked.login
        && query.find("account") != Some("other")
    {
        return select_account(&visit, &pending, session).await;
    }
    let known = session
        .map(|session| session.username)
        .filter(|_| query.find("account") != Some("other"));
    let hint = pending.parameter("login_hint").map(str::to_owned);
    let form = Form {
        username: hint.or_else(|| known.clone()).unwrap_or_default(),
        known: known.is_some(),
        ..Form::default()
    };
    show(&visit, &pending, form, StatusCode::OK).await
}

/// `POST /login`.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let pending = pending(&visit, &form)?;
    match form.find("action") {
        Some("cancel") => cancel(&visit, pending),
        Some("continue") => go_on(&visit, pending).await,
        Some("other") => Ok(other_account(&visit, &form)),
        // Pressing Enter in some browsers names no button.
        Some(_) | None => sign_in(&visit, &form, pending).await,
    }
}

/// The sign-in that travels through this page; one that begins here leads to `/account`.
fn pending(visit: &Visit, params: &Params) -> Result<Pending, PageError> {
    let travelling = visit.pending(params)?;
    Ok(travelling.unwrap_or_else(|| visit.begin_sign_in(OwnPath::account())))
}

/// Checks name and password; only when the proofs suffice is anything written.
async fn sign_in(visit: &Visit, form: &Params, pending: Pending) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let username = form.find("username").unwrap_or_default();
    let wanted = authorization::wanted(services, &pending, visit.now).await?;
    let typed = Typed {
        username,
        password: form.find("password").unwrap_or_default().to_owned(),
    };
    let sign_in = SignIn {
        wanted: &wanted,
        proofs: pending.proofs.clone(),
        from: SignInFrom {
            ip: visit.ip(),
            browser: known_browser(visit),
        },
    };
    let refusal = match prove(services, typed, sign_in, &visit.origin, visit.now).await {
        Ok(Next::Done(signed_in)) => {
            match begin_session(visit, &pending, &signed_in).await? {
                Some(response) => return Ok(response),
                // Disabled or signed out everywhere a moment ago.
                None => WRONG,
            }
        }
        Ok(Next::Ask { factor, proofs }) => return ask(visit, pending, factor, proofs),
        Ok(Next::Refuse(unmet)) => unmet_shown(unmet),
        Err(LoginError::Store(error)) => return Err(error.into()),
        Err(LoginError::Wait(limited)) => return wait(visit, &pending, username, &limited).await,
        Err(LoginError::Wrong) => WRONG,
        Err(LoginError::Busy) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Many people are signing in right now. Try again in a few seconds.",
        ),
    };
    let (status, sentence) = refusal;
    let again = Form {
        username: username.to_owned(),
        error: Some(sentence.into()),
        known: false,
    };
    show(visit, &pending, again, status).await
}

/// Begins the session and goes where the sign-in leads.
async fn begin_session(
    visit: &Visit,
    pending: &Pending,
    signed_in: &SignedIn,
) -> Result<Option<Response>, PageError> {
    let services = &visit.site.services;
    let before = visit.session().await?;
    let begun = sessions::begin(services, signed_in, before, &visit.origin, visit.now).await?;
    let Some((session, cookie)) = begun else {
        return Ok(None);
    };
    let mut response = match &pending.purpose {
        Purpose::Authorize { .. } => {
            let proven = Pending {
                signed_in: Some(session.id),
                // They have served; no later sign-in may count them again.
                proofs: None,
                ..pending.clone()
            };
            visit.go_on("/authorize", &proven)?
        }
        Purpose::Page { path } => visit.go(path.as_str(), &[]),
    };
    let cookies = visit.site.cookies;
    let known_browser = services
        .browsers
        .remember(known_browser(visit), signed_in.user());
    for cookie in [
        cookies.set(Cookie::Session, cookie.expose(), None),
        cookies.set(Cookie::KnownBrowser, &known_browser, Some(KNOWN_FOR)),
    ] {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(Some(response))
}

/// To the page that asks for the next factor. What was proven so far travels along.
fn ask(
    visit: &Visit,
    pending: Pending,
    factor: Factor,
    proofs: Proofs,
) -> Result<Response, PageError> {
    let page = match factor {
        Factor::Password => "/login",
        #[cfg(test)]
        Factor::Code => "/login/code",
    };
    let so_far = Pending {
        proofs: Some(proofs),
        ..pending
    };
    visit.go_on(page, &so_far)
}

fn known_browser(visit: &Visit) -> Option<&str> {
    visit
        .site
        .cookies
        .read(&visit.headers, Cookie::KnownBrowser)
}

/// How long a browser is known after a sign-in; browsers keep no cookie longer than 400 days.
const KNOWN_FOR: Duration = Duration::from_hours(365 * 24);

/// Too many wrong passwords: this one was not looked at.
async fn wait(
    visit: &Visit,
    pending: &Pending,
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

const WRONG: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "Wrong username or password.");

fn unmet_shown(unmet: Unmet) -> (StatusCode, &'static str) {
    match unmet {
        // A disabled account looks like a wrong password, so a guesser learns nothing (the log says which).
        Unmet::Disabled => WRONG,
        Unmet::Acr => (
            StatusCode::FORBIDDEN,
            "This application asks for a stronger sign-in than this account can give.",
        ),
    }
}

/// The person turns away: the application is told.
fn cancel(visit: &Visit, pending: Pending) -> Result<Response, PageError> {
    match pending.purpose {
        Purpose::Authorize { .. } => visit.go_on(
            "/authorize",
            &Pending {
                denied: true,
                ..pending
            },
        ),
        Purpose::Page { .. } => Ok(visit.go("/login", &[])),
    }
}

/// The person goes on as who they are.
async fn go_on(visit: &Visit, pending: Pending) -> Result<Response, PageError> {
    let session = visit.session().await?;
    match &pending.purpose {
        Purpose::Authorize { .. } => visit.go_on(
            "/authorize",
            &Pending {
                selected: session
                    .filter(|session| was_shown(&pending, session))
                    .map(|session| session.id),
                ..pending
            },
        ),
        Purpose::Page { path } => Ok(visit.go(path.as_str(), &[])),
    }
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
        flow: visit.seal(&Pending {
            shown: Some(Shown {
                session: session.id,
                scope: Scope::default(),
            }),
            ..pending.clone()
        })?,
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
    pending: &Pending,
    form: Form,
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
        error: form.error.map(Cow::into_owned),
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

fn asked_prompt(pending: &Pending) -> Prompt {
    pending
        .parameter("prompt")
        .and_then(|prompt| Prompt::parse(prompt).ok())
        .unwrap_or_default()
}
