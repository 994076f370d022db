//! The requests of the scenarios, as a relying party and a browser send them.

use axum::body::Bytes;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use hyper::{Method, Request};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded::Serializer;

use super::load::{Answer, Ask};

/// A client of `fixture.toml`.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    pub(crate) id: &'static str,
    secret: &'static str,
    redirect_uri: &'static str,
}

pub(crate) const MACHINE: Client = Client {
    id: "machine",
    secret: "machine-secret-that-is-long-enough-for-anyone",
    redirect_uri: "",
};
pub(crate) const API: Client = Client {
    id: "api",
    secret: "api-secret-that-is-long-enough-for-anyone",
    redirect_uri: "",
};
pub(crate) const DECIDER: Client = Client {
    id: "decider",
    secret: "decider-secret-that-is-long-enough-for-anyone",
    redirect_uri: "",
};
/// May do everything at `/v1`.
pub(crate) const OPERATOR: Client = Client {
    id: "operator",
    secret: "operator-secret-that-is-long-enough-for-anyone",
    redirect_uri: "",
};
pub(crate) const WEB: Client = Client {
    id: "web",
    secret: "web-secret-that-is-long-enough-for-anyone",
    redirect_uri: "https://web.example.test/callback",
};
pub(crate) const MODERN: Client = Client {
    id: "modern",
    secret: "modern-secret-that-is-long-enough-for-anyone",
    redirect_uri: "https://modern.example.test/callback",
};

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) fn get(path: &str) -> Ask {
    empty(Request::get(path))
}

/// `GET` with the browser's cookies.
pub(crate) fn visit(path: &str, cookies: &str) -> Ask {
    let request = Request::get(path).header("accept", "text/html");
    empty(if cookies.is_empty() {
        request
    } else {
        request.header(COOKIE, cookies)
    })
}

/// A form of one of our own pages, posted as Chromium does.
pub(crate) fn submit(path: &str, cookies: &str, form: &[(&str, &str)]) -> Ask {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("accept", "text/html")
        .header(COOKIE, cookies)
        .header(ORIGIN, "null")
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate");
    with_form(request, form)
}

/// A question to the decision API.
pub(crate) fn decide(path: &str, body: String) -> Ask {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", DECIDER.id, DECIDER.secret));
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(AUTHORIZATION, format!("Basic {basic}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .expect("a well-formed request")
}

/// A request of a client that authenticates with `client_secret_basic`.
pub(crate) fn post(path: &str, client: Client, form: &[(&str, &str)]) -> Ask {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", client.id, client.secret));
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(AUTHORIZATION, format!("Basic {basic}"));
    with_form(request, form)
}

pub(crate) fn client_credentials() -> Ask {
    post(
        "/token",
        MACHINE,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "orders:read"),
        ],
    )
}

/// A token for `/v1`.
pub(crate) fn operator_token() -> Ask {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "signet:admin"),
    ];
    post("/token", OPERATOR, &form)
}

pub(crate) fn introspect(token: &str) -> Ask {
    post("/introspect", API, &[("token", token)])
}

pub(crate) fn refresh(client: Client, token: &str) -> Ask {
    post(
        "/token",
        client,
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    )
}

/// An authorization request with PKCE, and what it takes to exchange its code.
pub(crate) struct Authorization {
    client: Client,
    verifier: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Authorization {
    pub(crate) fn new(client: Client, scope: &str) -> Self {
        let (verifier, state, nonce) = (random(), random(), random());
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", client.id),
            ("redirect_uri", client.redirect_uri),
            ("scope", scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Self {
            client,
            verifier,
            path: format!("/authorize?{query}"),
        }
    }

    pub(crate) fn exchange(&self, code: &str) -> Ask {
        post(
            "/token",
            self.client,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", self.client.redirect_uri),
                ("code_verifier", &self.verifier),
            ],
        )
    }
}

/// The code in a redirect to the client.
pub(crate) fn code_in(answer: &Answer) -> Result<String, String> {
    let location = location(answer)?;
    let url =
        url::Url::parse(location).map_err(|_| format!("no code, but a redirect to {location}"))?;
    url.query_pairs()
        .find(|(name, _)| name == "code")
        .map(|(_, code)| code.into_owned())
        .ok_or_else(|| format!("no code in {url}"))
}

/// Where a redirect leads.
pub(crate) fn location(answer: &Answer) -> Result<&str, String> {
    if answer.status != 303 {
        return Err(unexpected(answer));
    }
    answer
        .headers
        .get("location")
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| "a redirect without Location".to_owned())
}

/// A JSON member that is a string without escapes, as tokens are; parsing all of it would load the generator.
pub(crate) fn member<'a>(answer: &'a Answer, name: &str) -> Result<&'a str, String> {
    let body = succeeded(answer)?;
    between(body, &format!("\"{name}\":\""), "\"").ok_or_else(|| format!("no {name} in {body}"))
}

/// The body of a 200.
pub(crate) fn succeeded(answer: &Answer) -> Result<&str, String> {
    if answer.status == 200 {
        std::str::from_utf8(&answer.body).map_err(|_| "a body that is not UTF-8".to_owned())
    } else {
        Err(unexpected(answer))
    }
}

/// What stands between two texts.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

pub(crate) fn unexpected(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let begin: String = body.chars().take(200).collect();
    format!("status {}: {begin}", answer.status)
}

fn random() -> String {
    use rand::RngExt as _;
    BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn with_form(request: hyper::http::request::Builder, pairs: &[(&str, &str)]) -> Ask {
    request
        .header(HOST, "127.0.0.1")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form(pairs))))
        .unwrap()
}

fn empty(request: hyper::http::request::Builder) -> Ask {
    request
        .header(HOST, "127.0.0.1")
        .body(Full::default())
        .unwrap()
}
