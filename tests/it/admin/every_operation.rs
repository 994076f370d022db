//! What holds for every operation that the OpenAPI document names.

use super::document::Document;
use super::support::Api;
use crate::support::client::{Answer, Authentication, Client, MACHINE};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;

/// A client that administrates and calls another resource server, with a token for each.
const BOTH: Client = Client {
    id: "both",
    redirect_uri: "",
    authentication: Authentication::Basic("both-secret-that-is-long-enough-for-anyone"),
};

const DOCUMENT: &str = r#"
[[clients]]
client_id = "both"
client_secret = "both-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
scope = "signet:admin orders:read"
"#;

const ELSEWHERE: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("resource", "https://api.example.test"),
    ("scope", "orders:read"),
];

on_every_engine! {
    async fn no_operation_answers_without_a_token_for_this_server(server: Server) {
        server.apply(DOCUMENT);
        let mut elsewhere = Vec::new();
        for client in [&BOTH, &MACHINE] {
            let token = server.token(client, &ELSEWHERE).await.succeeded().text("access_token");
            assert_eq!(Jwt::decode(&token).claims["aud"], "https://api.example.test");
            elsewhere.push(token);
        }
        for operation in Document::read(&server).await.operations() {
            let what = format!("{} {}", operation.method, operation.path);
            let none = Answer::to(operation.request(&server)).await;
            let challenge = none.header("www-authenticate").to_owned();
            assert!(challenge.starts_with("Bearer realm=\"signet\", scope=\"signet:admin\""), "{what}: {none:?}");
            assert_eq!((none.status, none.json()["code"].as_str()), (401, Some("missing_token")), "{what}");
            none.problem(401, "missing_token");
            for token in &elsewhere {
                let foreign = Answer::to(operation.request(&server).bearer_auth(token)).await;
                assert_eq!((foreign.status, foreign.json()["code"].as_str()), (401, Some("invalid_token")), "{what}");
                assert!(foreign.header("www-authenticate").contains("error=\"invalid_token\""), "{what}: {foreign:?}");
                let problem = foreign.problem(401, "invalid_token");
                assert!(problem["detail"].as_str().unwrap().contains("aud"), "{what}: {problem}");
            }
        }
    }

    async fn no_operation_is_done_for_a_person_without_a_permission(server: Server) {
        let _robot = Api::robot(&server).await;
        let nobody = Api::person(&server, "nobody", &[]).await;
        for operation in Document::read(&server).await.operations() {
            let what = format!("{} {}", operation.method, operation.path);
            let refused = Answer::to(operation.request(&server).bearer_auth(nobody.token())).await;
            assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("forbidden")), "{what}: {refused:?}");
            let problem = refused.problem(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains("signet:"), "{what}: {problem}");
        }
    }
}
