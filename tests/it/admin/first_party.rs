//! Members of a client that take a question away from people, and names that give it what others are asked for.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::Api;
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const SHOP: &str = "/v1/clients/shop";

fn shop(first_party: bool) -> Value {
    json!({ "client_id": "shop", "client_name": "Shop", "redirect_uris": ["https://shop.example.test/callback"],
        "token_endpoint_auth_method": "client_secret_basic", "first_party": first_party })
}

async fn delegate(server: &Server) -> (Api<'_>, Api<'_>) {
    let robot = Api::robot(server).await;
    let permissions = [
        "signet:clients.read",
        "signet:clients.write",
        "signet:resources.write",
        "signet:attributes.write",
    ];
    let delegate = Api::person(server, "delegate", &permissions).await;
    (robot, delegate)
}

fn refused(answer: Answer) {
    let problem = answer.problem(403, "beyond_your_rights");
    assert!(
        problem["detail"].as_str().unwrap().contains("signet:*"),
        "{problem}"
    );
}

on_every_engine! {
    async fn no_delegate_makes_a_client_that_asks_nobody(server: Server) {
        let (robot, delegate) = delegate(&server).await;
        refused(delegate.post("/v1/clients", shop(true)).await);
        delegate.post("/v1/clients", shop(false)).await.done(201);
        refused(delegate.patch(SHOP, json!({ "first_party": true })).await);
        robot.patch(SHOP, json!({ "first_party": true })).await.done(200);
        // Nor takes it back, which a policy may ask about.
        refused(delegate.patch(SHOP, json!({ "first_party": false })).await);
    }

    async fn no_delegate_changes_who_answers_as_a_first_party_or_what_it_gets(server: Server) {
        let (robot, delegate) = delegate(&server).await;
        robot.post("/v1/clients", shop(true)).await.done(201);
        for change in [
            json!({ "redirect_uris": ["https://shop.example.test/callback", "https://evil.example.test/"] }),
            json!({ "post_logout_redirect_uris": ["https://evil.example.test/"] }),
            json!({ "token_endpoint_auth_method": "client_secret_post" }),
            json!({ "token_endpoint_auth_method": "none" }),
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://evil.example.test/jwks" }),
            json!({ "jwks_uri": "https://evil.example.test/jwks" }),
            json!({ "application_type": "native" }),
            json!({ "grant_types": ["authorization_code", "refresh_token"] }),
            json!({ "scope": "openid profile email" }),
            json!({ "require_pkce": false }),
            json!({ "default_resource": "https://api.example.test" }),
            json!({ "id_token_claims": ["roles"] }),
            json!({ "id_token_claims": ["scope"] }),
            json!({ "groups": ["shop-*"] }),
            json!({ "userinfo_claims": ["groups"] }),
            json!({ "access_token_claims": ["roles"] }),
            json!({ "required_permission": "shop:use" }),
        ] {
            let before = robot.get(SHOP).await.done(200).body;
            let answer = delegate.patch(SHOP, change.clone()).await;
            if answer.status != 422 {
                refused(answer);
            }
            assert_eq!(robot.get(SHOP).await.done(200).body, before, "{change}");
        }
        refused(delegate.post(&format!("{SHOP}/secrets"), json!({})).await);
        // How it looks is theirs to change, as it is of others.
        let change = json!({ "client_name": "The shop", "contacts": ["shop@example.test"], "logo_uri": "https://shop.example.test/logo.png" });
        delegate.patch(SHOP, change).await.done(200);
        robot.patch(SHOP, json!({ "redirect_uris": ["https://shop.example.test/other"] })).await.done(200);
        robot.post(&format!("{SHOP}/secrets"), json!({})).await.done(201);
    }

    async fn what_a_policy_asks_of_a_client_is_not_a_delegates_to_change(server: Server) {
        let (robot, delegate) = delegate(&server).await;
        delegate.post("/v1/clients", shop(false)).await.done(201);
        let trusted = json!({ "attributes": { "trusted": true } });
        delegate.patch(SHOP, trusted.clone()).await.done(200);
        delegate.patch(SHOP, json!({ "attributes": { "trusted": null } })).await.done(200);
        let when = "context has client && context.client has trusted && context.client.trusted";
        let cedar = format!("permit(principal, action, resource is Safe) when {{ {when} }};");
        robot.post("/v1/policies", json!({ "id": "by-client", "cedar": cedar })).await.done(201);
        refused(delegate.patch(SHOP, trusted.clone()).await);
        let mut other = shop(false);
        other["client_id"] = json!("other");
        other["attributes"] = trusted["attributes"].clone();
        refused(delegate.post("/v1/clients", other.clone()).await);
        delegate.patch(SHOP, json!({ "attributes": { "floor": 3 } })).await.done(200);
        delegate.patch(SHOP, json!({ "client_name": "The shop" })).await.done(200);
        robot.patch(SHOP, trusted).await.done(200);
        refused(Answer::to(delegate.request(Method::DELETE, SHOP)).await);
    }

    async fn a_client_called_like_a_resource_server_takes_every_permission(server: Server) {
        let (robot, delegate) = delegate(&server).await;
        let api = "https://pay.example.test";
        robot.post("/v1/resources", json!({ "identifier": api, "scopes": ["orders:read"] })).await.done(201);
        let client = |id: &str| json!({ "client_id": id, "redirect_uris": ["https://shop.example.test/callback"] });
        refused(delegate.post("/v1/clients", client(api)).await);
        // Tokens without a resource are meant for the issuer.
        refused(delegate.post("/v1/clients", client(server.issuer())).await);
        robot.post("/v1/clients", client(api)).await.done(201);
        let path = "/v1/clients/https%3A%2F%2Fpay.example.test";
        refused(delegate.patch(path, json!({ "client_name": "Mine" })).await);
        refused(delegate.post(&format!("{path}/secrets"), json!({})).await);
        refused(Answer::to(delegate.request(Method::DELETE, path)).await);
        // Nor is a resource server called like a client.
        robot.post("/v1/clients", client("https://other.example.test")).await.done(201);
        refused(delegate.post("/v1/resources", json!({ "identifier": "https://other.example.test" })).await);
        delegate.post("/v1/resources", json!({ "identifier": "https://free.example.test" })).await.done(201);
    }
}
