//! Roles and policies decide about Signet itself: who may use a client, and which scopes a person can give.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::client::{Authentication, Authorization, Client, parameter};
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::{ALICE, Server};

const SHOP: Client = Client {
    id: "shop",
    redirect_uri: "https://shop.example.test/callback",
    authentication: Authentication::Basic("shop-secret-that-is-long-enough-for-anyone"),
};

const DOCUMENT: &str = r#"
[[resources]]
identifier = "https://api.example.test"
scopes = ["orders:read", "orders:write"]
scope_permissions = { "orders:write" = "order:write" }

[[clients]]
client_id = "shop"
client_secret = "shop-secret-that-is-long-enough-for-anyone"
client_name = "Shop"
redirect_uris = ["https://shop.example.test/callback"]
grant_types = ["authorization_code", "refresh_token"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid offline_access orders:read orders:write"
required_permission = "shop:use"

[[roles]]
name = "customer"
permissions = ["shop:use"]

[[roles]]
name = "clerk"
parents = ["customer"]
permissions = ["order:write"]
"#;

fn give(server: &Server, roles: &str) {
    server.apply(&format!(
        "[[users]]\nusername = \"{}\"\nroles = {roles}\n",
        ALICE.0
    ));
}

/// Decisions follow a change within a second; the resource servers' scopes within two.
async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(began.elapsed() < Duration::from_secs(4), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

on_every_engine! {
    async fn only_those_with_the_permission_use_the_client(server: Server) {
        server.apply(DOCUMENT);
        let request = Authorization::of(&SHOP, "openid offline_access");
        let browser = Browser::new(&server);
        let login = browser.open(&request.url(&server)).await;
        let refused = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        refused.is_error_page(403);
        assert!(refused.body.contains("Shop") && refused.body.contains("access_denied"), "{refused:?}");
        let silent = request.clone().with("prompt", "none");
        let callback = browser.open(&silent.url(&server)).await.left_to();
        assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));

        give(&server, "[\"customer\"]");
        let page = until("the role does not count", async || {
            Some(browser.open(&request.url(&server)).await).filter(|page| page.has("consent-allow"))
        }).await;
        let callback = browser.submit(&page, "consent-allow", &[]).await.left_to();
        let code = parameter(&callback, "code").unwrap();
        let tokens = server.redeem(&SHOP, &request, &code).await.succeeded();

        give(&server, "[]");
        let refresh_token = tokens.text("refresh_token");
        until("the role still counts", async || {
            let answer = server.refresh(&SHOP, &refresh_token).await;
            (answer.status == 400).then_some(())
        }).await;
        browser.open(&request.url(&server)).await.is_error_page(403);
    }

    async fn policies_see_where_and_how_somebody_signed_in_at_the_browser_and_for_each_token(server: Server) {
        server.apply(DOCUMENT);
        let seen = "context.ip == \"127.0.0.1\" && context.amr.contains(\"pwd\") && context.acr != \"\" \
            && context.auth_age < 3600 && context.client_id == \"shop\" && context.now > 0";
        let policy = |cedar: &str| server.apply(&format!("[[policies]]\nid = \"seen\"\ncedar = '{cedar}'\n"));
        policy(&format!("permit(principal, action == Action::\"use\", resource is shop) when {{ {seen} }};"));
        let request = Authorization::of(&SHOP, "openid offline_access");
        let browser = Browser::new(&server);
        let page = until("the policy does not count", async || {
            let login = browser.open(&request.url(&server)).await;
            let page = if login.has("login-submit") {
                browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await
            } else {
                login
            };
            Some(page).filter(|page| page.has("consent-allow"))
        }).await;
        let callback = browser.submit(&page, "consent-allow", &[]).await.left_to();
        let code = parameter(&callback, "code").unwrap();
        let tokens = server.redeem(&SHOP, &request, &code).await.succeeded();
        let tokens = server.refresh(&SHOP, &tokens.text("refresh_token")).await.succeeded();
        // Whoever signed in longer ago than the policy has it gets no more.
        policy("permit(principal, action == Action::\"use\", resource is shop) when { context.auth_age < 0 };");
        let mut refresh_token = tokens.text("refresh_token");
        until("an older sign-in still counts", async || {
            let answer = server.refresh(&SHOP, &refresh_token).await;
            if answer.status == 200 {
                refresh_token = answer.text("refresh_token");
            }
            (answer.status == 400).then_some(())
        }).await;
    }

    async fn a_client_gets_the_claims_that_it_chose_and_no_others(server: Server) {
        server.apply(DOCUMENT);
        server.apply(&format!(r#"
            [[clients]]
            client_id = "shop"
            client_name = "Shop"
            redirect_uris = ["https://shop.example.test/callback"]
            grant_types = ["authorization_code", "refresh_token"]
            scope = "openid offline_access orders:read"
            access_token_claims = ["roles", "permissions", "org_id"]
            id_token_claims = ["groups", "attributes.department"]
            userinfo_claims = ["roles", "attributes.missing"]

            [[organizations]]
            name = "acme"

            [[groups]]
            name = "germany"
            roles = ["clerk"]

            [[groups]]
            name = "berlin"
            parents = ["germany"]

            [[users]]
            username = "{}"
            groups = ["berlin"]
            organizations = ["acme"]
            attributes = {{ department = "sales" }}
        "#, ALICE.0));
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        let access = Jwt::decode(&tokens.access_token());
        assert_eq!(access.claims["roles"], json!(["clerk", "customer"]));
        assert_eq!(access.claims["permissions"], json!(["order:write", "shop:use"]));
        assert_eq!(access.claims["org_id"], "acme");
        assert_eq!(access.claims.get("groups"), None);
        let id = Jwt::decode(&tokens.id_token());
        assert_eq!((&id.claims["groups"], &id.claims["department"]), (&json!(["berlin", "germany"]), &json!("sales")));
        assert_eq!(id.claims.get("roles"), None);
        let userinfo = server.userinfo(&tokens.access_token()).await.succeeded().json();
        assert_eq!(userinfo["roles"], json!(["clerk", "customer"]));
        assert_eq!(userinfo.get("missing"), None);
        let introspected = server.introspect(&tokens.access_token()).await;
        assert_eq!(introspected["roles"], json!(["clerk", "customer"]));

        // Other clients see none of it, and what is too long is elsewhere.
        let other = server.signed_in(&crate::support::client::WEB, "openid").await;
        assert_eq!(Jwt::decode(&other.access_token()).claims.get("roles"), None);
        let many: Vec<String> = (0..60).map(|n| format!("\"order:{}{n}\"", "x".repeat(80))).collect();
        server.apply(&format!("[[roles]]\nname = \"clerk\"\nparents = [\"customer\"]\npermissions = [{}]\n", many.join(", ")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let refreshed = server.refresh(&SHOP, &tokens.refresh_token()).await.succeeded();
        let access = Jwt::decode(&refreshed.text("access_token"));
        assert_eq!(access.claims["roles"], json!(["clerk", "customer"]));
        assert!(access.claims.get("permissions").is_none() && access.claims["_claim_names"]["permissions"].is_string(), "{:?}", access.claims);
        let introspected = server.introspect(&refreshed.text("access_token")).await;
        assert_eq!(introspected["permissions"].as_array().map(Vec::len), Some(61), "{introspected}");
    }

    async fn a_resource_server_gets_the_claims_that_it_chose_in_tokens_for_it_alone(server: Server) {
        server.apply(DOCUMENT);
        give(&server, "[\"customer\"]");
        let document = |claims: &str| format!(r#"
            [[resources]]
            identifier = "https://api.example.test"
            scopes = ["orders:read"]
            access_token_claims = {claims}
        "#);
        server.apply(&document("[\"roles\"]"));
        assert!(server.apply(&document("[\"roles\"]")).contains("Nothing to change"));
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let for_api = Authorization::of(&SHOP, "openid offline_access orders:read")
            .with("resource", "https://api.example.test");
        let tokens = server.signed_in_with(&Browser::new(&server), &SHOP, for_api).await;
        let access = Jwt::decode(&tokens.access_token());
        assert_eq!(access.claims["roles"], json!(["customer"]), "{:?}", access.claims);
        let elsewhere = server.signed_in(&SHOP, "openid").await;
        assert_eq!(Jwt::decode(&elsewhere.access_token()).claims.get("roles"), None);

        server.apply(&document("[]"));
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let refreshed = server.refresh(&SHOP, &tokens.refresh_token()).await.succeeded();
        assert_eq!(Jwt::decode(&refreshed.text("access_token")).claims.get("roles"), None);
        let file = server.directory().join("refused.toml");
        std::fs::write(&file, document("[\"sub\"]")).unwrap();
        let refused = server.signet(&["apply", "-f", file.to_str().unwrap()]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("access_token_claims"));
    }

    async fn a_resource_server_of_which_nothing_may_be_given_is_not_reached(server: Server) {
        server.apply(DOCUMENT);
        give(&server, "[\"customer\"]");
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let resource = "https://api.example.test";
        let browser = Browser::new(&server);
        let only = Authorization::of(&SHOP, "openid orders:write").with("resource", resource);
        let login = browser.open(&only.url(&server)).await;
        let refused = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        refused.is_error_page(403);
        let some = Authorization::of(&SHOP, "openid orders:read orders:write").with("resource", resource);
        let consent = browser.open(&some.url(&server)).await;
        let callback = browser.submit(&consent, "consent-allow", &[]).await.left_to();
        let tokens = server.redeem(&SHOP, &some, &parameter(&callback, "code").unwrap()).await.succeeded();
        assert_eq!(tokens.text("scope"), "openid orders:read");
    }

    async fn who_loses_the_permission_before_the_code_is_exchanged_gets_nothing(server: Server) {
        server.apply(DOCUMENT);
        give(&server, "[\"customer\"]");
        let request = Authorization::of(&SHOP, "openid");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        give(&server, "[]");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let code = parameter(&callback, "code").unwrap();
        server.redeem(&SHOP, &request, &code).await.failed(400, "invalid_grant");
        // It was not used up: whoever gets the permission back in time may go on.
        give(&server, "[\"customer\"]");
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.redeem(&SHOP, &request, &code).await.succeeded();
    }

    async fn who_comes_back_still_has_their_refresh_token(server: Server) {
        server.apply(DOCUMENT);
        give(&server, "[\"customer\"]");
        let tokens = server.signed_in(&SHOP, "openid offline_access").await;
        give(&server, "[]");
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.refresh(&SHOP, &tokens.refresh_token()).await.failed(400, "invalid_grant");
        give(&server, "[\"customer\"]");
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.refresh(&SHOP, &tokens.refresh_token()).await.succeeded();
    }

    async fn a_scope_that_requires_a_permission_is_given_by_those_who_have_it(server: Server) {
        server.apply(DOCUMENT);
        give(&server, "[\"customer\"]");
        // The scopes' permissions are kept for two seconds.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let request = Authorization::of(&SHOP, "openid offline_access orders:read orders:write");
        let browser = Browser::new(&server);
        let login = browser.open(&request.url(&server)).await;
        let consent = browser.submit(&login, "login-submit", &[("username", ALICE.0), ("password", ALICE.1)]).await;
        assert!(consent.body.contains("orders:read") && !consent.body.contains("orders:write"), "{consent:?}");
        let callback = browser.submit(&consent, "consent-allow", &[]).await.left_to();
        let tokens = server.redeem(&SHOP, &request, &parameter(&callback, "code").unwrap()).await.succeeded();
        assert_eq!(tokens.text("scope"), "offline_access openid orders:read");

        give(&server, "[\"clerk\"]");
        let page = until("the role does not count", async || {
            Some(browser.open(&request.url(&server)).await).filter(|page| page.has("consent-allow"))
        }).await;
        assert!(page.body.contains("orders:write"), "what is new is asked for");
        let callback = browser.submit(&page, "consent-allow", &[]).await.left_to();
        let tokens = server.redeem(&SHOP, &request, &parameter(&callback, "code").unwrap()).await.succeeded();
        assert_eq!(tokens.text("scope"), "offline_access openid orders:read orders:write");

        give(&server, "[\"customer\"]");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let refreshed = server.refresh(&SHOP, &tokens.text("refresh_token")).await.succeeded();
        assert_eq!(refreshed.text("scope"), "offline_access openid orders:read", "what was taken away is gone");
    }
}

#[tokio::test]
async fn permissions_that_are_none_are_refused() {
    let server = Server::start(crate::support::engines::Engine::Sqlite);
    let file = server.directory().join("refused.toml");
    for (text, said) in [
        (
            DOCUMENT.replace(
                "required_permission",
                "id_token_claims = [\"attributes.email\"]\nrequired_permission",
            ),
            "id_token_claims",
        ),
        (
            DOCUMENT.replace(
                "required_permission",
                "access_token_claims = [\"attributes.sub\"]\nrequired_permission",
            ),
            "access_token_claims",
        ),
        (
            DOCUMENT.replace("\"shop:use\"\n\n[[roles]]", "\"shop\"\n\n[[roles]]"),
            "required_permission",
        ),
        (
            DOCUMENT.replace("\"order:write\" }", "\"order\" }"),
            "scope_permissions",
        ),
        (
            DOCUMENT.replace("{ \"orders:write\"", "{ \"orders:delete\""),
            "not among the scopes",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(said), "{stderr}");
    }
}
