//! What people are told when something is wrong: a plain sentence and the request id.
//!
//! A handler of any surface may answer one. The page itself is drawn by `web`, which finds the error in the
//! response's extensions.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use crate::store::error::StoreError;

/// An error for a person.
#[derive(Clone, Debug)]
pub struct PageError {
    /// The status.
    pub status: StatusCode,
    /// A few words.
    pub heading: &'static str,
    /// A sentence.
    pub message: Cow<'static, str>,
    /// What to do.
    pub hint: Option<Cow<'static, str>>,
    /// The RFC's code, for developers.
    pub code: Option<&'static str>,
}

impl PageError {
    /// A request that an application got wrong; the message names the parameter.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            heading: "This request cannot be answered",
            message: message.into(),
            hint: Some("The application that sent you here has to change its request. Tell its developers the request id below.".into()),
            code: Some("invalid_request"),
        }
    }

    /// A form that did not come from one of our own pages, or whose page has been open for too long.
    #[must_use]
    pub fn foreign_form() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            heading: "This form cannot be accepted",
            message: "It was not sent from one of our own pages in this browser, or the browser did not send its cookies.".into(),
            hint: Some("Allow cookies for this site, go back to the application and start again.".into()),
            code: None,
        }
    }

    /// A sign-in that was begun elsewhere or too long ago.
    #[must_use]
    pub fn stale_flow(message: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            heading: "This sign-in cannot go on",
            message: message.into(),
            hint: Some("Go back to the application and start again.".into()),
            code: None,
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "answered 503");
            return Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                heading: "Not available right now",
                message: "Something that is needed for this does not answer.".into(),
                hint: Some("Try again in a moment.".into()),
                code: None,
            };
        }
        tracing::error!(%error, "answered 500");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            heading: "Something went wrong",
            message: "This is our fault, not yours.".into(),
            hint: Some(
                "Try again. If it happens again, tell the operator of this site the request id below."
                    .into(),
            ),
            code: None,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
