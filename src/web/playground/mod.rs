//! `/playground`: a tiny relying party that shows what it does (`serve --dev` only).
//!
//! It speaks to the provider as every application does: through the browser and over HTTP, with nothing but what a
//! client knows. Nothing is kept here: what the browser is sent away for travels in a sealed cookie (`errand`),
//! tokens and history in a sealed form field (`diary`).

mod call;
mod check;
mod diary;
mod errand;
mod handlers;
mod relying_party;
mod shown;

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};

use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::Sealer;
use crate::crypto::secret::PlainToken;
use crate::http::site::Site;

/// Who the playground is, and who tries it.
#[derive(Clone, Debug)]
pub struct PlaygroundOptions {
    /// The public client as which people are signed in.
    pub client_id: String,
    /// The resource server that introspects.
    pub api_client_id: String,
    /// Its secret.
    pub api_secret: PlainToken,
    /// The name of the demo account; shown to everybody.
    pub demo_username: String,
    /// The password of the demo account; shown to everybody.
    pub demo_password: String,
}

/// The routes.
pub fn routes(options: PlaygroundOptions) -> Router<Site> {
    Router::new()
        .route("/playground", get(handlers::get).post(handlers::post))
        .route(CALLBACK, get(handlers::callback))
        .layer(Extension(Arc::new(Playground::new(options))))
}

const CALLBACK: &str = "/playground/callback";

/// The running playground.
pub(super) struct Playground {
    options: PlaygroundOptions,
    sealer: Sealer,
}

impl Playground {
    /// What it seals opens until the next start. It would be of no use for longer, as the resource server's secret
    /// changes with every start too.
    fn new(options: PlaygroundOptions) -> Self {
        Self {
            options,
            sealer: Sealer::new(&MasterKey::generate(), "playground"),
        }
    }
}
