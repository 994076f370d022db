//! The browser behind a request: its cookie, and the form tokens that only its own pages carry.

use axum::http::header::{HeaderName, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Response};

use super::cookies::Cookie;
use super::page_error::PageError;
use super::site::Site;
use crate::crypto::{b64, random};
use crate::spec::params::Params;

/// A browser, known by a random cookie that says nothing about who sits there.
#[derive(Clone, Debug)]
pub struct Browser {
    cookie: String,
    is_new: bool,
}

impl Browser {
    /// The browser that sent the request; one without the cookie is given one.
    #[must_use]
    pub fn of(site: &Site, headers: &HeaderMap) -> Self {
        match site.cookies.read(headers, Cookie::Browser) {
            Some(cookie) => Self {
                cookie: cookie.to_owned(),
                is_new: false,
            },
            None => Self {
                cookie: random::token().expose().to_owned(),
                is_new: true,
            },
        }
    }

    /// The cookie's value.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The form token of this browser's pages (RFC 9700 §4.7).
    #[must_use]
    pub fn csrf(&self, site: &Site) -> String {
        b64::encode(&site.services.csrf.tag(&[self.cookie.as_bytes()]))
    }

    /// Checks that a submitted form came from one of our own pages in this very browser.
    pub fn check_form(
        &self,
        site: &Site,
        headers: &HeaderMap,
        form: &Params,
    ) -> Result<(), PageError> {
        let token = form.find("csrf").and_then(b64::decode).unwrap_or_default();
        let own_token =
            !self.is_new && site.services.csrf.verify(&[self.cookie.as_bytes()], &token);
        if own_token && came_from_here(site, headers) {
            Ok(())
        } else {
            Err(PageError::foreign_form())
        }
    }

    /// Gives the browser its cookie along with `response`, if it has none yet.
    pub fn remember<B>(&self, site: &Site, response: &mut Response<B>) {
        if self.is_new {
            response.headers_mut().append(
                SET_COOKIE,
                site.cookies.set(Cookie::Browser, &self.cookie, None),
            );
        }
    }
}

/// What browsers say about where a form was sent from. Our pages have `Referrer-Policy: no-referrer`, so their
/// `Origin` is `null`; other origins are named and refused.
fn came_from_here(site: &Site, headers: &HeaderMap) -> bool {
    let foreign_site = headers
        .get(&SEC_FETCH_SITE)
        .is_some_and(|value| value != "same-origin" && value != "none");
    let origin = site.services.config.issuer.origin();
    let foreign_origin = headers
        .get(ORIGIN)
        .is_some_and(|value| value != "null" && value.as_bytes() != origin.as_bytes());
    !foreign_site && !foreign_origin
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
