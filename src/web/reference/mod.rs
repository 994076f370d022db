//! `/v1`: the reference of the administration API, drawn once from its OpenAPI document.

mod example;
mod kinds;
mod read;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, LINK};
use axum::response::{Redirect, Response};
use axum::routing::get;
use serde_json::Value;

use super::pages::{Layout, ReferencePage, render};
use super::visit::Visit;
use crate::http::headers::Page;
use crate::http::site::Site;

/// The page, and the way to it for whoever ends the address with a slash.
pub fn routes(site: &Site, document: &Value) -> Router<Site> {
    let layout = Layout::new(
        site.services.config.brand_name.clone(),
        "Administration API",
    );
    // Rendering fails only if memory cannot be had.
    let text = render(&page(layout, document)).unwrap_or_default();
    let drawn = Drawn { text: text.into() };
    let handler = move |visit: Visit| {
        let drawn = drawn.clone();
        async move { shown(&visit, &drawn) }
    };
    Router::new()
        .route("/v1", get(handler))
        .route("/v1/", get(async || Redirect::permanent("/v1")))
}

/// The page of an OpenAPI document.
pub(super) fn page(layout: Layout, document: &Value) -> ReferencePage {
    read::Document::new(document).page(layout)
}

fn shown(visit: &Visit, drawn: &Drawn) -> Response {
    let mut response = visit.html(StatusCode::OK, &Page::OWN, drawn);
    // RFC 8631: programs find the description from here.
    let description = "</v1/openapi.json>; rel=\"service-desc\"; type=\"application/json\"";
    let headers = response.headers_mut();
    headers.insert(LINK, HeaderValue::from_static(description));
    response
}

/// The text of the page, escaped when it was rendered.
#[derive(Clone, Template)]
#[template(source = "{{ text|safe }}", ext = "html")]
struct Drawn {
    text: Arc<str>,
}
