//! A user agent with a cookie jar that fills in the real pages, as a person without JavaScript does.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{
    CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
};
use reqwest::{Method, RequestBuilder};
use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::server::Server;

/// One person's browser at one server.
pub(crate) struct Browser {
    http: reqwest::Client,
    home: Url,
    cookies: Mutex<BTreeMap<String, String>>,
    set_cookies: Mutex<Vec<String>>,
}

/// What is on the screen, or the redirect that led away from the server.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        Self {
            http: server.http().clone(),
            home: server.url("/").parse().unwrap(),
            cookies: Mutex::default(),
            set_cookies: Mutex::default(),
        }
    }

    /// The same browser, at an address that a proxy in front of the server reports.
    pub(crate) fn at_address(self, address: &str) -> Self {
        let headers = [(
            HeaderName::from_static("x-forwarded-for"),
            address.parse().unwrap(),
        )];
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers.into_iter().collect())
            .build()
            .unwrap();
        Self { http, ..self }
    }

    /// Opens an address and follows redirects until a page is shown or one leads to another site.
    pub(crate) async fn open(&self, url: &str) -> Page {
        let url = self.home.join(url).unwrap();
        let page = self.once(self.http.get(url.clone()), url).await;
        self.follow(page).await
    }

    /// Opens an address and follows nothing.
    pub(crate) async fn get(&self, url: &str) -> Page {
        let url = self.home.join(url).unwrap();
        self.once(self.http.get(url.clone()), url).await
    }

    /// Presses the button with this id, after filling in its form, and follows redirects.
    pub(crate) async fn submit(&self, page: &Page, button: &str, fields: &[(&str, &str)]) -> Page {
        let answer = self.submit_once(page, button, fields).await;
        self.follow(answer).await
    }

    /// The same without following a redirect.
    pub(crate) async fn submit_once(
        &self,
        page: &Page,
        button: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let form = page.form(button);
        let mut values = form.values;
        for (name, value) in fields {
            let field = values.iter_mut().find(|(known, _)| known == name);
            let (_, filled) = field.unwrap_or_else(|| panic!("no field {name} in {}", page.body));
            (*value).clone_into(filled);
        }
        if form.method == Method::GET {
            let url = Url::parse_with_params(form.action.as_str(), &values).unwrap();
            return self.once(self.http.get(url.clone()), url).await;
        }
        self.post(&form.action, page, &values).await
    }

    /// Posts a form to an address as a button of this page would, whatever the page says.
    pub(crate) async fn post(
        &self,
        action: &Url,
        page: &Page,
        values: &[(String, String)],
    ) -> Page {
        // What Chromium sends: a page without referrer has no origin to name either.
        let origin = if page.header(REFERRER_POLICY) == "no-referrer" {
            "null".to_owned()
        } else {
            page.url.origin().ascii_serialization()
        };
        let request = self.http.post(action.clone()).header(ORIGIN, origin);
        let request = request
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate");
        self.once(request.form(values), action.clone()).await
    }

    /// Signs in and agrees to what is asked; the answer is the redirect to the client.
    pub(crate) async fn sign_in_and_authorize(
        &self,
        url: &str,
        (user, password): (&str, &str),
    ) -> Url {
        let mut page = self.open(url).await;
        if page.has("login-submit") {
            page = self
                .submit(
                    &page,
                    "login-submit",
                    &[("username", user), ("password", password)],
                )
                .await;
        }
        if page.has("consent-allow") {
            page = self.submit(&page, "consent-allow", &[]).await;
        }
        page.left_to()
    }

    /// The cookies the browser would send, by name.
    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }

    /// Puts a cookie into the jar, as an attacker of the browser would.
    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.to_owned());
    }

    /// Every `Set-Cookie` header received so far.
    pub(crate) fn set_cookies(&self) -> Vec<String> {
        self.set_cookies.lock().unwrap().clone()
    }

    async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(url) if url.origin() == self.home.origin() => {
                    page = self.once(self.http.get(url.clone()), url).await;
                }
                _ => return page,
            }
        }
        panic!("the server redirects in a circle at {}", page.url);
    }

    async fn once(&self, request: RequestBuilder, url: Url) -> Page {
        let cookies = self.cookies();
        let cookies: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = if cookies.is_empty() {
            request
        } else {
            request.header(COOKIE, cookies.join("; "))
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(SET_COOKIE) {
            self.keep(cookie.to_str().unwrap());
        }
        Page {
            url,
            status,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    fn keep(&self, cookie: &str) {
        self.set_cookies.lock().unwrap().push(cookie.to_owned());
        let mut parts = cookie.split(';').map(str::trim);
        let (name, value) = parts
            .next()
            .unwrap()
            .split_once('=')
            .expect("a cookie without =");
        let attributes: Vec<_> = parts.map(str::to_ascii_lowercase).collect();
        let expired = attributes.iter().any(|attribute| attribute == "max-age=0")
            || attributes
                .iter()
                .any(|attribute| attribute.starts_with("expires=thu, 01 jan 1970"));
        let mut cookies = self.cookies.lock().unwrap();
        if expired {
            cookies.remove(name);
        } else {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    pub(crate) fn header(&self, name: impl AsRef<str>) -> &str {
        self.headers
            .get(name.as_ref())
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<Url> {
        (300..400)
            .contains(&self.status)
            .then(|| self.url.join(self.header(LOCATION)).unwrap())
    }

    /// The redirect to another site; a person who posted a form must be sent on with 303 (RFC 9700 §4.12).
    #[track_caller]
    pub(crate) fn left_to(&self) -> Url {
        let to = self
            .location()
            .unwrap_or_else(|| panic!("still at the server: {self:?}"));
        assert!(self.status == 303 || self.status == 302, "{self:?}");
        to
    }

    /// Whether an element with this id is on the page.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.find(&format!("#{id}"), |_| ()).is_some()
    }

    /// The text of the first element that matches, with single spaces.
    pub(crate) fn text_of(&self, selector: &str) -> String {
        let text = |element: ElementRef<'_>| {
            element
                .text()
                .flat_map(str::split_whitespace)
                .collect::<Vec<_>>()
                .join(" ")
        };
        self.find(selector, text).unwrap_or_default()
    }

    /// The value of the first field with this name.
    pub(crate) fn value_of(&self, field: &str) -> String {
        self.find(&format!("[name={field}]"), |element| {
            element.attr("value").unwrap_or_default().to_owned()
        })
        .unwrap_or_default()
    }

    /// A page of ours for a person, not a redirect, not a form, with a request id.
    #[track_caller]
    pub(crate) fn is_error_page(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.header(CONTENT_TYPE).starts_with("text/html"),
            "{self:?}"
        );
        assert_eq!(self.header(LOCATION), "", "{self:?}");
        assert!(!self.has("login-submit"), "{self:?}");
        self
    }

    /// The form to which a button belongs, with the values a browser would send.
    pub(crate) fn form(&self, button: &str) -> Form {
        let html = Html::parse_document(&self.body);
        let found = html.select(&selector(&format!("#{button}"))).next();
        let pressed =
            found.unwrap_or_else(|| panic!("no button {button} at {}: {}", self.url, self.body));
        let by_id = pressed.attr("form").map(|id| {
            html.select(&selector(&format!("form#{id}")))
                .next()
                .unwrap()
        });
        let around = || {
            pressed
                .ancestors()
                .filter_map(ElementRef::wrap)
                .find(|element| element.value().name() == "form")
        };
        let form = by_id.or_else(around).expect("a button without a form");
        let action = pressed
            .attr("formaction")
            .or(form.attr("action"))
            .unwrap_or("");
        let method = form.attr("method").unwrap_or("get").to_ascii_uppercase();
        let mut values: Vec<_> = form
            .select(&selector("input, textarea"))
            .filter_map(sent_value)
            .collect();
        if let Some(name) = pressed.attr("name") {
            values.push((
                name.to_owned(),
                pressed.attr("value").unwrap_or_default().to_owned(),
            ));
        }
        Form {
            action: self.url.join(action).unwrap(),
            method: method.parse().unwrap(),
            values,
        }
    }

    fn find<T>(&self, matching: &str, read: impl FnOnce(ElementRef<'_>) -> T) -> Option<T> {
        Html::parse_document(&self.body)
            .select(&selector(matching))
            .next()
            .map(read)
    }
}

/// What pressing a button sends, and where.
pub(crate) struct Form {
    pub(crate) action: Url,
    pub(crate) method: Method,
    pub(crate) values: Vec<(String, String)>,
}

fn sent_value(input: ElementRef<'_>) -> Option<(String, String)> {
    let kind = input.attr("type").unwrap_or("text");
    if matches!(kind, "submit" | "button" | "image" | "reset") || input.attr("disabled").is_some() {
        return None;
    }
    if matches!(kind, "checkbox" | "radio") && input.attr("checked").is_none() {
        return None;
    }
    let value = input
        .attr("value")
        .unwrap_or(if kind == "checkbox" { "on" } else { "" });
    Some((input.attr("name")?.to_owned(), value.to_owned()))
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
