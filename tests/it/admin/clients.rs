//! Applications and resource servers through the API.

use serde_json::json;

use super::support::Api;
use crate::support::browser::Browser;
use crate::support::client::{Answer, Authentication, Authorization, Client, WEB, basic};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

async fn authenticates(server: &Server, id: &str, secret: &str) -> bool {
    let request = server
        .http()
        .post(server.url("/token"))
        .header("authorization", basic(id, secret));
    Answer::to(request.form(&[("grant_type", "client_credentials")]))
        .await
        .status
        == 200
}

on_every_engine! {
    async fn a_scheme_without_a_domain_name_is_an_operator_s_choice_rfc8252_7_1(server: Server) {
        let document = |uri: &str| format!(
            "[[clients]]\nclient_id = \"app\"\napplication_type = \"native\"\nredirect_uris = [{uri:?}]\n\
            grant_types = [\"authorization_code\"]\ntoken_endpoint_auth_method = \"none\"\nscope = \"openid\"\n"
        );
        server.apply(&document("myapp:/cb"));
        let app = Client { id: "app", redirect_uri: "myapp:/cb", authentication: Authentication::None };
        server.signed_in_with(&Browser::new(&server), &app, Authorization::of(&app, "openid")).await;

        let api = Api::robot(&server).await;
        let body = |id: &str, uri: &str| json!({
            "client_id": id, "application_type": "native", "redirect_uris": [uri], "token_endpoint_auth_method": "none",
        });
        let refused = api.post("/v1/clients", body("other", "myapp:/cb")).await.problem(422, "invalid_param");
        assert_eq!(refused["param"], "redirect_uris", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("only an operator"), "{refused}");
        api.post("/v1/clients", body("reversed", "com.example.app:/cb")).await.done(201);
        // What the operator chose stays while other members change.
        api.patch("/v1/clients/app", json!({ "client_name": "App" })).await.done(200);
        for (field, uri) in [("redirect_uris", "otherapp:/cb"), ("post_logout_redirect_uris", "myapp:/bye")] {
            let refused = api.patch("/v1/clients/app", json!({ field: [uri] })).await;
            assert_eq!(refused.problem(422, "invalid_param")["param"], field);
        }
        for uri in ["javascript:x", "data:x", "file:///x", "mailto:a@a.example", "tel:1", "intent:x", "ms-settings:x", "view-source:x", "web+app:x"] {
            let problem = api.post("/v1/clients", body("bad", uri)).await.problem(422, "invalid_param");
            assert_eq!(problem["param"], "redirect_uris", "{uri}: {problem}");
            let file = server.directory().join("bad.toml");
            std::fs::write(&file, document(uri)).unwrap();
            let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
            assert!(!output.status.success() && said.contains("no response may be sent to"), "{uri}: {said}");
        }
    }

    async fn an_application_is_registered_and_changes_its_secret(server: Server) {
        let api = Api::robot(&server).await;
        let created = api.post("/v1/clients", json!({
            "client_id": "job", "client_name": "Night job", "grant_types": ["client_credentials"], "scope": "orders:read",
        })).await.done(201);
        let first = created.text("client_secret");
        assert!(first.starts_with("sgs_"), "{created:?}");
        assert!(authenticates(&server, "job", &first).await);
        let shown = api.get("/v1/clients/job").await.done(200);
        assert!(!shown.body.contains("client_secret\"") && !shown.body.contains(&first), "{shown:?}");
        assert_eq!((&shown.json()["client_name"], shown.json()["secrets"].as_array().unwrap().len()), (&json!("Night job"), 1));

        // Two live secrets while the operator changes over.
        let second = api.post("/v1/clients/job/secrets", json!({})).await.done(201);
        assert_eq!(second.json()["secrets"].as_array().unwrap().len(), 2);
        let second = second.text("client_secret");
        assert!(authenticates(&server, "job", &first).await && authenticates(&server, "job", &second).await);
        let third = api.post("/v1/clients/job/secrets", json!({ "keep": 0 })).await.done(201).text("client_secret");
        assert!(authenticates(&server, "job", &third).await);
        assert!(!authenticates(&server, "job", &second).await && !authenticates(&server, "job", &first).await);

        // The secret of a repeated request is the same one.
        let create = async || {
            let request = api.request(reqwest::Method::POST, "/v1/clients").header("idempotency-key", "once");
            Answer::to(request.json(&json!({ "grant_types": ["client_credentials"] }))).await.done(201)
        };
        let (one, two) = (create().await, create().await);
        assert_eq!(one.body, two.body);
        assert!(authenticates(&server, &one.text("client_id"), &one.text("client_secret")).await);

        api.delete("/v1/clients/job").await.done(204);
        assert!(!authenticates(&server, "job", &third).await);
        api.get("/v1/clients/job").await.problem(404, "not_found");
    }

    async fn an_application_is_changed_and_disabled(server: Server) {
        let api = Api::robot(&server).await;
        let changed = api.patch("/v1/clients/web", json!({ "client_name": null, "redirect_uris": ["https://web.example.test/callback"] })).await.done(200).json();
        assert_eq!((changed.get("client_name"), &changed["redirect_uris"]), (None, &json!(["https://web.example.test/callback"])));
        let wrong = api.patch("/v1/clients/web", json!({ "redirect_uris": ["web.example.test"] })).await.problem(422, "invalid_param");
        assert_eq!(wrong["errors"][0]["param"], "redirect_uris");
        api.patch("/v1/clients/web", json!({ "redirect_uri": "x" })).await.problem(400, "unknown_param");
        api.patch("/v1/clients/web", json!({ "grant_types": ["magic"] })).await.problem(422, "invalid_param");

        let tokens = server.signed_in(&WEB, "openid").await;
        api.patch("/v1/clients/web", json!({ "disabled": true })).await.done(200);
        server.assert_inactive(&tokens.access_token()).await;
        assert_eq!(server.refresh(&WEB, &tokens.refresh_token()).await.status, 401);
        api.patch("/v1/clients/web", json!({ "disabled": false })).await.done(200);
        server.assert_inactive(&tokens.access_token()).await;
        api.post("/v1/clients", json!({ "client_id": "web", "grant_types": ["client_credentials"] })).await.problem(409, "exists");
        api.get("/v1/clients/na%20me").await.problem(404, "not_found");
    }

    async fn default_acr_values_are_stored_as_they_are_and_told_oidc_registration_2(server: Server) {
        let api = Api::robot(&server).await;
        let two = json!(["urn:signet:acr:password", "urn:nobody:knows"]);
        let created = api.post("/v1/clients", json!({
            "client_id": "strict", "redirect_uris": ["https://strict.example.test/callback"], "default_acr_values": two,
        })).await.done(201).json();
        assert_eq!(created["default_acr_values"], two);
        let shown = async || api.get("/v1/clients/strict").await.done(200).json().get("default_acr_values").cloned();
        assert_eq!(shown().await, Some(two));
        let changed = api.patch("/v1/clients/strict", json!({ "default_acr_values": ["urn:other"] })).await.done(200).json();
        assert_eq!(changed["default_acr_values"], json!(["urn:other"]));
        let wrong = api.patch("/v1/clients/strict", json!({ "default_acr_values": "urn:other" })).await.problem(422, "invalid_param");
        assert_eq!(wrong["errors"][0]["param"], "default_acr_values");

        // A document says the whole of the client.
        let document = "[[clients]]\nclient_id = \"strict\"\nredirect_uris = [\"https://strict.example.test/callback\"]\n";
        server.apply(&format!("{document}default_acr_values = [\"urn:a\", \"urn:b\"]\n"));
        assert_eq!(shown().await, Some(json!(["urn:a", "urn:b"])));
        server.apply(document);
        assert_eq!(shown().await, None);
    }

    async fn a_resource_server_is_registered_under_its_uri(server: Server) {
        let api = Api::robot(&server).await;
        let created = api.post("/v1/resources", json!({
            "identifier": "https://files.example.test/v2", "scopes": ["files:read", "files:write"],
            "scope_permissions": { "files:write": "file:write" },
        })).await.done(201);
        let path = created.header("location").to_owned();
        assert_eq!(path, "/v1/resources/https%3A%2F%2Ffiles.example.test%2Fv2");
        assert_eq!(api.get(&path).await.done(200).json(), created.json());
        let changed = api.patch(&path, json!({ "scopes": ["files:read"], "scope_permissions": null })).await.done(200).json();
        assert_eq!((&changed["scopes"], &changed["scope_permissions"]), (&json!(["files:read"]), &json!({})));
        api.post("/v1/resources", json!({ "identifier": "https://files.example.test/v2" })).await.problem(409, "exists");
        api.post("/v1/resources", json!({ "identifier": "files" })).await.problem(422, "invalid_param");
        api.patch(&path, json!({ "scope_permissions": { "files:read": "nonsense" } })).await.problem(422, "invalid_param");
        api.delete(&path).await.done(204);
        api.get(&path).await.problem(404, "not_found");
    }

    async fn the_openapi_document_names_every_operation(server: Server) {
        let document = Answer::to(server.http().get(server.url("/v1/openapi.json"))).await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        let text = document.to_string();
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["operationId"].is_string() && operation["responses"]["401"].is_object(), "{method} {path}");
            }
        }
        // Every reference leads somewhere.
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
