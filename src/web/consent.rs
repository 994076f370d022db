//! `/consent`: may this application have that?

use axum::http::StatusCode;
use axum::response::Response;

use super::pages::{ConsentPage, ResourceLine, ScopeLine};
use super::visit::{Visit, logo_source};
use crate::domain::authorization::AuthorizationRequest;
use crate::domain::pending::{Pending, Shown};
use crate::domain::resource::Resource;
use crate::domain::session::Session;
use crate::http::headers::Page;
use crate::http::limits::{BodyError, FormBody};
use crate::http::page_error::PageError;
use crate::service::authorization::consent;
use crate::service::authorization::{self, Resolved};
use crate::service::decisions::access::{self, Circumstances};
use crate::spec::params::Params;
use crate::spec::scope::Scope;

/// `GET /consent`.
pub async fn get(visit: Visit) -> Result<Response, PageError> {
    let query = visit.query()?;
    let (pending, session, resolved) = match asked(&visit, &query).await? {
        ConsentRequest::Ready(ready) => *ready,
        ConsentRequest::Elsewhere(response) => return Ok(response),
    };
    let Resolved { client, request } = &resolved;
    let pending = Pending {
        shown: Some(shown(&session, &resolved)),
        ..pending
    };
    let page = ConsentPage {
        layout: visit.layout("Allow access"),
        flow: visit.seal(&pending)?,
        csrf: visit.csrf(),
        client_name: client.shown_name().to_owned(),
        client_logo: client.metadata.logo_uri.clone(),
        client_uri: client.metadata.client_uri.clone(),
        policy_uri: client.metadata.policy_uri.clone(),
        tos_uri: client.metadata.tos_uri.clone(),
        account: session.username.clone(),
        scopes: lines(&request.asked()),
        resources: named(request).map(ResourceLine::of).collect(),
        redirect_host: request.target.redirect.shown_host(),
    };
    let logo = logo_source(Some(client));
    let kind = Page {
        image_source: logo.as_deref(),
        ..Page::FLOW
    };
    Ok(visit.html(StatusCode::OK, &kind, &page))
}

/// `POST /consent`.
pub async fn post(visit: Visit, body: Result<FormBody, BodyError>) -> Result<Response, PageError> {
    let form = visit.form(body)?;
    let (pending, session, resolved) = match asked(&visit, &form).await? {
        ConsentRequest::Ready(ready) => *ready,
        ConsentRequest::Elsewhere(response) => return Ok(response),
    };
    let services = &visit.site.services;
    if pending.shown != Some(shown(&session, &resolved)) {
        // Another user signed in meanwhile, or the client's registration changed: the question is asked again.
        return visit.go_on(
            "/authorize",
            &Pending {
                shown: None,
                ..pending
            },
        );
    }
    let answered = match form.find("action") {
        Some("allow") => {
            consent::remember(
                services,
                session.user_id,
                &resolved.client,
                &resolved.request,
                &visit.by(&session),
                visit.now,
            )
            .await?;
            Pending {
                consented: Some(session.id),
                ..pending
            }
        }
        Some("deny") => {
            consent::note_denial(
                services,
                session.user_id,
                &resolved.client,
                &resolved.request,
                &visit.by(&session),
                visit.now,
            );
            Pending {
                denied: true,
                ..pending
            }
        }
        Some(_) | None => return Err(PageError::bad_request("action must be allow or deny.")),
    };
    visit.go_on("/authorize", &answered)
}

enum ConsentRequest {
    Ready(Box<(Pending, Session, Resolved)>),
    Elsewhere(Response),
}

/// The request and the person who is asked. Without one, `/authorize` decides where to go.
async fn asked(visit: &Visit, params: &Params) -> Result<ConsentRequest, PageError> {
    let services = &visit.site.services;
    let pending = visit
        .pending(params)?
        .ok_or_else(|| PageError::stale_flow("The address is incomplete."))?;
    let session = visit.session().await?;
    if let (Ok(mut resolved), Some(session)) =
        (authorization::resolve(services, &pending).await, session)
    {
        let circumstances = Circumstances::of_session(&session, &visit.origin, visit.now);
        if access::may_sign_in_to(services, &resolved.client, &circumstances).await?
            && resolved.cut_to(services, &circumstances).await?
        {
            return Ok(ConsentRequest::Ready(Box::new((
                pending, session, resolved,
            ))));
        }
    }
    Ok(ConsentRequest::Elsewhere(
        visit.go_on("/authorize", &pending)?,
    ))
}

/// Who you are comes first, then what else is asked for.
fn lines(scope: &Scope) -> Vec<ScopeLine> {
    let mut tokens: Vec<&str> = scope.iter().collect();
    tokens.sort_by_key(|token| *token != Scope::OPENID);
    tokens.into_iter().map(ScopeLine::of).collect()
}

/// The resource servers for which the tokens will be.
fn named(request: &AuthorizationRequest) -> impl Iterator<Item = &Resource> {
    request.audience.servers().iter()
}

fn shown(session: &Session, resolved: &Resolved) -> Shown {
    Shown {
        session: session.id,
        scope: resolved.request.asked(),
        resources: named(&resolved.request)
            .map(|it| it.identifier.clone())
            .collect(),
    }
}
