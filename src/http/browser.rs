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

/// Whether nothing about a request says that a browser sent it: no cookie, and none of the headers that browsers send by
/// themselves and no page can leave out or change
/// ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/), client hints, `Origin`, `Referer`).
#[must_use]
pub fn is_program(headers: &HeaderMap) -> bool {
    let told_by_browsers = |name: &HeaderName| {
        name.as_str().starts_with("sec-") || BY_BROWSERS.contains(&name.as_str())
    };
    !headers.keys().any(told_by_browsers)
}

/// Whether a browser fetches what a person may click on next
/// ([Fetch, `Sec-Purpose`](https://fetch.spec.whatwg.org/#sec-purpose-header)).
#[must_use]
pub fn is_prefetch(headers: &HeaderMap) -> bool {
    let says = |name: &str| {
        let values = headers.get_all(name).iter();
        let mut values = values.filter_map(|value| value.to_str().ok());
        values.any(|value| value.contains("prefetch") || value.contains("prerender"))
    };
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .any(says)
}

/// Headers that browsers send, apart from those that begin with `sec-`.
const BY_BROWSERS: [&str; 8] = [
    "cookie",
    "origin",
    "purpose",
    "referer",
    "service-worker-navigation-preload",
    "upgrade-insecure-requests",
    "x-moz",
    "x-purpose",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn every_sign_of_a_browser_is_seen() {
        for plain in [
            &[][..],
            &[
                ("host", "a"),
                ("user-agent", "Go-http-client/1.1"),
                ("accept-encoding", "gzip"),
            ],
            &[
                ("accept", "*/*"),
                ("authorization", "Bearer x"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
        ] {
            assert!(is_program(&headers(plain)), "{plain:?}");
        }
        for sign in [
            "cookie",
            "origin",
            "referer",
            "sec-fetch-site",
            "sec-fetch-mode",
            "sec-fetch-dest",
            "sec-fetch-user",
            "sec-ch-ua",
            "sec-purpose",
            "sec-gpc",
            "upgrade-insecure-requests",
            "purpose",
            "x-moz",
        ] {
            assert!(!is_program(&headers(&[(sign, "x")])), "{sign}");
        }
    }

    #[test]
    fn a_prefetch_is_seen() {
        for (name, value) in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-moz", "prefetch"),
        ] {
            assert!(is_prefetch(&headers(&[(name, value)])), "{name}: {value}");
        }
        assert!(!is_prefetch(&headers(&[("sec-fetch-mode", "navigate")])));
    }
}
