//! Every route there is.

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::admin;
use crate::http::cors;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::protocol::{authorize, authzen, discovery, introspect, jwks, revoke, token, userinfo};
use crate::service::administration::demo::DemoCredentials;
use crate::web::{
    account, consent, drawn, login, logout, manual, playground, reference, setup, static_files,
};

/// What is served beside the contract.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The demo for which the playground is served (`serve --dev` only).
    pub demo: Option<DemoCredentials>,
    /// The manual (`serve --dev` only; the management listener always serves it).
    pub manual: bool,
}

/// The public routes.
pub fn routes(site: Site, options: Options) -> Router {
    // What every program may read, also in a browser.
    let documents = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::metadata),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(discovery::metadata),
        )
        .route("/jwks", get(jwks::jwks))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/.well-known/authzen-configuration", get(authzen::metadata))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors::public());
    // What an application in a browser asks for itself.
    let shared = Router::new()
        .route("/token", post(token::post))
        .route("/revoke", post(revoke::post))
        .route(
            "/userinfo",
            get(userinfo::userinfo).post(userinfo::userinfo),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors::of_clients(&site));
    let protocol = Router::new()
        .route("/introspect", post(introspect::post))
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations))
        .route("/access/v1/search/subject", post(authzen::search_subject))
        .route("/access/v1/search/resource", post(authzen::search_resource))
        .route("/access/v1/search/action", post(authzen::search_action))
        .method_not_allowed_fallback(method_not_allowed);
    let playground = options.demo.map_or_else(Router::new, playground::routes);
    let manual = if options.manual {
        manual::routes(&site.services.config)
    } else {
        Router::new()
    };
    let (api, description) = admin::routes(&site);
    let pages = Router::new()
        .route("/authorize", get(authorize::get).post(authorize::post))
        .merge(login::routes())
        .route("/consent", get(consent::get).post(consent::post))
        .route(
            "/logout",
            get(logout::get).head(logout::head).post(logout::post),
        )
        .route("/account", get(account::get).post(account::post))
        .route("/setup", get(setup::get).post(setup::post))
        .route("/", get(home))
        .merge(playground)
        .merge(manual)
        .merge(reference::routes(&description))
        .fallback(drawn::not_found)
        .layer(from_fn_with_state(site.clone(), drawn::draw));
    Router::new()
        .merge(api)
        .merge(documents)
        .merge(shared)
        .merge(protocol)
        .merge(pages)
        .route("/assets/{file}", get(static_files::asset))
        .with_state(site)
}

/// The front door leads to one's own account.
async fn home() -> Response {
    (
        StatusCode::SEE_OTHER,
        [(axum::http::header::LOCATION, "/account")],
    )
        .into_response()
}

/// An endpoint asked in the wrong way: tokens and secrets have no place in a URL (RFC 6749 §3.2).
async fn method_not_allowed() -> Response {
    let mut response =
        OAuthError::invalid_request("this endpoint does not take that HTTP method").into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
