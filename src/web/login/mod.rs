//! `/login`: who are you? Each factor has a page of its own in a file beside this one, which asks for it and has it
//! checked; what follows is the same for all.

mod password;
mod select_account;

use std::borrow::Cow;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::visit::Visit;
use crate::domain::pending::{OwnPath, Pending, Purpose};
use crate::domain::sign_in::{Factor, Next, SignedIn, Unmet, Wanted};
use crate::http::cookies::Cookie;
use crate::http::page_error::PageError;
use crate::http::rate_limit::Limited;
use crate::http::site::Site;
use crate::service::sign_in::sessions;
use crate::service::sign_in::step::{SignIn, SignInFrom, StepError};
use crate::spec::params::Params;
#[cfg(test)]
pub(in crate::web) use {password::LoginPage, select_account::SelectAccountPage};

/// The page that asks for a factor: its path, and what answers there.
fn page(factor: Factor) -> (&'static str, MethodRouter<Site>) {
    match factor {
        Factor::Password => ("/login", get(password::get).post(password::post)),
        #[cfg(test)]
        Factor::Code => ("/login/code", MethodRouter::new()),
    }
}

/// The page of every factor.
pub fn routes() -> Router<Site> {
    let pages = Factor::ALL.iter().map(|factor| page(*factor));
    pages.fold(Router::new(), |routes, (path, page)| {
        routes.route(path, page)
    })
}

/// The sign-in that travels through a page; one that begins here leads to `/account`.
fn pending(visit: &Visit, params: &Params) -> Result<Pending, PageError> {
    let travelling = visit.pending(params)?;
    Ok(travelling.unwrap_or_else(|| visit.begin_sign_in(OwnPath::account())))
}

/// The sign-in that a posted proof is a step of.
fn sign_in<'a>(visit: &'a Visit, pending: &Pending, wanted: &'a Wanted) -> SignIn<'a> {
    SignIn {
        wanted,
        proofs: pending.proofs.clone(),
        from: SignInFrom {
            ip: visit.ip(),
            browser: known_browser(visit),
        },
    }
}

/// Why a step leads nowhere, for the page that asks for its factor.
struct Refusal {
    status: StatusCode,
    /// What the page says of it.
    error: Cow<'static, str>,
    limited: Option<Limited>,
}

impl Refusal {
    fn new(status: StatusCode, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            error: error.into(),
            limited: None,
        }
    }

    /// Adds to the page's headers how long to wait.
    fn write(&self, response: &mut Response) {
        if let Some(limited) = &self.limited {
            limited.write(response.headers_mut());
        }
    }
}

/// Goes where a step leads: to the page of the next factor, or with a session to where the sign-in leads. Only when the
/// proofs suffice is anything written. Else says why the page is shown again; `wrong` is what it says of a wrong proof.
async fn follow(
    visit: &Visit,
    pending: &Pending,
    step: Result<Next, StepError>,
    wrong: &'static str,
) -> Result<Result<Response, Refusal>, PageError> {
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, wrong);
    Ok(match step {
        // `None`: disabled or signed out everywhere a moment ago.
        Ok(Next::Done(signed_in)) => begin_session(visit, pending, &signed_in)
            .await?
            .ok_or_else(wrong),
        // What was proven so far travels along.
        Ok(Next::Ask { factor, proofs }) => {
            let so_far = Pending {
                proofs: Some(proofs),
                ..pending.clone()
            };
            let (path, _) = page(factor);
            Ok(visit.go_on(path, &so_far)?)
        }
        // A disabled account looks like a wrong proof, so a guesser learns nothing (the log says which).
        Ok(Next::Refuse(Unmet::Disabled)) | Err(StepError::Wrong) => Err(wrong()),
        Ok(Next::Refuse(Unmet::Acr)) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "This application asks for a stronger sign-in than this account can give.",
        )),
        // This one was not looked at.
        Err(StepError::Wait(limited)) => {
            let wait = limited.in_words();
            let error =
                format!("There were too many attempts to sign in. Wait {wait}, then try again.");
            Err(Refusal {
                limited: Some(limited),
                ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, error)
            })
        }
        Err(StepError::Busy) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Many people are signing in right now. Try again in a few seconds.",
        )),
        Err(StepError::Store(error)) => return Err(error.into()),
    })
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

fn known_browser(visit: &Visit) -> Option<&str> {
    visit
        .site
        .cookies
        .read(&visit.headers, Cookie::KnownBrowser)
}

/// How long a browser is known after a sign-in; browsers keep no cookie longer than 400 days.
const KNOWN_FOR: Duration = Duration::from_hours(365 * 24);

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
