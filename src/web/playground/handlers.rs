//! What the browser asks of the playground.

use std::sync::Arc;

use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use super::diary::{Diary, shorten};
use super::errand::{Errand, SignIn, SignOut};
use super::relying_party::RelyingParty;
use super::shown::decoded;
use super::{Playground, check};
use crate::http::cookies::Cookie;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::web::pages::{PlaygroundPage, Step};
use crate::web::visit::Visit;

/// `GET /playground`: the introduction, or what happened when the browser is back from signing out.
pub(super) async fn get(
    visit: Visit,
    Extension(playground): Extension<Arc<Playground>>,
) -> Result<Response, PageError> {
    let query = visit.query()?;
    match playground.errand(&visit) {
        Some(Errand::SignOut(sign_out)) if query.contains("state") => {
            let steps = playground
                .relying_party(&visit)
                .finish_sign_out(&sign_out, &query);
            let believed = steps.iter().all(|step| check::all_passed(&step.checks));
            let shown = Shown {
                steps,
                error: (!believed).then(|| {
                    "This is not the answer to the sign-out that this browser began.".to_owned()
                }),
                ..Shown::default()
            };
            Ok(forget(&visit, playground.show(&visit, shown)))
        }
        Some(Errand::SignOut(_) | Errand::SignIn(_)) | None => {
            Ok(playground.show(&visit, Shown::default()))
        }
    }
}

/// `GET /playground/callback`: the `redirect_uri`.
pub(super) async fn callback(
    visit: Visit,
    Extension(playground): Extension<Arc<Playground>>,
) -> Result<Response, PageError> {
    let query = visit.query()?;
    let sign_in = match playground.errand(&visit) {
        Some(Errand::SignIn(sign_in)) => Some(sign_in),
        Some(Errand::SignOut(_)) | None => None,
    };
    let mut steps = Vec::new();
    let finished = playground
        .relying_party(&visit)
        .finish_sign_in(sign_in.as_ref(), &query, &mut steps)
        .await;
    let shown = match finished {
        Ok(tokens) => Shown {
            diary: Some(Diary { tokens, steps }),
            ..Shown::default()
        },
        Err(sentence) => Shown {
            steps,
            error: Some(sentence),
            ..Shown::default()
        },
    };
    // An answer counts once: a reloaded page must not bring the code again, which would end the grant. An answer to
    // something else leaves the waiting request alone.
    let response = playground.show(&visit, shown);
    Ok(match sign_in {
        Some(sign_in) if query.find("state") == Some(&sign_in.state) => forget(&visit, response),
        Some(_) | None => response,
    })
}

/// `POST /playground`: a button.
pub(super) async fn post(
    visit: Visit,
    Extension(playground): Extension<Arc<Playground>>,
    body: Result<FormBody, BodyError>,
) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let action = form.find("action").unwrap_or_default();
    match action {
        "start" => return Ok(playground.sign_in(&visit)),
        "restart" => return Ok(visit.go("/playground", &[])),
        _ => {}
    }
    let sealed = form.find("state").unwrap_or_default();
    let Some(mut diary) = Diary::open(&playground.sealer, visit.browser.cookie(), sealed) else {
        let shown = Shown {
            error: Some(
                "That page is from before the last restart, or from another browser. Begin again."
                    .to_owned(),
            ),
            ..Shown::default()
        };
        return Ok(playground.show(&visit, shown));
    };
    let relying_party = playground.relying_party(&visit);
    let acted = match action {
        "refresh" => relying_party.refresh(&mut diary).await,
        "userinfo" => relying_party.user_info(&mut diary).await,
        "introspect" => relying_party.introspect(&mut diary).await,
        "revoke" => relying_party.revoke(&mut diary).await,
        "logout" => return Ok(playground.sign_out(&visit, &diary)),
        _ => Err("There is no such button.".to_owned()),
    };
    let shown = Shown {
        diary: Some(diary),
        error: acted.err(),
        ..Shown::default()
    };
    Ok(playground.show(&visit, shown))
}

/// What a page shows: a diary that goes on, or steps that ended.
#[derive(Default)]
struct Shown {
    diary: Option<Diary>,
    steps: Vec<Step>,
    error: Option<String>,
}

impl Playground {
    fn relying_party<'a>(&'a self, visit: &'a Visit) -> RelyingParty<'a> {
        RelyingParty {
            options: &self.options,
            services: &visit.site.services,
            now: visit.now,
        }
    }

    fn errand(&self, visit: &Visit) -> Option<Errand> {
        let sealed = visit
            .site
            .cookies
            .read(&visit.headers, Cookie::Playground)?;
        Errand::open(&self.sealer, visit.browser.cookie(), sealed, visit.now)
    }

    fn sign_in(&self, visit: &Visit) -> Response {
        let sign_in = SignIn::begin();
        let issuer = &visit.site.services.config.issuer;
        let url = sign_in.authorize_url(issuer, &self.options.client_id);
        self.send_away(visit, Errand::SignIn(sign_in), &url)
    }

    fn sign_out(&self, visit: &Visit, diary: &Diary) -> Response {
        let issuer = &visit.site.services.config.issuer;
        let sign_out = SignOut::begin(issuer, &self.options.client_id, &diary.tokens.id_token);
        let url = sign_out.url.clone();
        self.send_away(visit, Errand::SignOut(sign_out), &url)
    }

    fn send_away(&self, visit: &Visit, errand: Errand, url: &str) -> Response {
        let lifetime = visit.site.services.config.login_lifetime;
        let ends_at = visit.now.plus(lifetime);
        let sealed = errand.seal(&self.sealer, visit.browser.cookie(), ends_at);
        let cookie = visit
            .site
            .cookies
            .set(Cookie::Playground, &sealed, Some(lifetime));
        let mut response = visit.leave(url);
        response.headers_mut().append(SET_COOKIE, cookie);
        response
    }

    fn show(&self, visit: &Visit, shown: Shown) -> Response {
        let config = &visit.site.services.config;
        let Shown {
            diary,
            mut steps,
            error,
        } = shown;
        // Sealed text is a third longer, and all of it comes back in one body.
        let limit = MAX_HISTORY.min(config.request_body_limit / 2);
        let state = diary.map(|mut diary| {
            shorten(&mut diary.steps, limit);
            let state = diary.seal(&self.sealer, visit.browser.cookie());
            steps = diary.steps;
            state
        });
        for step in &mut steps {
            step.decoded = decoded(step, visit.now);
        }
        let page = PlaygroundPage {
            layout: visit.layout("Playground"),
            csrf: visit.csrf(),
            issuer: config.issuer.as_str().to_owned(),
            client_id: self.options.client_id.clone(),
            demo_username: self.options.demo_username.clone(),
            demo_password: self.options.demo_password.clone(),
            state,
            error,
            steps,
        };
        visit.html(StatusCode::OK, &Page::FLOW, &page)
    }
}

/// The errand is done.
fn forget(visit: &Visit, mut response: Response) -> Response {
    let cleared = visit.site.cookies.clear(Cookie::Playground);
    response.headers_mut().append(SET_COOKIE, cleared);
    response
}

/// How large the history may become, in bytes.
const MAX_HISTORY: usize = 24 * 1024;
