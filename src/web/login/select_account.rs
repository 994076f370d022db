//! The choice of an account: `prompt=select_account`
//! ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::pending::{Pending, Purpose, Shown};
use crate::domain::session::Session;
use crate::http::headers::Page;
use crate::http::page_error::PageError;
use crate::spec::params::Params;
use crate::spec::prompt::Prompt;
use crate::spec::scope::Scope;
use crate::web::pages::Layout;
use crate::web::visit::{Visit, logo_source};

/// `/login` for someone who is signed in when the request says `prompt=select_account`.
#[derive(Template)]
#[template(path = "select_account.html")]
pub struct SelectAccountPage {
    /// What all pages share.
    pub layout: Layout,
    /// The sealed pending authorization request.
    pub flow: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application that asks.
    pub client_name: Option<String>,
    /// The application's `logo_uri`.
    pub client_logo: Option<String>,
    /// Who is signed in.
    pub account: String,
}

/// Whether the request asks the person to choose, and they have not chosen another account yet.
pub(super) fn is_asked_for(pending: &Pending, query: &Params) -> bool {
    let asked = pending
        .parameter("prompt")
        .and_then(|prompt| Prompt::parse(prompt).ok())
        .unwrap_or_default();
    asked.select_account && !asked.login && !is_another(query)
}

/// Whether the person wants to sign in to another account than the one they are signed in to.
pub(super) fn is_another(query: &Params) -> bool {
    query.find("account") == Some("other")
}

pub(super) async fn show(
    visit: &Visit,
    pending: &Pending,
    session: &Session,
) -> Result<Response, PageError> {
    let client = visit.client_of(pending).await?;
    let page = SelectAccountPage {
        layout: visit.layout("Choose an account"),
        flow: visit.seal(&Pending {
            shown: Some(Shown {
                resources: Vec::new(),
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

/// The person goes on as who they are.
pub(super) async fn go_on(visit: &Visit, pending: Pending) -> Result<Response, PageError> {
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

/// The person wants another account.
pub(super) fn other(visit: &Visit, form: &Params) -> Response {
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
