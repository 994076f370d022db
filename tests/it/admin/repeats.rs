//! Whoever lost an answer asks again under the same key, with every method.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Api, PASSWORD};
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;

type Act = (Method, String, Option<Value>, Option<Value>, u16);

async fn send(
    api: &Api<'_>,
    method: &Method,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> Answer {
    let request = api
        .request(method.clone(), path)
        .header("idempotency-key", key);
    Answer::to(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

on_every_engine! {
    async fn a_repeated_request_is_answered_as_before_with_every_method(server: Server) {
        let api = Api::robot(&server).await;
        api.post("/v1/users", json!({ "username": "carol" })).await.done(201);
        let carol = api.get("/v1/users?q=carol").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
        let carol = format!("/v1/users/{carol}");
        // How it is asked, with which body, with which other body, and what is answered.
        let acts: [Act; 9] = [
            (Method::POST, "/v1/roles".to_owned(), Some(json!({ "name": "reader" })), Some(json!({ "name": "other" })), 201),
            (Method::POST, format!("{carol}/revoke_tokens"), None, None, 204),
            (Method::PUT, "/v1/objects/Document/42".to_owned(), Some(json!({ "attributes": { "a": 1 } })), Some(json!({ "attributes": { "a": 2 } })), 200),
            (Method::PUT, format!("{carol}/password"), Some(json!({ "password": PASSWORD })), Some(json!({ "password": "another pass phrase" })), 204),
            (Method::PATCH, carol.clone(), Some(json!({ "name": "Carol" })), Some(json!({ "name": "Caroline" })), 200),
            (Method::PATCH, "/v1/roles/reader".to_owned(), Some(json!({ "description": "Reads" })), Some(json!({ "description": null })), 200),
            (Method::DELETE, "/v1/objects/Document/42".to_owned(), None, None, 204),
            (Method::DELETE, "/v1/roles/reader".to_owned(), None, None, 204),
            (Method::DELETE, carol.clone(), None, None, 204),
        ];
        for (number, (method, path, body, other, status)) in acts.iter().enumerate() {
            let (key, what) = (format!("key-{number}"), format!("{method} {path}"));
            let first = send(&api, method, path, &key, body.as_ref()).await.done(*status);
            for _ in 0..2 {
                let again = send(&api, method, path, &key, body.as_ref()).await.done(*status);
                assert_eq!(again.body, first.body, "{what}");
                for header in ["etag", "location", "content-type"] {
                    assert_eq!(again.header(header), first.header(header), "{what} {header}");
                }
            }
            if let Some(other) = other {
                let reused = send(&api, method, path, &key, Some(other)).await.problem(422, "idempotency_key_reused");
                assert!(reused["detail"].as_str().unwrap().contains("Idempotency-Key"), "{reused}");
            }
            // The key belongs to the method and the path as much as to the body.
            send(&api, &Method::DELETE, "/v1/organizations/any", &key, None).await.problem(422, "idempotency_key_reused");
        }
        let guarded = api.request(Method::DELETE, &carol).header("idempotency-key", "key-8").header("if-match", "*");
        Answer::to(guarded).await.problem(422, "idempotency_key_reused");

        // Without the key, or under another, it is another request.
        for path in [carol.as_str(), "/v1/roles/reader", "/v1/objects/Document/42"] {
            api.delete(path).await.problem(404, "not_found");
            send(&api, &Method::DELETE, path, "another", None).await.problem(404, "not_found");
        }
        // What was refused was not done, so the key is free.
        let name = json!({ "name": "late", "parents": ["missing"] });
        send(&api, &Method::POST, "/v1/roles", "free", Some(&name)).await.problem(422, "unknown_reference");
        send(&api, &Method::POST, "/v1/roles", "free", Some(&json!({ "name": "late" }))).await.done(201);
        for bad in ["", "two words", &"x".repeat(256)] {
            let problem = send(&api, &Method::DELETE, "/v1/roles/late", bad, None).await.problem(400, "invalid_param");
            assert_eq!(problem["param"], "Idempotency-Key");
        }
        api.get("/v1/roles/late").await.done(200);
        let twice = api.request(Method::DELETE, "/v1/roles/late").header("idempotency-key", "a").header("idempotency-key", "b");
        Answer::to(twice).await.problem(400, "invalid_param");
        api.get("/v1/roles/late").await.done(200);
        // What the first answer said is what is said, though somebody has changed it meanwhile.
        let first = send(&api, &Method::PATCH, "/v1/roles/late", "change", Some(&json!({ "description": "First" }))).await.done(200);
        api.patch("/v1/roles/late", json!({ "description": "Second" })).await.done(200);
        let again = send(&api, &Method::PATCH, "/v1/roles/late", "change", Some(&json!({ "description": "First" }))).await.done(200);
        assert_eq!(again.body, first.body);
        assert_eq!(api.get("/v1/roles/late").await.json()["description"], "Second");
    }

    async fn a_repeat_right_after_an_answer_is_never_told_that_the_first_is_still_running(server: Server) {
        let api = Api::robot(&server).await;
        let path = "/v1/objects/Document/42";
        let body = |round: usize| json!({ "attributes": { "round": round } });
        let repeats = async {
            for round in 0..200 {
                let (key, body) = (format!("round-{}", round / 4), body(round / 4));
                send(&api, &Method::PUT, path, &key, Some(&body)).await.done(200);
                // A refusal gives its key back, too.
                let missing = json!({ "name": "late", "parents": ["missing"] });
                let refused = send(&api, &Method::POST, "/v1/roles", "refused", Some(&missing)).await;
                refused.problem(422, "unknown_reference");
            }
        };
        let others = async {
            for round in 0..100 {
                let name = json!({ "name": format!("role-{round}") });
                send(&api, &Method::POST, "/v1/roles", &format!("other-{round}"), Some(&name)).await.done(201);
                api.get("/v1/roles").await.done(200);
            }
        };
        tokio::join!(repeats, others);
    }
}
