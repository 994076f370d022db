//! The audit trail, keys, webhooks and limits through the API.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, PASSWORD, id_of};
use crate::support::client::{Answer, WEB};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::{ALICE, Server};

async fn events(api: &Api<'_>, query: &str) -> Vec<Value> {
    let page = api
        .get(&format!("/v1/audit_events?limit=100&{query}"))
        .await;
    page.done(200).json()["data"].as_array().unwrap().clone()
}

on_every_engine! {
    async fn every_act_is_an_event_of_whoever_did_it(server: Server) {
        let robot = Api::robot(&server).await;
        let admin = Api::person(&server, "root", &["signet:*"]).await;
        let root_id = id_of(&robot, "root").await;
        let created = admin.post("/v1/users", json!({ "username": "carol", "password": PASSWORD })).await.done(201);
        let carol = created.text("id");
        let path = format!("/v1/users/{carol}");
        admin.patch(&path, json!({ "email": "carol@example.test" })).await.done(200);
        admin.patch(&path, json!({ "disabled": true })).await.done(200);
        admin.post("/v1/roles", json!({ "name": "reader", "permissions": ["Document:read"] })).await.done(201);
        admin.post("/v1/assignments", json!({ "user_id": carol, "role": "reader" })).await.done(201);
        admin.delete(&path).await.done(204);

        let about = events(&robot, &format!("subject={carol}&actor={root_id}")).await;
        let mut kinds: Vec<&str> = about.iter().map(|event| event["type"].as_str().unwrap()).collect();
        kinds.dedup();
        for expected in ["user.created", "user.updated", "user.disabled", "assignment.created", "user.deleted"] {
            assert!(kinds.contains(&expected), "{expected} is missing from {kinds:?}");
        }
        let first = about.iter().find(|event| event["type"] == "user.created").unwrap();
        assert_eq!(first["actor"], json!({ "kind": "person", "id": root_id, "client_id": "desk" }));
        assert_eq!((&first["request_id"], &first["ip"]), (&json!(created.header("x-request-id")), &json!("127.0.0.1")));
        assert_eq!(first["after"]["username"], "carol");
        let all = about.iter().map(Value::to_string).collect::<String>();
        assert!(!all.contains(PASSWORD) && !all.contains("argon2"), "{all}");
        let changed = about.iter().find(|event| event["type"] == "user.updated").unwrap();
        assert_eq!(changed["after"]["email"], "carol@example.test");

        let role = events(&robot, "target_type=role&target_id=reader&type=role.created").await;
        assert_eq!(role.len(), 1);
        assert_eq!(events(&robot, "since=2999-01-01T00:00:00Z").await, Vec::<Value>::new());
        robot.get("/v1/audit_events?type=user.creatd").await.problem(400, "unknown_param");
        robot.get("/v1/audit_events?since=yesterday").await.problem(400, "invalid_param");
        let one = format!("/v1/audit_events/{}", first["id"].as_str().unwrap());
        assert_eq!(robot.get(&one).await.done(200).json()["type"], "user.created");
        robot.get("/v1/audit_events/nothing").await.problem(404, "not_found");
        let clerk = Api::person(&server, "clerk", &["signet:users.read"]).await;
        clerk.get("/v1/audit_events").await.problem(403, "forbidden");

        let verified = server.signet_ok(&["audit", "verify", "--json"]);
        let verified: Value = serde_json::from_str(&verified).unwrap();
        assert!(verified["events"].as_i64().unwrap() > 10, "{verified}");
    }

    async fn a_refusal_is_an_event_with_its_reason(server: Server) {
        let api = Api::robot(&server).await;
        let clerk = Api::person(&server, "clerk", &[]).await;
        let http = server.http();
        for path in ["/v1/users", "/userinfo", "/access/v1/evaluation"] {
            let url = server.url(path);
            let request = if path == "/access/v1/evaluation" { http.post(url).json(&json!({})) } else { http.get(url) };
            assert_eq!(Answer::to(request.bearer_auth("nonsense")).await.status, 401, "{path}");
        }
        let question = json!({ "subject": { "type": "user", "id": "clerk" }, "action": { "name": "x" }, "resource": { "type": "y", "id": "z" } });
        let url = server.url("/access/v1/evaluation");
        assert_eq!(Answer::to(http.post(url).json(&question).bearer_auth(clerk.token())).await.status, 403);
        clerk.get("/v1/users").await.problem(403, "forbidden");
        assert_eq!(Answer::to(http.get(server.url("/setup?token=guessed"))).await.status, 404);
        let expected = [
            ("not one of ours", 3),
            ("asking for decisions needs the scope", 1),
            ("signet:users.read", 1),
            ("the set-up link is not valid", 1),
        ];
        let began = std::time::Instant::now();
        loop {
            let events = events(&api, "type=access.denied").await;
            let told = |reason: &str| events.iter().filter(|event| event["detail"]["reason"].as_str().is_some_and(|it| it.contains(reason))).count();
            if expected.iter().all(|(reason, times)| told(reason) == *times) {
                assert!(events.iter().all(|event| event["ip"].is_string() && event["request_id"].is_string()), "{events:#?}");
                break;
            }
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "{events:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    async fn what_was_undone_is_no_event(server: Server) {
        let robot = Api::robot(&server).await;
        robot.post("/v1/users", json!({ "username": ALICE.0 })).await.problem(409, "exists");
        robot.post("/v1/roles", json!({ "name": "x", "permissions": ["nonsense"] })).await.problem(422, "invalid_param");
        assert_eq!(events(&robot, "type=role.created&actor_kind=client").await, Vec::<Value>::new());
        assert_eq!(events(&robot, "type=user.updated&actor_kind=client").await, Vec::<Value>::new());
        // A repeated request is one act.
        for _ in 0..3 {
            let request = robot.request(Method::POST, "/v1/users").header("idempotency-key", "one");
            Answer::to(request.json(&json!({ "username": "once" }))).await.done(201);
        }
        assert_eq!(events(&robot, "type=user.created&actor_kind=client").await.len(), 1);
    }

    async fn the_next_key_is_made_once(server: Server) {
        let robot = Api::robot(&server).await;
        let before = robot.get("/v1/signing_keys").await.done(200).json()["data"].as_array().unwrap().len();
        let make = async || {
            let request = robot.request(Method::POST, "/v1/signing_keys").header("idempotency-key", "next");
            Answer::to(request.json(&json!({ "alg": "ES256" }))).await.done(201).json()
        };
        let (one, two) = (make().await, make().await);
        assert_eq!((&one, &one["state"]), (&two, &json!("next")));
        let after = robot.get("/v1/signing_keys").await.done(200).json();
        assert_eq!(after["data"].as_array().unwrap().len(), before + 1);
        let jwks = Answer::to(server.http().get(server.url("/jwks"))).await;
        assert!(jwks.body.contains(one["kid"].as_str().unwrap()), "{jwks:?}");
        robot.post("/v1/signing_keys", json!({ "alg": "HS256" })).await.problem(422, "invalid_param");
        let clerk = Api::person(&server, "clerk", &["signet:keys.read"]).await;
        clerk.post("/v1/signing_keys", json!({ "alg": "ES256" })).await.problem(403, "forbidden");
    }

    async fn everything_of_a_subject_identifier_ends(server: Server) {
        let robot = Api::robot(&server).await;
        let alice = id_of(&robot, ALICE.0).await;
        robot.patch(&format!("/v1/users/{alice}"), json!({ "email": "alice@example.test", "email_verified": true })).await.done(200);
        for sub_id in [
            json!({ "format": "opaque", "id": alice }),
            json!({ "format": "iss_sub", "iss": server.issuer(), "sub": alice }),
            json!({ "format": "email", "email": "ALICE@example.test" }),
        ] {
            let tokens = server.signed_in(&WEB, "openid").await;
            robot.post("/v1/global_token_revocation", json!({ "sub_id": sub_id })).await.done(204);
            server.assert_inactive(&tokens.access_token()).await;
        }
        let unknown = json!({ "sub_id": { "format": "email", "email": "nobody@example.test" } });
        robot.post("/v1/global_token_revocation", unknown).await.problem(404, "not_found");
        let foreign = json!({ "sub_id": { "format": "iss_sub", "iss": "https://other.example.test", "sub": alice } });
        robot.post("/v1/global_token_revocation", foreign).await.problem(422, "invalid_param");
        robot.post("/v1/global_token_revocation", json!({ "sub_id": { "format": "phone" } })).await.problem(422, "invalid_param");
    }

    async fn a_webhook_is_managed_and_its_secret_told_once(server: Server) {
        let robot = Api::robot(&server).await;
        let created = robot.post("/v1/webhooks", json!({ "url": "https://hooks.example.test/in", "event_types": ["user.*"] })).await.done(201);
        assert!(created.text("secret").starts_with("whsec_"), "{created:?}");
        let path = created.header("location").to_owned();
        let shown = robot.get(&path).await.done(200);
        assert!(!shown.body.contains("whsec_"), "{shown:?}");
        robot.patch(&path, json!({ "enabled": false })).await.done(200);
        let rotated = robot.post(&format!("{path}/secrets"), json!({})).await.done(201);
        assert_ne!(rotated.text("secret"), created.text("secret"));
        assert_eq!(robot.get(&format!("{path}/deliveries")).await.done(200).json()["data"], json!([]));
        robot.get(&format!("{path}/deliveries?state=lost")).await.problem(400, "invalid_param");
        robot.post("/v1/webhooks", json!({ "url": "https://hooks.example.test/", "event_types": ["user.creatd"] })).await.problem(422, "invalid_param");
        for url in ["http://hooks.example.test/", "ftp://x", "https://169.254.169.254/", "hooks"] {
            let refused = robot.post("/v1/webhooks", json!({ "url": url })).await;
            assert_eq!(refused.problem(422, "invalid_param")["param"], "url", "{url}");
        }
        // Who may not read the trail is not told it either.
        let clerk = Api::person(&server, "clerk", &["signet:webhooks.read", "signet:webhooks.write"]).await;
        clerk.post("/v1/webhooks", json!({ "url": "https://hooks.example.test/" })).await.problem(403, "forbidden");
        clerk.patch(&path, json!({ "url": "https://mine.example.test/" })).await.problem(403, "forbidden");
        robot.delete(&path).await.done(204);
        robot.get(&path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_to_wait() {
    let settings = [("SIGNET_API_REQUESTS_PER_MINUTE", "5")];
    let server = Server::start_with(Engine::Sqlite, &settings);
    let robot = Api::robot(&server).await;
    let first = robot.get("/v1/users").await.done(200);
    assert!(
        first.header("ratelimit-policy").contains("q=5;w=60"),
        "{first:?}"
    );
    assert!(first.header("ratelimit").contains("r=4"), "{first:?}");
    for _ in 0..4 {
        robot.get("/v1/users").await.done(200);
    }
    let limited = robot.get("/v1/users").await;
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{limited:?}");
    assert!(limited.header("ratelimit").contains("r=0"), "{limited:?}");
    limited.problem(429, "rate_limited");
    // Another caller has limits of their own.
    let admin = Api::person(&server, "root", &["signet:*"]).await;
    admin.get("/v1/users").await.done(200);
}
