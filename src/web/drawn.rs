//! Draws what handlers of other surfaces answer for people: errors and form posts. They leave it in the
//! response's extensions, because only this room has pages.

use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, SET_COOKIE};
use axum::middleware::Next;
use axum::response::Response;

use super::pages::{ErrorPage, FormPostPage, Layout};
use super::visit::Visit;
use crate::http::form_post::FormPost;
use crate::http::headers::Page;
use crate::http::page_error::PageError;
use crate::http::request_id::RequestId;
use crate::http::site::Site;

/// The layer.
pub async fn draw(State(site): State<Site>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (Ok(visit), Ok(request_id)) = (
        Visit::from_request_parts(&mut parts, &site).await,
        RequestId::from_request_parts(&mut parts, &site).await,
    );
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let mut drawn = if let Some(error) = response.extensions_mut().remove::<PageError>() {
        error_page(&visit, &request_id, error)
    } else if let Some(form) = response.extensions_mut().remove::<FormPost>() {
        form_post_page(&visit, form)
    } else {
        return response;
    };
    // What the handler said beside the page, such as cookies, stays.
    for name in response.headers().keys() {
        if *name == SET_COOKIE || !(*name == CONTENT_LENGTH || drawn.headers().contains_key(name)) {
            drawn.headers_mut().remove(name);
            for value in response.headers().get_all(name) {
                drawn.headers_mut().append(name.clone(), value.clone());
            }
        }
    }
    drawn
}

/// The page for an address that does not exist.
pub async fn not_found() -> PageError {
    PageError {
        status: StatusCode::NOT_FOUND,
        heading: "There is nothing here",
        message: "This address leads nowhere.".into(),
        hint: Some("Go back to the application and start again.".into()),
        code: None,
    }
}

fn error_page(visit: &Visit, request_id: &RequestId, error: PageError) -> Response {
    tracing::info!(
        status = error.status.as_u16(),
        "showed an error page: {}",
        error.message
    );
    let page = ErrorPage {
        layout: Layout {
            request_id: None,
            ..visit.layout(error.heading)
        },
        status: error.status.as_u16(),
        heading: error.heading.to_owned(),
        message: error.message.into_owned(),
        hint: error.hint.map(std::borrow::Cow::into_owned),
        request_id: request_id.to_string(),
        code: error.code.map(str::to_owned),
    };
    visit.html(error.status, &Page::FLOW, &page)
}

fn form_post_page(visit: &Visit, form: FormPost) -> Response {
    let page = FormPostPage {
        layout: visit.layout("Back to the application"),
        action: form.redirect.as_str().to_owned(),
        fields: form.fields,
        client_name: None,
    };
    visit.html(StatusCode::OK, &Page::FLOW, &page)
}
