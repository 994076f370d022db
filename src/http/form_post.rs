//! An authorization response that travels as a form (OAuth 2.0 Form Post Response Mode). The page is drawn by
//! `web`, which finds it in the response's extensions.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::redirect::TrustedRedirect;

/// The form.
#[derive(Clone, Debug)]
pub struct FormPost {
    /// Where it goes.
    pub redirect: TrustedRedirect,
    /// What it carries.
    pub fields: Vec<(String, String)>,
}

impl IntoResponse for FormPost {
    fn into_response(self) -> Response {
        let mut response = StatusCode::OK.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
