//! Whoever says which version they saw changes that one or none (RFC 9110 §13), for everything that can be changed.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::document::Document;
use super::support::Api;
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;

/// Something that can be changed and deleted.
struct Thing {
    /// Its path in the document.
    template: &'static str,
    path: String,
    /// How it is changed.
    method: Method,
    body: Value,
}

const CEDAR: &str = "permit(principal, action, resource is Document);";

/// One thing of every kind.
async fn furnish(api: &Api<'_>) -> Vec<Thing> {
    let mut things = Vec::new();
    let created = [
        (
            "/v1/users",
            "/v1/users/{id}",
            json!({ "username": "carol" }),
            json!({ "email": "carol@example.test" }),
        ),
        (
            "/v1/clients",
            "/v1/clients/{client_id}",
            json!({ "client_id": "job", "grant_types": ["client_credentials"] }),
            json!({ "client_name": "Job" }),
        ),
        (
            "/v1/resources",
            "/v1/resources/{identifier}",
            json!({ "identifier": "https://files.example.test" }),
            json!({ "name": "Files" }),
        ),
        (
            "/v1/roles",
            "/v1/roles/{name}",
            json!({ "name": "reader" }),
            json!({ "permissions": ["Document:read"] }),
        ),
        (
            "/v1/groups",
            "/v1/groups/{name}",
            json!({ "name": "staff" }),
            json!({ "attributes": { "floor": 3 } }),
        ),
        (
            "/v1/organizations",
            "/v1/organizations/{name}",
            json!({ "name": "acme" }),
            json!({ "description": "Acme" }),
        ),
        (
            "/v1/policies",
            "/v1/policies/{id}",
            json!({ "id": "all", "cedar": CEDAR }),
            json!({ "enabled": false }),
        ),
        (
            "/v1/webhooks",
            "/v1/webhooks/{id}",
            json!({ "url": "https://hooks.example.test/" }),
            json!({ "enabled": false }),
        ),
    ];
    for (collection, template, new, body) in created {
        let created = api.post(collection, new).await.done(201);
        let path = created.header("location").to_owned();
        let method = Method::PATCH;
        things.push(Thing {
            template,
            path,
            method,
            body,
        });
    }
    let put = [
        (
            "/v1/objects/{resource_type}/{resource_id}",
            "/v1/objects/Document/42",
            json!({}),
            json!({ "attributes": { "secret": true } }),
        ),
        (
            "/v1/attributes/{of}/{name}",
            "/v1/attributes/user/floor",
            json!({ "type": "long" }),
            json!({ "type": "string" }),
        ),
    ];
    for (template, path, new, body) in put {
        make(api, path, &new).await;
        let (path, method) = (path.to_owned(), Method::PUT);
        things.push(Thing {
            template,
            path,
            method,
            body,
        });
    }
    things
}

/// Makes something with `PUT`, where nothing is.
async fn make(api: &Api<'_>, path: &str, new: &Value) {
    let put = async |condition: &str, tag: &str| {
        let request = api.request(Method::PUT, path).header(condition, tag);
        Answer::to(request.json(new)).await
    };
    // Nothing is there, so nothing matches.
    for tag in ["*", "\"any\""] {
        let refused = put("if-match", tag).await;
        refused.problem(412, "precondition_failed");
    }
    api.get(path).await.problem(404, "not_found");
    // Whoever says that nothing may be there yet makes it once.
    put("if-none-match", "*").await.done(200);
    let again = put("if-none-match", "*").await;
    again.problem(412, "precondition_failed");
}

impl Thing {
    async fn change(&self, api: &Api<'_>, tag: &str) -> Answer {
        let request = api.request(self.method.clone(), &self.path);
        Answer::to(request.header("if-match", tag).json(&self.body)).await
    }

    async fn delete(&self, api: &Api<'_>, tag: &str) -> Answer {
        let request = api.request(Method::DELETE, &self.path);
        Answer::to(request.header("if-match", tag)).await
    }
}

on_every_engine! {
    async fn what_was_changed_since_is_neither_changed_nor_deleted(server: Server) {
        let api = Api::robot(&server).await;
        let things = furnish(&api).await;
        let guarded = Document::read(&server).await.operations().into_iter().filter(super::document::Operation::is_guarded);
        let guarded: BTreeSet<_> = guarded.map(|it| (it.method.to_string(), it.path)).collect();
        let each = things.iter().flat_map(|it| [it.method.clone(), Method::DELETE].map(|method| (method.to_string(), it.template.to_owned())));
        assert_eq!(each.collect::<BTreeSet<_>>(), guarded, "this test knows every operation that the document says is guarded");

        for thing in &things {
            let what = &thing.path;
            let first = api.get(what).await.done(200);
            let seen = first.header("etag").to_owned();
            assert!(seen.starts_with('"') && seen.ends_with('"'), "{what}: {seen}");
            let weak = format!("W/{seen}");
            // If-Match compares strongly (RFC 9110 §13.1.1).
            for stale in ["\"stale\"", &weak, "\"stale\", W/\"other\""] {
                thing.change(&api, stale).await.problem(412, "precondition_failed");
                thing.delete(&api, stale).await.problem(412, "precondition_failed");
            }
            thing.change(&api, "stale").await.problem(400, "invalid_param");
            let still = api.get(what).await.done(200);
            assert_eq!((&still.body, still.header("etag")), (&first.body, seen.as_str()), "{what}");

            let changed = thing.change(&api, &seen).await.done(200);
            let now = api.get(what).await.done(200);
            assert_ne!(now.body, first.body, "{what}");
            assert_eq!((&changed.body, changed.header("etag")), (&now.body, now.header("etag")), "{what}");
            let current = now.header("etag").to_owned();
            assert_ne!(current, seen, "{what}");
            thing.change(&api, &seen).await.problem(412, "precondition_failed");
            thing.delete(&api, &seen).await.problem(412, "precondition_failed");
            assert_eq!(api.get(what).await.done(200).body, now.body, "{what}");
            thing.delete(&api, &format!("\"stale\", {current}")).await.done(204);
            api.get(what).await.problem(404, "not_found");
        }
    }

    async fn what_the_caller_has_is_not_sent_again(server: Server) {
        let api = Api::robot(&server).await;
        let things = furnish(&api).await;
        let lists = ["/v1/users", "/v1/roles", "/v1/signing_keys", "/v1/configuration"].map(str::to_owned);
        for path in things.iter().map(|thing| thing.path.clone()).chain(lists) {
            let tag = api.get(&path).await.done(200).header("etag").to_owned();
            for has in [tag.clone(), format!("W/{tag}"), format!("\"other\", W/{tag}"), "*".to_owned()] {
                let answer = Answer::to(api.request(Method::GET, &path).header("if-none-match", &has)).await;
                assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{path} {has}");
                assert_eq!(answer.header("etag"), tag, "{path}");
            }
            let other = Answer::to(api.request(Method::GET, &path).header("if-none-match", "\"other\"")).await;
            assert_eq!((other.status, other.header("etag")), (200, tag.as_str()), "{path}");
        }
    }

    async fn two_tokens_are_none(server: Server) {
        let api = Api::robot(&server).await;
        for path in ["/v1/users", "/v1/configuration"] {
            let twice = api.request(Method::GET, path).header("authorization", format!("Bearer {}", api.token()));
            let problem = Answer::to(twice).await.problem(400, "invalid_param");
            assert_eq!(problem["param"], "Authorization");
        }
        let twice = api.request(Method::POST, "/v1/roles").header("authorization", "Bearer other");
        Answer::to(twice.json(&json!({ "name": "twice" }))).await.problem(400, "invalid_param");
        api.get("/v1/roles/twice").await.problem(404, "not_found");
    }
}
