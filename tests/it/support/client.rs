//! A relying party's half of the protocol, spelled out: what is sent is what a test says.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rand::RngExt as _;
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded::byte_serialize;

use super::browser::Browser;
use super::server::{ALICE, Server};

/// A client of `fixture.toml`.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    pub(crate) id: &'static str,
    pub(crate) redirect_uri: &'static str,
    pub(crate) authentication: Authentication,
}

/// How a client proves itself at the token endpoint.
#[derive(Clone, Copy)]
pub(crate) enum Authentication {
    /// `client_secret_basic`
    Basic(&'static str),
    /// `client_secret_post`
    Post(&'static str),
    /// `none`: a public client names itself.
    None,
}

pub(crate) const WEB: Client = Client {
    id: "web",
    redirect_uri: "https://web.example.test/callback",
    authentication: Authentication::Basic("web-secret-that-is-long-enough-for-anyone"),
};
pub(crate) const POST: Client = Client {
    id: "post",
    redirect_uri: "https://post.example.test/callback",
    authentication: Authentication::Post("post-secret-that-is-long-enough-for-anyone"),
};
pub(crate) const LEGACY: Client = Client {
    id: "legacy",
    redirect_uri: "https://legacy.example.test/callback",
    authentication: Authentication::Basic("legacy-secret-that-is-long-enough-for-anyone"),
};
pub(crate) const ODD: Client = Client {
    id: "odd:client",
    redirect_uri: "https://odd.example.test/callback",
    authentication: Authentication::Basic("100% odd & long + secret: = ? and /"),
};
pub(crate) const SPA: Client = Client {
    id: "spa",
    redirect_uri: "https://spa.example.test/callback",
    authentication: Authentication::None,
};
pub(crate) const NATIVE: Client = Client {
    id: "native",
    redirect_uri: "http://127.0.0.1/callback",
    authentication: Authentication::None,
};
pub(crate) const OWN: Client = Client {
    id: "own",
    redirect_uri: "https://own.example.test/callback",
    authentication: Authentication::Basic("own-secret-that-is-long-enough-for-anyone"),
};
pub(crate) const MACHINE: Client = Client {
    id: "machine",
    redirect_uri: "",
    authentication: Authentication::Basic("machine-secret-that-is-long-enough-for-anyone"),
};
pub(crate) const API: Client = Client {
    id: "api",
    redirect_uri: "",
    authentication: Authentication::Basic("api-secret-that-is-long-enough-for-anyone"),
};

/// An authorization request with PKCE, `state` and `nonce`.
#[derive(Clone)]
pub(crate) struct Authorization {
    parameters: Vec<(String, String)>,
    pub(crate) verifier: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
}

impl Authorization {
    pub(crate) fn of(client: &Client, scope: &str) -> Self {
        let (verifier, state, nonce) = (random(), random(), random());
        let challenge = challenge_of(&verifier);
        let parameters = [
            ("response_type", "code"),
            ("client_id", client.id),
            ("redirect_uri", client.redirect_uri),
            ("scope", scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let parameters = parameters
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        Self {
            parameters,
            verifier,
            state,
            nonce,
        }
    }

    /// Sets a parameter, in place of the one with this name.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).repeating(name, value)
    }

    /// Adds a parameter, beside the one with this name.
    pub(crate) fn repeating(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    pub(crate) fn url(&self, server: &Server) -> String {
        url::Url::parse_with_params(&server.url("/authorize"), &self.parameters)
            .unwrap()
            .into()
    }
}

/// What alice's sign-in at a client ended with.
pub(crate) struct SignedIn {
    pub(crate) authorization: Authorization,
    pub(crate) code: String,
    pub(crate) tokens: Answer,
}

impl SignedIn {
    pub(crate) fn access_token(&self) -> String {
        self.tokens.text("access_token")
    }

    pub(crate) fn refresh_token(&self) -> String {
        self.tokens.text("refresh_token")
    }

    pub(crate) fn id_token(&self) -> String {
        self.tokens.text("id_token")
    }
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self {
            status,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member of the JSON body that must be a string.
    pub(crate) fn text(&self, member: &str) -> String {
        let body = self.json();
        body[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member} in {body}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: impl AsRef<str>) -> &str {
        self.headers
            .get(name.as_ref())
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A success that must not be cached ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(
            self.header(CONTENT_TYPE).starts_with("application/json"),
            "{self:?}"
        );
        assert!(self.header(CACHE_CONTROL).contains("no-store"), "{self:?}");
        self
    }

    /// An error in the shape of [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    #[track_caller]
    pub(crate) fn failed(self, status: u16, error: &str) -> Self {
        assert_eq!(
            (self.status, self.json()["error"].as_str()),
            (status, Some(error)),
            "{self:?}"
        );
        assert!(
            self.header(CONTENT_TYPE).starts_with("application/json"),
            "{self:?}"
        );
        assert!(self.header(CACHE_CONTROL).contains("no-store"), "{self:?}");
        let description = self.text("error_description");
        assert!(
            !description.is_empty(),
            "an error says what to do: {self:?}"
        );
        assert!(
            description
                .bytes()
                .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "not in the character set of RFC 6749 §5.2: {description}"
        );
        self
    }

    /// `invalid_client` after Basic was tried carries a challenge (RFC 6749 §5.2).
    #[track_caller]
    pub(crate) fn challenged(self) -> Self {
        // Where a token would do too, there are two challenges (RFC 9110 §11.6.1).
        let mut challenges = self.headers.get_all(WWW_AUTHENTICATE).iter();
        assert!(
            challenges.any(|challenge| challenge.to_str().unwrap().starts_with("Basic")),
            "{self:?}"
        );
        self
    }
}

impl Server {
    /// `POST` to an endpoint with the client's own way of authentication.
    pub(crate) fn post(
        &self,
        path: &str,
        client: &Client,
        form: &[(&str, &str)],
    ) -> RequestBuilder {
        let mut form = form.to_vec();
        let request = self.http().request(Method::POST, self.url(path));
        let request = match client.authentication {
            Authentication::Basic(secret) => {
                request.header(AUTHORIZATION, basic(client.id, secret))
            }
            Authentication::Post(secret) => {
                form.extend([("client_id", client.id), ("client_secret", secret)]);
                request
            }
            Authentication::None => {
                form.push(("client_id", client.id));
                request
            }
        };
        request.form(&form)
    }

    pub(crate) async fn token(&self, client: &Client, form: &[(&str, &str)]) -> Answer {
        Answer::to(self.post("/token", client, form)).await
    }

    /// Exchanges a code ([RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)).
    pub(crate) async fn redeem(
        &self,
        client: &Client,
        authorization: &Authorization,
        code: &str,
    ) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", client.redirect_uri),
            ("code_verifier", &authorization.verifier),
        ];
        self.token(client, &form).await
    }

    pub(crate) async fn refresh(&self, client: &Client, refresh_token: &str) -> Answer {
        self.token(
            client,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token),
            ],
        )
        .await
    }

    /// What the introspecting resource server is told ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        Answer::to(self.post("/introspect", &API, &[("token", token)]))
            .await
            .succeeded()
            .json()
    }

    pub(crate) async fn assert_active(&self, token: &str) {
        assert_eq!(self.introspect(token).await["active"], true);
    }

    /// Exactly `{"active":false}` (RFC 7662 §2.2).
    pub(crate) async fn assert_inactive(&self, token: &str) {
        assert_eq!(
            self.introspect(token).await,
            serde_json::json!({ "active": false })
        );
    }

    pub(crate) async fn revoke(&self, client: &Client, token: &str) -> Answer {
        Answer::to(self.post("/revoke", client, &[("token", token)])).await
    }

    pub(crate) async fn userinfo(&self, access_token: &str) -> Answer {
        Answer::to(
            self.http()
                .get(self.url("/userinfo"))
                .bearer_auth(access_token),
        )
        .await
    }

    /// Alice signs in at a client, agrees to everything, and the client exchanges the code.
    pub(crate) async fn signed_in(&self, client: &Client, scope: &str) -> SignedIn {
        self.signed_in_with(
            &Browser::new(self),
            client,
            Authorization::of(client, scope),
        )
        .await
    }

    /// The same in a browser of the test's own.
    pub(crate) async fn signed_in_with(
        &self,
        browser: &Browser,
        client: &Client,
        authorization: Authorization,
    ) -> SignedIn {
        let callback = browser
            .sign_in_and_authorize(&authorization.url(self), ALICE)
            .await;
        let code = parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"));
        let tokens = self.redeem(client, &authorization, &code).await.succeeded();
        SignedIn {
            authorization,
            code,
            tokens,
        }
    }

    /// A token of the client credentials grant (RFC 6749 §4.4).
    pub(crate) async fn machine_token(&self) -> String {
        self.token(&MACHINE, &[("grant_type", "client_credentials")])
            .await
            .succeeded()
            .text("access_token")
    }
}

/// The only value of a query parameter.
pub(crate) fn parameter(url: &url::Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(known, _)| known == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "{name} is repeated in {url}");
    value
}

/// The header of `client_secret_basic`: both halves form-url-encoded first (RFC 6749 §2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let (id, secret): (String, String) = (
        byte_serialize(id.as_bytes()).collect(),
        byte_serialize(secret.as_bytes()).collect(),
    );
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// `S256` ([RFC 7636 §4.2](https://www.rfc-editor.org/rfc/rfc7636#section-4.2)).
pub(crate) fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

pub(crate) fn random() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}
