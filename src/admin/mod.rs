//! The administration API `/v1`: everything an administrator does, as JSON.
//!
//! Every operation is one entry of [`operations`]: the types of its handler say what it takes and gives, and the same
//! entry makes the route and its part of the OpenAPI document. An operation that writes is one transaction
//! ([`crate::service::administration::Act`]) with its answer written beside it.

mod api;
mod assignments;
mod attributes;
mod audit_events;
mod call;
mod clients;
mod conditions;
mod configuration;
mod crud;
mod grants;
mod groups;
mod inputs;
mod levels;
mod objects;
mod openapi;
mod operations;
mod organizations;
mod page;
mod policies;
mod problem;
mod resources;
mod revocation;
mod roles;
mod signing_keys;

mod users;
mod webhooks;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use serde_json::Value;

use crate::http::cors;
use crate::http::request_id::RequestId;
use crate::http::site::Site;
use problem::Problem;

/// The routes of the API, and its OpenAPI document at `/v1/openapi.json`.
pub fn routes(site: &Site) -> (Router<Site>, Value) {
    let api = operations::all();
    let issuer = &site.services.config.issuer;
    let document = openapi::document(issuer.as_str(), api.operations());
    let text = document.to_string();
    let described = Router::new()
        .route("/v1/openapi.json", get(async move || openapi_json(text)))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors::public());
    let router = api
        .into_router()
        .route("/v1/{*path}", any(unknown))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(described);
    (router, document)
}

fn openapi_json(text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, text).into_response()
}

/// Where something of that name is.
fn location(collection: &str, name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("/v1/{collection}/{}", name.replace('+', "%20"))
}

async fn unknown(id: RequestId) -> Response {
    let detail = "there is no such path here";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
        .hint("/v1/openapi.json lists every operation")
        .answer(id.as_str())
}

async fn method_not_allowed(id: RequestId) -> Response {
    let detail = "this path does not take that HTTP method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .hint("the header Allow lists those that it takes")
        .answer(id.as_str())
}
