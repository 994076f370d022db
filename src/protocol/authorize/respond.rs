//! Authorization responses: success and error, in the query, the fragment or as a form, always with `iss` (RFC 9207).

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

use crate::crypto::secret::PlainToken;
use crate::domain::authorization::{ResponseTarget, Unmet};
use crate::domain::pending::Pending;
use crate::http::error::plain;
use crate::http::form_post::FormPost;
use crate::http::page_error::PageError;
use crate::http::site::Site;
use crate::service::authorization::Resolved;
use crate::spec::error_code::ErrorCode;
use crate::spec::params::encode;
use crate::spec::response_mode::ResponseMode;

/// The code (RFC 6749 §4.1.2).
pub(super) fn code(site: &Site, target: &ResponseTarget, code: &PlainToken) -> Response {
    send(site, target, vec![("code", code.expose().to_owned())])
}

/// An error (RFC 6749 §4.1.2.1).
pub(super) fn error(
    site: &Site,
    target: &ResponseTarget,
    code: ErrorCode,
    description: &str,
) -> Response {
    send(
        site,
        target,
        vec![
            ("error", code.as_str().to_owned()),
            ("error_description", plain(description)),
        ],
    )
}

/// What a person refused, or what `prompt=none` would have needed (OpenID Connect Core §3.1.2.6).
pub(super) fn unmet(site: &Site, target: &ResponseTarget, unmet: Unmet) -> Response {
    let (code, description) = match unmet {
        Unmet::Login => (ErrorCode::LoginRequired, "no suitable user is signed in"),
        Unmet::Acr => (
            ErrorCode::UnmetAuthenticationRequirements,
            "claims asks for an essential acr that this account cannot reach; acr_values_supported lists those there are",
        ),
        Unmet::AuthTime => (
            ErrorCode::UnmetAuthenticationRequirements,
            "claims asks for an essential auth_time at which this person did not sign in; leave out its value to get the time there is",
        ),
        Unmet::Consent => (
            ErrorCode::ConsentRequired,
            "the person has not allowed this yet; send them once without prompt=none (nobody is asked for a client with first_party = true)",
        ),
        Unmet::Denied => (ErrorCode::AccessDenied, "the person did not allow this"),
    };
    error(site, target, code, description)
}

/// A user who may not use the client is told so on a page; where no page may be shown, the client is told.
pub(super) fn may_not_use(site: &Site, resolved: &Resolved) -> Result<Response, PageError> {
    let Resolved { client, request } = resolved;
    tracing::info!(client.id = %client.id, "a person who lacks its required_permission wants to use client {}", client.id);
    if request.prompt.none {
        let description = "the person may not use this application";
        return Ok(error(
            site,
            &request.target,
            ErrorCode::AccessDenied,
            description,
        ));
    }
    Err(PageError {
        status: StatusCode::FORBIDDEN,
        heading: "You may not use this application",
        message: format!("Your account has no access to {}.", client.shown_name()).into(),
        hint: Some(
            "Ask its operator for access, or sign out and sign in with another account.".into(),
        ),
        code: Some("access_denied"),
    })
}

/// A page of our own, with the pending request.
pub(super) fn to_page(site: &Site, path: &str, pending: &Pending) -> Result<Response, PageError> {
    let flow = site.services.flows.seal(pending)?;
    let query = encode([("flow", flow.as_str())]);
    Ok(see_other(&format!("{path}?{query}")))
}

fn send(site: &Site, target: &ResponseTarget, mut fields: Vec<(&'static str, String)>) -> Response {
    if let Some(state) = &target.state {
        fields.push(("state", state.clone()));
    }
    fields.push(("iss", site.services.config.issuer.as_str().to_owned()));
    let pairs = fields.iter().map(|(name, value)| (*name, value.as_str()));
    match target.mode {
        ResponseMode::Query => see_other(&target.redirect.with_query(pairs)),
        ResponseMode::Fragment => see_other(&target.redirect.with_fragment(pairs)),
        ResponseMode::FormPost => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            FormPost {
                redirect: target.redirect.clone(),
                fields,
            }
            .into_response()
        }
    }
}

/// 303, so that no browser repeats a posted password at the target (RFC 9700 §4.12).
fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(location) {
        Ok(location) => headers.insert(LOCATION, location),
        // Every registered URI is visible ASCII and everything added is percent-encoded.
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
