//! `/setup?token=…`: the first administrator.

use axum::http::StatusCode;
use axum::response::Response;

use super::pages::SetupPage;
use super::visit::Visit;
use crate::crypto::password::PasswordError;
use crate::crypto::secret::PlainToken;
use crate::http::bearer::note_refusal;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::http::rate_limit;
use crate::service::administration::AdministrationError;
use crate::service::administration::setup::{self, SetUp};
use crate::service::rate_limits::Guess;

/// `GET /setup`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let query = visit.query()?;
    let token = PlainToken::new(query.find("token").unwrap_or_default());
    if let Some(refusal) = refused(&visit, &token).await? {
        return Ok(refusal);
    }
    Ok(show(&visit, &token, "", None))
}

/// `POST /setup`.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let form = visit.form(body)?;
    let token = PlainToken::new(form.find("token").unwrap_or_default());
    if let Some(refusal) = refused(&visit, &token).await? {
        return Ok(refusal);
    }
    let username = form.find("username").unwrap_or_default();
    let password = form.find("password").unwrap_or_default();
    if form.find("password_again").unwrap_or_default() != password {
        return Ok(show(
            &visit,
            &token,
            username,
            Some((
                StatusCode::BAD_REQUEST,
                "The two passwords differ.".to_owned(),
            )),
        ));
    }
    match setup::create_administrator(
        services,
        &token,
        username,
        password.to_owned(),
        &visit.origin,
        visit.now,
    )
    .await
    {
        Ok(SetUp::Created) => {
            let page = SetupPage {
                layout: visit.layout("The administrator is ready"),
                token: String::new(),
                csrf: visit.csrf(),
                username: username.to_owned(),
                error: None,
                done: true,
            };
            Ok(visit.html(StatusCode::OK, &Page::OWN, &page))
        }
        Ok(SetUp::BadLink) => Err(bad_link()),
        Err(AdministrationError::Store(error)) => Err(error.into()),
        Err(AdministrationError::Password(PasswordError::Busy)) => Ok(show(
            &visit,
            &token,
            username,
            Some((
                StatusCode::SERVICE_UNAVAILABLE,
                "Many people are signing in right now. Try again in a few seconds.".to_owned(),
            )),
        )),
        Err(error) => Ok(show(
            &visit,
            &token,
            username,
            Some((StatusCode::BAD_REQUEST, sentence(&error))),
        )),
    }
}

/// The answer to a link that is not valid, or to an address that has tried too many.
async fn refused(visit: &Visit, token: &PlainToken) -> Result<Option<Response>, PageError> {
    let services = &visit.site.services;
    let guess = services
        .limits
        .guess(Guess::SetupLink, None, visit.ip(), None)
        .await;
    let note = |reason| note_refusal(&visit.site, &visit.origin, reason, visit.now);
    let attempt = match guess {
        Ok(attempt) => attempt,
        Err(limited) => {
            note("too many set-up links were tried");
            return Ok(Some(rate_limit::page(&limited)));
        }
    };
    if !setup::is_valid(services, token, visit.now).await? {
        note("the set-up link is not valid");
        return Err(bad_link());
    }
    attempt.succeeded().await;
    Ok(None)
}

/// The error as a sentence of its own.
fn sentence(error: &AdministrationError) -> String {
    let text = match error {
        AdministrationError::Invalid(mistakes) => {
            let first = mistakes.first().map(|mistake| mistake.problem.clone());
            first.unwrap_or_default()
        }
        AdministrationError::Exists { name, .. } => format!("the user name {name:?} is taken"),
        other => other.to_string(),
    };
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn show(
    visit: &Visit,
    token: &PlainToken,
    username: &str,
    error: Option<(StatusCode, String)>,
) -> Response {
    let (status, error) = match error {
        Some((status, error)) => (status, Some(error)),
        None => (StatusCode::OK, None),
    };
    let page = SetupPage {
        layout: visit.layout("Set up"),
        token: token.expose().to_owned(),
        csrf: visit.csrf(),
        username: username.to_owned(),
        error,
        done: false,
    };
    visit.html(status, &Page::OWN, &page)
}

fn bad_link() -> PageError {
    PageError {
        status: StatusCode::NOT_FOUND,
        heading: "This set-up link does not work",
        message: "It was used before, has expired, or is incomplete.".into(),
        hint: Some("Run “signet admin recover” where Signet runs; it prints a new link.".into()),
        code: None,
    }
}
