//! Who may ask for decisions: people who may decide, and clients that are registered for it.

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::client::{
    Answer, Authentication, Authorization, Client, SignedIn, basic, parameter,
};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, BOB, Server};

const CONSOLE: Client = Client {
    id: "console",
    redirect_uri: "https://console.example.test/callback",
    authentication: Authentication::Basic("console-secret-that-is-long-enough-for-anyone"),
};
const OPEN: Client = Client {
    id: "open",
    redirect_uri: "https://open.example.test/callback",
    authentication: Authentication::None,
};
const PEP: Client = Client {
    id: "pep",
    redirect_uri: "",
    authentication: Authentication::Basic("pep-secret-that-is-long-enough-for-anyone"),
};

const DOCUMENT: &str = r#"
[[roles]]
name = "decider"
permissions = ["signet:decide"]

[[users]]
username = "alice"
roles = ["decider"]

[[clients]]
client_id = "console"
client_secret = "console-secret-that-is-long-enough-for-anyone"
redirect_uris = ["https://console.example.test/callback"]
grant_types = ["authorization_code"]
scope = "openid signet:decide orders:read"
first_party = true

[[clients]]
client_id = "open"
redirect_uris = ["https://open.example.test/callback"]
grant_types = ["authorization_code"]
token_endpoint_auth_method = "none"
scope = "openid signet:decide"
first_party = true

[[clients]]
client_id = "pep"
client_secret = "pep-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
scope = "signet:decide orders:read"
"#;

const PATHS: [&str; 5] = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

async fn ask(server: &Server, path: &str, authorization: &str) -> Answer {
    let body = json!({
        "subject": { "type": "user", "id": "alice" },
        "action": { "name": "read" },
        "resource": { "type": "Document", "id": "1" },
    });
    let request = server.http().post(server.url(path));
    Answer::to(request.header("authorization", authorization).json(&body)).await
}

/// Whether every endpoint answers, or refuses with this status and error.
async fn everywhere(server: &Server, authorization: &str, expected: Option<(u16, &str)>) {
    for path in PATHS {
        let answer = ask(server, path, authorization).await;
        let Some((status, error)) = expected else {
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            continue;
        };
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(error)),
            "{path}: {answer:?}"
        );
        assert!(
            answer.json().get("decision").is_none() && answer.json().get("results").is_none(),
            "{answer:?}"
        );
        if authorization.starts_with("Bearer") {
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("Bearer ")
                    && challenge.contains(&format!("error=\"{error}\"")),
                "{challenge}"
            );
        }
    }
}

/// What somebody's token for this client is.
async fn token_of(
    server: &Server,
    client: &Client,
    who: (&str, &str),
    request: Authorization,
) -> String {
    let callback = Browser::new(server)
        .sign_in_and_authorize(&request.url(server), who)
        .await;
    let code = parameter(&callback, "code").unwrap_or_else(|| panic!("no code in {callback}"));
    let tokens = server.redeem(client, &request, &code).await.succeeded();
    let authorization = request;
    SignedIn {
        authorization,
        code,
        tokens,
    }
    .access_token()
}

on_every_engine! {
    async fn a_person_asks_with_the_scope_and_the_permission(server: Server) {
        server.apply(DOCUMENT);
        let both = "openid signet:decide";
        for client in [&CONSOLE, &OPEN] {
            let may = token_of(&server, client, ALICE, Authorization::of(client, both)).await;
            everywhere(&server, &format!("Bearer {may}"), None).await;
            let without = token_of(&server, client, BOB, Authorization::of(client, both)).await;
            everywhere(&server, &format!("Bearer {without}"), Some((403, "insufficient_scope"))).await;
            let narrow = token_of(&server, client, ALICE, Authorization::of(client, "openid")).await;
            everywhere(&server, &format!("Bearer {narrow}"), Some((403, "insufficient_scope"))).await;
        }
    }

    async fn a_person_who_loses_the_permission_asks_no_more(server: Server) {
        server.apply(DOCUMENT);
        let request = Authorization::of(&CONSOLE, "openid signet:decide");
        let token = format!("Bearer {}", token_of(&server, &CONSOLE, ALICE, request).await);
        everywhere(&server, &token, None).await;
        server.apply("[[users]]\nusername = \"alice\"\nroles = []\n");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        everywhere(&server, &token, Some((403, "insufficient_scope"))).await;
        server.signet_ok(&["user", "disable", ALICE.0]);
        everywhere(&server, &token, Some((401, "invalid_token"))).await;
    }

    async fn a_token_for_another_audience_is_none(server: Server) {
        server.apply(DOCUMENT);
        let form = [("grant_type", "client_credentials"), ("resource", "https://api.example.test"), ("scope", "orders:read")];
        let token = server.token(&PEP, &form).await.succeeded().text("access_token");
        assert_eq!(Jwt::decode(&token).claims["aud"], "https://api.example.test");
        everywhere(&server, &format!("Bearer {token}"), Some((401, "invalid_token"))).await;
        let form = [("grant_type", "client_credentials"), ("scope", "signet:decide")];
        let token = server.token(&PEP, &form).await.succeeded().text("access_token");
        everywhere(&server, &format!("Bearer {token}"), None).await;
        let person = Authorization::of(&CONSOLE, "orders:read").with("resource", "https://api.example.test");
        let token = token_of(&server, &CONSOLE, ALICE, person).await;
        assert_eq!(Jwt::decode(&token).claims["aud"], "https://api.example.test");
        everywhere(&server, &format!("Bearer {token}"), Some((401, "invalid_token"))).await;
    }

    async fn a_public_client_asks_nothing_for_itself(server: Server) {
        server.apply(DOCUMENT);
        for secret in ["", "open", "anything"] {
            everywhere(&server, &basic(OPEN.id, secret), Some((401, "invalid_client"))).await;
        }
        // A client that may is one that proves itself and is registered for it.
        everywhere(&server, &basic("pep", "pep-secret-that-is-long-enough-for-anyone"), None).await;
        everywhere(&server, &basic("machine", "machine-secret-that-is-long-enough-for-anyone"), Some((403, "insufficient_scope"))).await;
        for path in PATHS {
            let named = server.http().post(server.url(&format!("{path}?client_id={}", OPEN.id)));
            assert_eq!(Answer::to(named.json(&json!({ "client_id": OPEN.id }))).await.status, 401, "{path}");
        }
    }
}
