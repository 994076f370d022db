//! What is wrong with a registration is said where it is written, all of it, and what a default refuses names its switch.

use serde_json::{Value, json};

use super::support::Api;
use crate::support::browser::Browser;
use crate::support::client::{
    Answer, Authentication, Authorization, Client, MACHINE, OWN, SPA, WEB, parameter,
};
use crate::support::engines::on_every_engine;
use crate::support::server::{ALICE, Server};

/// What a failed command says.
fn refused(server: &Server, arguments: &[&str], input: &str) -> String {
    let output = server.signet_with_input(arguments, input);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn apply_refused(server: &Server, document: &str) -> String {
    let file = server.directory().join("refused.toml");
    std::fs::write(&file, document).unwrap();
    refused(server, &["apply", "-f", file.to_str().unwrap()], "")
}

on_every_engine! {
    async fn a_scope_that_does_not_exist_is_a_mistake_wherever_it_is_written(server: Server) {
        let api = Api::robot(&server).await;
        let client = |scope: &str| format!("[[clients]]\nclient_id = \"new\"\nredirect_uris = [\"https://new.example.test/\"]\nscope = \"{scope}\"\n");
        let scope = "openid emial orders:raed groups nothing-like-it";
        let hints = [
            r#"there is no scope "emial"; did you mean "email"?"#,
            r#"there is no scope "orders:raed"; did you mean "orders:read"?"#,
            r#"there is no scope "groups"; claims are chosen by id_token_claims"#,
            r#"there is no scope "nothing-like-it"; add it to the scopes of a resource server"#,
        ];
        let told = apply_refused(&server, &client(scope));
        for hint in hints {
            assert!(told.contains(hint), "{hint} is missing in {told}");
        }
        let told = refused(&server, &["client", "create", "new", "--redirect-uri", "https://new.example.test/", "--scope", scope], "");
        for hint in hints {
            assert!(told.contains(hint), "{hint} is missing in {told}");
        }
        let body = json!({ "client_id": "new", "redirect_uris": ["https://new.example.test/"], "scope": scope });
        let problem = api.post("/v1/clients", body).await.problem(422, "unknown_reference");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), hints.len(), "{problem}");
        for hint in hints {
            assert!(errors.iter().any(|error| error["param"] == "scope" && error["detail"].as_str().unwrap().contains(hint)), "{problem}");
        }
        api.get("/v1/clients/new").await.problem(404, "not_found");

        // Scopes that the same document gives a resource server are there; those that it takes away are not.
        let resource = |scopes: &str| format!("[[resources]]\nidentifier = \"https://new-api.example.test\"\nscopes = [{scopes}]\n");
        server.apply(&format!("{}{}", resource("\"invoices:read\", \"invoices:write\""), client("openid invoices:read invoices:write orders:read")));
        let told = apply_refused(&server, &format!("{}{}", resource("\"invoices:read\""), client("openid invoices:read invoices:write")));
        assert!(told.contains(r#"there is no scope "invoices:write"; did you mean "invoices:read"?"#), "{told}");
        let pruned = server.directory().join("pruned.toml");
        std::fs::write(&pruned, client("openid invoices:read")).unwrap();
        let told = refused(&server, &["apply", "-f", pruned.to_str().unwrap(), "--prune", "--dry-run"], "");
        assert!(told.contains(r#"there is no scope "invoices:read""#), "{told}");

        // An act on something else does not fail for a resource server that went, and gives nothing new.
        api.delete("/v1/resources/https%3A%2F%2Fnew-api.example.test").await.done(204);
        api.patch("/v1/clients/new", json!({ "client_name": "New" })).await.done(200);
        api.patch("/v1/clients/new", json!({ "scope": "openid invoices:read" })).await.done(200);
        api.patch("/v1/clients/new", json!({ "scope": "openid invoices:read invoices:write" })).await.problem(422, "unknown_reference");
    }

    async fn every_wrong_address_and_every_other_mistake_is_reported(server: Server) {
        let api = Api::robot(&server).await;
        let wrong = ["http://one.example.test/cb", "https://two.example.test/#x", "https://*.three.example.test/"];
        let addresses = json!(wrong).to_string();
        let told = apply_refused(&server, &format!(
            "[[clients]]\nclient_id = \"new\"\nredirect_uris = {addresses}\npost_logout_redirect_uris = {addresses}\naccess_token_lifetime = 0\n"
        ));
        let mut create = vec!["client", "create", "new"];
        for uri in wrong {
            create.extend(["--redirect-uri", uri]);
        }
        let created = refused(&server, &create, "");
        let body = json!({ "redirect_uris": wrong, "post_logout_redirect_uris": wrong, "access_token_lifetime": 0 });
        let problem = api.post("/v1/clients", body).await.problem(422, "invalid_param");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 7, "{problem}");
        for uri in wrong {
            assert_eq!(told.matches(uri).count(), 2, "{uri}: {told}");
            assert_eq!(created.matches(uri).count(), 1, "{uri}: {created}");
            let count = errors.iter().filter(|error| error["detail"].as_str().unwrap().contains(uri)).count();
            assert_eq!(count, 2, "{uri}: {problem}");
        }
        assert!(told.contains("access_token_lifetime"), "{told}");
    }

    async fn the_page_and_the_log_name_the_client_the_sent_and_the_nearest_address(server: Server) {
        for (uri, nearest, differs) in [
            ("https://web.example.test/callback/", WEB.redirect_uri, "the final /"),
            ("http://web.example.test/callback", WEB.redirect_uri, "the scheme"),
            ("https://web.example.test/other?kept=2", "https://web.example.test/other?kept=1", "the query"),
            ("https://attacker.example.test/callback", WEB.redirect_uri, "the host"),
        ] {
            let request = Authorization::of(&WEB, "openid").with("redirect_uri", uri);
            let page = Browser::new(&server).get(&request.url(&server)).await;
            page.is_error_page(400);
            let told = page.text_of(".lead");
            let log = server.log();
            for word in ["Web shop (web)", uri, nearest, differs] {
                assert!(told.contains(word), "{word} is missing in {told}");
                assert!(log.lines().any(|line| line.contains(word) && line.contains(uri)), "{word} is missing in the log");
            }
        }
        // Nothing of it is markup, a link or a second line, and it is not long.
        let long = format!("https://web.example.test/{}", "x".repeat(3000));
        for (uri, shown) in [
            ("https://web.example.test/<script>alert(1)</script>", "https://web.example.test/<script>alert(1)</script>"),
            ("https://web.example.test/\u{202e}x y", "https://web.example.test/%E2%80%AEx%20y"),
            (long.as_str(), "xxx…"),
        ] {
            let request = Authorization::of(&WEB, "openid").with("redirect_uri", uri);
            let page = Browser::new(&server).get(&request.url(&server)).await;
            page.is_error_page(400);
            let told = page.text_of(".lead");
            assert!(told.contains(shown) && told.len() < 1000, "{told}");
            assert!(!page.body.contains("<script>alert") && !page.body.contains("href=\"https://web.example.test"), "{}", page.body);
        }
        let unknown = Authorization::of(&WEB, "openid").with("client_id", "wbe");
        let page = Browser::new(&server).get(&unknown.url(&server)).await;
        assert!(page.is_error_page(400).text_of(".lead").contains("client_id wbe"), "{}", page.body);
    }

    async fn a_request_without_pkce_is_told_the_switch_and_the_command_line_has_it(server: Server) {
        let refusal = async |client: &Client| {
            let request = Authorization::of(client, "openid").without("code_challenge").without("code_challenge_method");
            let url = Browser::new(&server).get(&request.url(&server)).await.left_to();
            assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{url}");
            parameter(&url, "error_description").unwrap()
        };
        let told = refusal(&WEB).await;
        assert!(told.contains("require_pkce = false") && told.contains("S256"), "{told}");
        // A public client has no switch.
        let told = refusal(&SPA).await;
        assert!(!told.contains("require_pkce"), "{told}");

        let create = ["client", "create", "old", "--redirect-uri", "https://old.example.test/callback", "--require-pkce", "false", "--json"];
        let created: Value = serde_json::from_str(&server.signet_ok(&create)).unwrap();
        assert!(created["client_secret"].is_string(), "{created}");
        let old = Client { id: "old", redirect_uri: "https://old.example.test/callback", ..WEB };
        let request = Authorization::of(&old, "openid").without("code_challenge").without("code_challenge_method");
        let callback = Browser::new(&server).sign_in_and_authorize(&request.url(&server), ALICE).await;
        assert!(parameter(&callback, "code").is_some(), "{callback}");
        let public = ["client", "create", "p", "--redirect-uri", "https://p.example.test/", "--auth-method", "none", "--require-pkce", "false"];
        let told = refused(&server, &public, "");
        assert!(told.contains("require_pkce"), "{told}");
    }

    async fn what_a_registration_leaves_out_is_told_with_its_switch(server: Server) {
        let refusal = async |request: Authorization| {
            let url = Browser::new(&server).get(&request.url(&server)).await.left_to();
            parameter(&url, "error_description").unwrap_or_else(|| panic!("{url}"))
        };
        server.apply("[[clients]]\nclient_id = \"bare\"\nclient_secret = \"bare-secret-that-is-long-enough-for-anyone\"\nredirect_uris = [\"https://bare.example.test/\"]\n");
        let bare = Client { id: "bare", redirect_uri: "https://bare.example.test/", authentication: Authentication::Basic("bare-secret-that-is-long-enough-for-anyone") };
        for (request, switch) in [
            (Authorization::of(&bare, "offline_access"), "refresh_token in its grant_types"),
            (Authorization::of(&bare, "orders:read"), "the client's scope"),
            (Authorization::of(&bare, "openid").with("resource", "https://api.example.test"), "default_resource"),
            (Authorization::of(&Client { redirect_uri: WEB.redirect_uri, ..WEB }, "openid").with("resource", "https://stock.example.test"), "the client's scope"),
        ] {
            let told = refusal(request).await;
            assert!(told.contains(switch), "{switch} is missing in {told}");
        }
        for (form, switch) in [
            (&[("grant_type", "client_credentials")][..], "grant_types"),
            (&[("grant_type", "refresh_token"), ("refresh_token", "x")], "grant_types"),
        ] {
            let answer = server.token(&bare, form).await.failed(400, "unauthorized_client");
            assert!(answer.text("error_description").contains(switch), "{answer:?}");
        }
        for (scope, switch) in [("stock:read", "in this client's scope"), ("openid", "about a person")] {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            let answer = server.token(&MACHINE, &form).await.failed(400, "invalid_scope");
            assert!(answer.text("error_description").contains(switch), "{answer:?}");
        }
        let browser = Browser::new(&server);
        browser.sign_in_and_authorize(&Authorization::of(&OWN, "openid").url(&server), ALICE).await;
        let url = browser.get(&Authorization::of(&WEB, "openid").with("prompt", "none").url(&server)).await.left_to();
        assert_eq!(parameter(&url, "error").as_deref(), Some("consent_required"), "{url}");
        assert!(parameter(&url, "error_description").unwrap().contains("first_party = true"), "{url}");
        // What is left out without a word is in the log.
        let callback = Browser::new(&server).sign_in_and_authorize(&Authorization::of(&bare, "openid offline_access").url(&server), ALICE).await;
        assert!(parameter(&callback, "code").is_some());
        assert!(server.log().contains("refresh_token is not among the client's grant_types"), "{}", server.log());
        let callback = Browser::new(&server).sign_in_and_authorize(&Authorization::of(&bare, "openid orders:read").url(&server), ALICE).await;
        assert!(parameter(&callback, "code").is_some());
        assert!(server.log().contains("asked for the scope orders:read"), "{}", server.log());
    }

    async fn a_method_that_is_not_written_stays_so_in_v1_and_on_the_command_line(server: Server) {
        let api = Api::robot(&server).await;
        let body = json!({ "client_id": "plain", "grant_types": ["client_credentials"] });
        let created = api.post("/v1/clients", body).await.done(201).json();
        let secret = created["client_secret"].as_str().unwrap();
        let method = |client: &Value| client.get("token_endpoint_auth_method").cloned();
        assert_eq!(method(&created), None);
        assert_eq!(method(&api.get("/v1/clients/plain").await.done(200).json()), None);
        let listed: Value = serde_json::from_str(&server.signet_ok(&["client", "list", "--json"])).unwrap();
        let listed = listed["clients"].as_array().unwrap().iter().find(|it| it["client_id"] == "plain").unwrap().clone();
        assert_eq!(method(&listed), None);
        let in_the_body = async || {
            let form = [("grant_type", "client_credentials"), ("client_id", "plain"), ("client_secret", secret)];
            Answer::to(server.http().post(server.url("/token")).form(&form)).await.status
        };
        assert_eq!(in_the_body().await, 200);
        let written = api.patch("/v1/clients/plain", json!({ "token_endpoint_auth_method": "client_secret_basic" })).await.done(200).json();
        assert_eq!(method(&written), Some(json!("client_secret_basic")));
        assert_eq!(in_the_body().await, 401);
        let left_out = api.patch("/v1/clients/plain", json!({ "token_endpoint_auth_method": null })).await.done(200).json();
        assert_eq!(method(&left_out), None);
        assert_eq!(in_the_body().await, 200);
    }
}
