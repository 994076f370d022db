//! Claims about the person in ID tokens: `id_token_claims`

use serde_json::Value;

use crate::support::client::{Authorization, WEB};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::Server;

/// Makes the client WEB choose these claims for its ID tokens.
fn choose(server: &Server, line: &str) {
    let document = include_str!("../support/fixture.toml");
    let (before, after) = document.split_once("client_id = \"web\"\n").unwrap();
    server.apply(&format!("{before}client_id = \"web\"\n{line}\n{after}"));
}

fn id_token(token: &str) -> Value {
    Jwt::decode(token).claims
}

on_every_engine! {
    async fn id_tokens_hold_what_the_granted_scopes_cover_where_the_client_says_scope_oidc_core_5_4(server: Server) {
        let before = id_token(&server.signed_in(&WEB, "openid profile email").await.id_token());
        assert!(before.get("email").is_none() && before.get("name").is_none(), "{before}");

        choose(&server, "id_token_claims = [\"scope\"]");
        let signed_in = server.signed_in(&WEB, "openid profile email offline_access").await;
        let first = id_token(&signed_in.id_token());
        let told = server.userinfo(&signed_in.access_token()).await.succeeded().json();
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(first.get(name), Some(value), "{name} of /userinfo: {first}");
        }
        assert_eq!(first["preferred_username"], "alice");

        let refreshed = server.refresh(&WEB, &signed_in.refresh_token()).await.succeeded();
        let second = id_token(&refreshed.text("id_token"));
        assert_eq!((&second["email"], &second["name"]), (&first["email"], &first["name"]));
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &refreshed.text("refresh_token")),
            ("scope", "openid email"),
        ];
        let narrowed = id_token(&server.token(&WEB, &form).await.succeeded().text("id_token"));
        assert_eq!(narrowed["email"], first["email"]);
        assert!(narrowed.get("name").is_none(), "profile was given up: {narrowed}");

        let less = id_token(&server.signed_in(&WEB, "openid").await.id_token());
        assert!(less.get("email").is_none() && less.get("name").is_none(), "{less}");
    }

    async fn single_standard_claims_need_their_scope_too(server: Server) {
        choose(&server, "id_token_claims = [\"email\", \"preferred_username\", \"groups\"]");
        let claims = id_token(&server.signed_in(&WEB, "openid email").await.id_token());
        assert_eq!(claims["email"], "alice@example.test");
        assert!(claims.get("preferred_username").is_none(), "profile was not granted: {claims}");
        let claims = id_token(&server.signed_in(&WEB, "openid profile").await.id_token());
        assert_eq!(claims["preferred_username"], "alice");
        assert!(claims.get("email").is_none() && claims.get("name").is_none(), "{claims}");
    }

    async fn consent_is_not_asked_again_for_what_the_scopes_cover(server: Server) {
        let browser = crate::support::browser::Browser::new(&server);
        let authorization = || Authorization::of(&WEB, "openid email");
        server.signed_in_with(&browser, &WEB, authorization()).await;
        choose(&server, "id_token_claims = [\"scope\"]");
        let silent = authorization().with("prompt", "none");
        let answer = browser.get(&silent.url(&server)).await;
        let to = answer.location().unwrap();
        assert!(to.query_pairs().any(|(name, _)| name == "code"), "{to}");
    }
}

#[tokio::test]
async fn unknown_claims_are_named_with_what_was_meant() {
    use crate::support::engines::Engine;
    let server = Server::start(Engine::Sqlite);
    for (line, says) in [
        ("id_token_claims = [\"emial\"]", "did you mean \"email\"?"),
        ("id_token_claims = [\"scop\"]", "did you mean \"scope\"?"),
        (
            "access_token_claims = [\"group\"]",
            "did you mean \"groups\"?",
        ),
        ("access_token_claims = [\"email\"]", "expected roles"),
        ("userinfo_claims = [\"scope\"]", "expected roles"),
    ] {
        let file = server.directory().join("wrong.toml");
        let client = format!(
            "[[clients]]\nclient_id = \"new\"\nredirect_uris = [\"https://a.test/\"]\n{line}\n"
        );
        std::fs::write(&file, client).unwrap();
        let refused = server.signet(&["apply", "-f", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            !refused.status.success() && said.contains(says),
            "{line}: {said}"
        );
    }
}

#[tokio::test]
async fn a_client_with_a_secret_gets_scope_by_default_on_the_command_line_alone() {
    use crate::support::engines::Engine;
    let server = Server::start(Engine::Sqlite);
    let create = |id: &str, more: &[&str]| {
        let common = [
            "client",
            "create",
            id,
            "--redirect-uri",
            "https://a.test/cb",
            "--scope",
            "openid email",
        ];
        server.signet_ok(&[&common[..], more].concat());
    };
    create("with-secret", &[]);
    create("public", &["--auth-method", "none"]);
    create("worker", &["--grant-type", "client_credentials"]);
    server
        .apply("[[clients]]\nclient_id = \"document\"\nredirect_uris = [\"https://a.test/cb\"]\n");
    let exported = server.signet_ok(&["client", "list", "--json"]);
    let listed: Value = serde_json::from_str(&exported).unwrap();
    let claims_of = |id: &str| {
        let all = listed
            .as_array()
            .or_else(|| listed["clients"].as_array())
            .unwrap();
        let one = all.iter().find(|client| client["client_id"] == id).unwrap();
        one.get("id_token_claims").cloned().unwrap_or(Value::Null)
    };
    assert_eq!(claims_of("with-secret"), serde_json::json!(["scope"]));
    for id in ["public", "worker", "document"] {
        assert_eq!(claims_of(id), Value::Null, "{id}");
    }
}
