//! Somebody who calls the administration API.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authentication, Authorization, Client, parameter};
use crate::support::server::Server;

/// A client that acts for itself and may do everything.
pub(super) const ROBOT: Client = Client {
    id: "robot",
    redirect_uri: "https://robot.example.test/callback",
    authentication: Authentication::Basic("robot-secret-that-is-long-enough-for-anyone"),
};

/// A client through which people administrate.
pub(super) const DESK: Client = Client {
    id: "desk",
    redirect_uri: "https://desk.example.test/callback",
    authentication: Authentication::Basic("desk-secret-that-is-long-enough-for-anyone"),
};

const DOCUMENT: &str = r#"
[[clients]]
client_id = "robot"
client_secret = "robot-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "signet:admin"

[[clients]]
client_id = "desk"
client_secret = "desk-secret-that-is-long-enough-for-anyone"
client_name = "Help desk"
redirect_uris = ["https://desk.example.test/callback"]
grant_types = ["authorization_code", "refresh_token"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid signet:admin"
first_party = true
"#;

pub(super) const PASSWORD: &str = "a pass phrase of somebody";

/// A caller with a token.
pub(super) struct Api<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Api<'a> {
    /// The client that may do everything.
    pub(super) async fn robot(server: &'a Server) -> Self {
        server.apply(DOCUMENT);
        let form = [("grant_type", "client_credentials")];
        let answer = server.token(&ROBOT, &form).await.succeeded();
        let token = answer.text("access_token");
        Self { server, token }
    }

    /// A person with these permissions, through a role of their own. [`robot`](Self::robot) comes first.
    pub(super) async fn person(server: &'a Server, name: &str, permissions: &[&str]) -> Self {
        let permissions: Vec<String> = permissions.iter().map(|it| format!("{it:?}")).collect();
        server.apply(&format!(
            "[[roles]]\nname = \"role-of-{name}\"\npermissions = [{}]\n\n\
             [[users]]\nusername = \"{name}\"\npassword = \"{PASSWORD}\"\nroles = [\"role-of-{name}\"]\n",
            permissions.join(", ")
        ));
        let token = sign_in(server, name).await;
        Self { server, token }
    }

    /// Somebody who is there already, with [`PASSWORD`].
    pub(super) async fn known(server: &'a Server, name: &str) -> Self {
        let token = sign_in(server, name).await;
        Self { server, token }
    }

    /// Somebody with this token.
    pub(super) fn with_token(server: &'a Server, token: &str) -> Self {
        let token = token.to_owned();
        Self { server, token }
    }

    /// The token that is shown.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.server.http().request(method, self.server.url(path));
        request.bearer_auth(&self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(&body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::PUT, path).json(&body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::PATCH, path).json(&body);
        Answer::to(request.header("content-type", "application/merge-patch+json")).await
    }
}

/// The id of the user of that name.
pub(super) async fn id_of(api: &Api<'_>, name: &str) -> String {
    let found = api
        .get(&format!("/v1/users?q={name}"))
        .await
        .done(200)
        .json();
    found["data"][0]["id"].as_str().unwrap().to_owned()
}

/// Writes a policy.
pub(super) async fn policy(robot: &Api<'_>, id: &str, cedar: &str) {
    robot
        .post("/v1/policies", json!({ "id": id, "cedar": cedar }))
        .await
        .done(201);
}

/// Each of these calls is refused, because it would give what the caller lacks.
pub(super) async fn beyond(api: &Api<'_>, calls: &[(Method, String, Value)]) {
    for (method, path, body) in calls {
        let answer = Answer::to(api.request(method.clone(), path).json(body)).await;
        assert_eq!(answer.status, 403, "{method} {path} {body}: {answer:?}");
        answer.problem(403, "beyond_your_rights");
    }
}

async fn sign_in(server: &Server, name: &str) -> String {
    let request = Authorization::of(&DESK, "openid signet:admin");
    let browser = Browser::new(server);
    let login = browser.open(&request.url(server)).await;
    let fields = [("username", name), ("password", PASSWORD)];
    let callback = browser
        .submit(&login, "login-submit", &fields)
        .await
        .left_to();
    let code = parameter(&callback, "code").unwrap();
    let tokens = server.redeem(&DESK, &request, &code).await.succeeded();
    tokens.text("access_token")
}

impl Answer {
    /// A success with that status.
    #[track_caller]
    pub(super) fn done(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A problem (RFC 9457) with that status and code, which names the request.
    #[track_caller]
    pub(super) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let body = self.json();
        let found = (self.status, body["code"].as_str());
        assert_eq!(found, (status, Some(code)), "{self:?}");
        assert_eq!(body["status"], status, "{self:?}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{self:?}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{self:?}");
        body
    }
}
