//! `/account`: who is signed in, and which applications have access.

use axum::http::StatusCode;
use axum::response::Response;

use super::pages::{AccountPage, AppLine, ScopeLine};
use super::visit::Visit;
use crate::domain::ids::ClientId;
use crate::domain::pending::OwnPath;
use crate::domain::session::Session;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::service::tokens::revoke;

/// `GET /account`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    match visit.session().await? {
        Some(session) => show(&visit, &session).await,
        None => visit.sign_in_for(OwnPath::account()),
    }
}

/// `POST /account`: takes an application's access away.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let Some(session) = visit.session().await? else {
        return visit.sign_in_for(OwnPath::account());
    };
    match (
        form.find("action"),
        form.find("client_id").and_then(ClientId::parse),
    ) {
        (Some("remove"), Some(client)) => {
            revoke::consent(
                &visit.site.services,
                session.user_id,
                &client,
                &visit.by(&session),
                visit.now,
            )
            .await?;
            tracing::info!(user.id = %session.user_id, client.id = %client, "user {} took the access of client {client} away", session.user_id);
            Ok(visit.go("/account", &[]))
        }
        (_, _) => Err(PageError::bad_request(
            "action must be remove, with the client_id of an application.",
        )),
    }
}

async fn show(visit: &Visit, session: &Session) -> Result<Response, PageError> {
    let services = &visit.site.services;
    let Some(user) = services.store.find_user(session.user_id).await? else {
        return visit.sign_in_for(OwnPath::account());
    };
    let mut apps = Vec::new();
    for consent in services.store.list_consents(user.id).await? {
        let known = match ClientId::parse(&consent.client_id) {
            Some(id) => services.clients.find(&id).await?,
            None => None,
        };
        let words: Vec<String> = consent
            .scope
            .iter()
            .map(|scope| ScopeLine::of(scope).text)
            .collect();
        apps.push(AppLine {
            name: known.map_or_else(
                || consent.client_id.clone(),
                |client| client.shown_name().to_owned(),
            ),
            client_id: consent.client_id,
            scopes_text: words.join(" · "),
            since: day(consent.granted_at.rfc3339()),
            csrf: visit.csrf(),
        });
    }
    let page = AccountPage {
        layout: visit.layout("Your account"),
        csrf: visit.csrf(),
        username: user.username.clone(),
        name: user.claims.name.clone(),
        email: user.email.clone(),
        signed_in_at: session
            .auth_time
            .rfc3339()
            .replace('T', " ")
            .replace('Z', " UTC"),
        apps,
    };
    Ok(visit.html(StatusCode::OK, &Page::OWN, &page))
}

fn day(rfc3339: String) -> String {
    rfc3339
        .split('T')
        .next()
        .map(str::to_owned)
        .unwrap_or(rfc3339)
}
