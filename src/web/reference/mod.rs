//! `/v1`: the reference of the administration API, read once from its OpenAPI document.

mod example;
mod kinds;
mod read;

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, LINK};
use axum::response::{Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;

use super::drawn;
use super::pages::{Reference, ReferenceGroupPage, ReferencePage};
use super::visit::Visit;
use crate::http::headers::Page;
use crate::http::page_error::PageError;
use crate::http::site::Site;

/// The pages, and the way to the first for an address that ends with a slash.
pub fn routes(document: &Value) -> Router<Site> {
    Router::new()
        .route("/v1", get(overview))
        .route("/v1/", get(async || Redirect::permanent("/v1")))
        .route("/v1/reference/{group}", get(group))
        .layer(Extension(Arc::new(read(document))))
}

/// What an OpenAPI document says.
pub(super) fn read(document: &Value) -> Reference {
    read::Document::new(document).reference()
}

async fn overview(
    visit: Visit,
    Extension(reference): Extension<Arc<Reference>>,
) -> Result<Response, PageError> {
    let asked = visit.query()?;
    let query = asked.find("q").unwrap_or_default().trim();
    let page = ReferencePage {
        layout: visit.layout("Administration API"),
        reference: &reference,
        query,
        found: reference.find(query),
    };
    Ok(shown(&visit, &page))
}

async fn group(
    visit: Visit,
    Path(name): Path<String>,
    Extension(reference): Extension<Arc<Reference>>,
) -> Result<Response, PageError> {
    let Some(group) = reference.groups.iter().find(|group| group.name == name) else {
        return Err(drawn::not_found().await);
    };
    let page = ReferenceGroupPage {
        layout: visit.layout(&format!("{} · Administration API", group.title())),
        reference: &reference,
        group,
    };
    Ok(shown(&visit, &page))
}

fn shown(visit: &Visit, page: &impl Template) -> Response {
    let mut response = visit.html(StatusCode::OK, &Page::OWN, page);
    // RFC 8631: programs find the description from here.
    let description = "</v1/openapi.json>; rel=\"service-desc\"; type=\"application/json\"";
    let headers = response.headers_mut();
    headers.insert(LINK, HeaderValue::from_static(description));
    response
}
