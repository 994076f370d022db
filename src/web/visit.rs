//! One visit of a browser to a page: who came, what was posted, and how the page goes back.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::pages::{Layout, render};
use crate::domain::audit::{Actor, Origin};
use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::domain::pending::{OwnPath, Pending, Purpose};
use crate::domain::session::Session;
use crate::http::browser::Browser;
use crate::http::cookies::Cookie;
use crate::http::headers::{Page, PageHeaders};
use crate::http::limits::{BodyError, FormBody};
use crate::http::origin::RequestOrigin;
use crate::http::page_error::PageError;
use crate::http::request_id::RequestId;
use crate::http::site::Site;
use crate::service::authorization::flow::browser_digest;
use crate::service::sign_in::sessions;
use crate::spec::params::{Params, encode};
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// A browser's request for a page.
pub struct Visit {
    /// The site.
    pub site: Site,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The browser.
    pub browser: Browser,
    /// Where the request came from, for the audit trail.
    pub origin: Origin,
    /// When the request came.
    pub now: Ts,
    request_id: RequestId,
    query: String,
}

impl FromRequestParts<Site> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Infallible> {
        Ok(Self {
            site: site.clone(),
            browser: Browser::of(site, &parts.headers),
            headers: parts.headers.clone(),
            origin: RequestOrigin::from_request_parts(parts, site).await?.0,
            now: site.services.clock.now(),
            request_id: RequestId::from_request_parts(parts, site).await?,
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}

impl Visit {
    /// The address of the browser, behind trusted proxies.
    pub fn ip(&self) -> IpAddr {
        self.origin.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
    }

    /// The parameters of the query.
    pub fn query(&self) -> Result<Params, PageError> {
        Params::parse(self.query.as_bytes())
            .map_err(|error| PageError::bad_request(format!("{error}.")))
    }

    /// The parameters of a posted form, from this site or another.
    pub fn read(body: Result<FormBody, BodyError>) -> Result<Params, PageError> {
        let FormBody(bytes) = body.map_err(|error| PageError {
            status: error.status(),
            ..PageError::bad_request(format!("{error}."))
        })?;
        Params::parse_typed(&bytes).map_err(|error| PageError::bad_request(format!("{error}.")))
    }

    /// The parameters of a form that one of our own pages in this browser posted.
    pub fn form(&self, body: Result<FormBody, BodyError>) -> Result<Params, PageError> {
        let form = Self::read(body)?;
        self.browser.check_form(&self.site, &self.headers, &form)?;
        Ok(form)
    }

    /// The living session of this browser.
    pub async fn session(&self) -> Result<Option<Session>, StoreError> {
        sessions::find(
            &self.site.services,
            self.site.cookies.read(&self.headers, Cookie::Session),
            self.now,
        )
        .await
    }

    /// What the person of a session does here.
    pub fn by(&self, session: &Session) -> Origin {
        self.origin.by(Actor::Person(session.user_id))
    }

    /// A sign-in that begins here, in this browser, and leads to a page of our own.
    pub fn begin_sign_in(&self, path: OwnPath) -> Pending {
        let browser = browser_digest(self.browser.cookie());
        Pending::begin(Purpose::Page { path }, Some(browser), self.now)
    }

    /// To the sign-in page, and from there back to a page of our own.
    pub fn sign_in_for(&self, path: OwnPath) -> Result<Response, PageError> {
        self.go_on("/login", &self.begin_sign_in(path))
    }

    /// The pending sign-in, sealed for a form of this page or for the address of the next.
    pub fn seal(&self, pending: &Pending) -> Result<String, PageError> {
        Ok(self.site.services.flows.seal(pending)?)
    }

    /// The pending sign-in that travels through this page, if it was begun in this browser.
    pub fn pending(&self, params: &Params) -> Result<Option<Pending>, PageError> {
        if !params.contains("flow") {
            return Ok(None);
        }
        let flow = params.find("flow").unwrap_or_default();
        let opened = self
            .site
            .services
            .flows
            .open(flow, Some(self.browser.cookie()), self.now);
        let pending = opened.map_err(|error| PageError::stale_flow(error.sentence()))?;
        // A page never meets a request that was posted here; `/authorize` binds it first.
        if pending.browser.is_none() {
            return Err(PageError::stale_flow(
                "It was begun in another browser, or this browser does not send its cookies.",
            ));
        }
        Ok(Some(pending))
    }

    /// The client that a pending sign-in leads to, as it stands now.
    pub async fn client_of(&self, pending: &Pending) -> Result<Option<Arc<Client>>, StoreError> {
        match pending.parameter("client_id").and_then(ClientId::parse) {
            Some(id) => self.site.services.clients.find(&id).await,
            None => Ok(None),
        }
    }

    /// What all pages share.
    pub fn layout(&self, title: &str) -> Layout {
        Layout {
            request_id: Some(self.request_id.to_string()),
            ..Layout::new(self.site.services.config.brand_name.clone(), title)
        }
    }

    /// The form token of this browser.
    pub fn csrf(&self) -> String {
        self.browser.csrf(&self.site)
    }

    /// The page, with the headers that every page has.
    pub fn html(&self, status: StatusCode, kind: &Page<'_>, page: &impl Template) -> Response {
        let mut response = draw(status, self.site.page_headers, kind, page);
        self.browser.remember(&self.site, &mut response);
        response
    }

    /// On to another page of ours: 303, so that nothing is posted twice (RFC 9700 §4.12).
    pub fn go(&self, path: &str, query: &[(&str, &str)]) -> Response {
        let query = encode(query.iter().copied());
        self.leave(&if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        })
    }

    /// On to another page of ours, with the pending sign-in.
    pub fn go_on(&self, path: &str, pending: &Pending) -> Result<Response, PageError> {
        Ok(self.go(path, &[("flow", &self.seal(pending)?)]))
    }

    /// On to a proven address.
    pub fn leave(&self, location: &str) -> Response {
        let mut response = StatusCode::SEE_OTHER.into_response();
        match HeaderValue::from_str(location) {
            Ok(location) => response.headers_mut().insert(LOCATION, location),
            Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        self.site
            .page_headers
            .apply(response.headers_mut(), &Page::FLOW);
        self.browser.remember(&self.site, &mut response);
        response
    }
}

/// A page with the headers that every page has, and no cookie.
pub fn draw(
    status: StatusCode,
    headers: PageHeaders,
    kind: &Page<'_>,
    page: &impl Template,
) -> Response {
    let Ok(text) = render(page) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, text).into_response();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    headers.apply(response.headers_mut(), kind);
    response
}

/// The origin of a client's logo, which the page's policy must let through.
pub fn logo_source(client: Option<&Client>) -> Option<String> {
    let logo = client?.metadata.logo_uri.as_ref()?;
    let url = url::Url::parse(logo).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
}
