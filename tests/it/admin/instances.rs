//! What is changed at one instance decides at another within a second.

use std::time::Duration;

use serde_json::json;

use super::support::Api;
use crate::support::client::Answer;
use crate::support::engines::Engine;
use crate::support::patience::within;
use crate::support::server::{ALICE, Server};

const JUDGE: (&str, &str) = ("judge", "judge-secret-that-is-long-enough-for-anyone");

const DOCUMENT: &str = r#"
[[clients]]
client_id = "judge"
client_secret = "judge-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
scope = "signet:decide"
"#;

async fn may_read(instance: &Server) -> bool {
    let body = json!({
        "subject": { "type": "user", "id": ALICE.0 },
        "action": { "name": "read" },
        "resource": { "type": "Document", "id": "1" },
    });
    let request = instance.http().post(instance.url("/access/v1/evaluation"));
    let answer = Answer::to(request.basic_auth(JUDGE.0, Some(JUDGE.1)).json(&body)).await;
    answer.done(200).json()["decision"].as_bool().unwrap()
}

/// Every instance comes to say so within a second, and stays with it.
async fn all_say(instances: [&Server; 2], allowed: bool, why: &str) {
    for instance in instances {
        let says_so = async || may_read(instance).await == allowed;
        within(Duration::from_secs(1), why, says_so).await;
    }
    for instance in instances {
        assert_eq!(may_read(instance).await, allowed, "{why}");
    }
}

#[tokio::test]
async fn a_change_decides_at_another_instance_within_a_second_postgres() {
    decides_elsewhere(Server::start(Engine::Postgres)).await;
}

#[tokio::test]
async fn a_change_decides_at_another_instance_within_a_second_postgres_redis() {
    decides_elsewhere(Server::start(Engine::PostgresRedis)).await;
}

async fn decides_elsewhere(server: Server) {
    let other = server.second_instance();
    let both = [&server, &other];
    server.apply(DOCUMENT);
    let api = Api::robot(&server).await;
    let alice = api.get("/v1/users?q=alice").await.done(200).json()["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    api.post("/v1/roles", json!({ "name": "reader" }))
        .await
        .done(201);
    let given = api
        .post(
            "/v1/assignments",
            json!({ "user_id": alice, "role": "reader" }),
        )
        .await
        .done(201);
    all_say(both, false, "a role without permissions").await;

    api.patch(
        "/v1/roles/reader",
        json!({ "permissions": ["Document:read"] }),
    )
    .await
    .done(200);
    all_say(both, true, "a permission that was given to a role").await;
    api.patch(
        "/v1/roles/reader",
        json!({ "permissions": ["Document:write"] }),
    )
    .await
    .done(200);
    all_say(both, false, "a permission that was taken from a role").await;
    api.patch(
        "/v1/roles/reader",
        json!({ "permissions": ["Document:read"] }),
    )
    .await
    .done(200);
    all_say(both, true, "a permission that was given back").await;

    let forbid =
        json!({ "id": "closed", "cedar": "forbid(principal, action, resource is Document);" });
    api.post("/v1/policies", forbid).await.done(201);
    all_say(both, false, "a policy that forbids").await;
    api.patch("/v1/policies/closed", json!({ "enabled": false }))
        .await
        .done(200);
    all_say(both, true, "a policy that was disabled").await;
    api.patch("/v1/policies/closed", json!({ "enabled": true }))
        .await
        .done(200);
    all_say(both, false, "a policy that was enabled").await;
    api.delete("/v1/policies/closed").await.done(204);
    all_say(both, true, "a policy that was deleted").await;

    api.delete(given.header("location")).await.done(204);
    all_say(both, false, "a role that was taken").await;
    api.post("/v1/groups", json!({ "name": "readers" }))
        .await
        .done(201);
    api.post(
        "/v1/assignments",
        json!({ "group": "readers", "role": "reader" }),
    )
    .await
    .done(201);
    let member = format!("/v1/groups/readers/members/{alice}");
    api.put(&member, json!({})).await.done(204);
    all_say(both, true, "a membership that was given").await;
    api.delete(&member).await.done(204);
    all_say(both, false, "a membership that was taken").await;
}
