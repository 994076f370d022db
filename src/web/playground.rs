//! `/playground`: a small relying party that runs in the browser and shows what it does (`serve --dev` only).
//!
//! The server adds one page and its files. The flow is `templates/playground/flow.js`, which knows nothing but what a
//! client knows and speaks to the provider as every application does.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::pages::Layout;
use super::visit::Visit;
use crate::http::headers::Page;
use crate::http::page_error::PageError;
use crate::http::site::Site;
use crate::service::administration::demo::DemoCredentials;

/// The routes.
pub fn routes(demo: DemoCredentials) -> Router<Site> {
    Router::new()
        .route("/playground", get(page))
        .route("/playground/callback", get(page))
        .route("/playground/{file}", get(file))
        .layer(Extension(Arc::new(demo)))
}

/// The page; the script shows what belongs to the address.
#[derive(Template)]
#[template(path = "playground/page.html")]
pub(super) struct PlaygroundPage<'a> {
    /// What all pages share.
    pub(super) layout: Layout,
    /// The provider's issuer URL.
    pub(super) issuer: &'a str,
    /// The demo account and the demo clients.
    pub(super) demo: &'a DemoCredentials,
}

async fn page(visit: Visit, Extension(demo): Extension<Arc<DemoCredentials>>) -> Response {
    let page = PlaygroundPage {
        layout: visit.layout("Playground"),
        issuer: visit.site.services.config.issuer.as_str(),
        demo: &demo,
    };
    visit.html(StatusCode::OK, &Page::OWN, &page)
}

async fn file(Path(name): Path<String>) -> Result<Response, PageError> {
    let Some((_, kind, text)) = FILES.into_iter().find(|(known, _, _)| *known == name) else {
        return Err(super::drawn::not_found().await);
    };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")];
    Ok((headers, text).into_response())
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the page: name, media type, text.
const FILES: [(&str, &str, &str); 4] = [
    (
        "checks.js",
        SCRIPT,
        include_str!("../../templates/playground/checks.js"),
    ),
    (
        "flow.js",
        SCRIPT,
        include_str!("../../templates/playground/flow.js"),
    ),
    (
        "show.js",
        SCRIPT,
        include_str!("../../templates/playground/show.js"),
    ),
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("../../templates/playground/style.css"),
    ),
];
