//! Nothing is above itself: not roles, not groups, on no way that leads to it.

use serde_json::json;

use super::support::Api;
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

/// What `signet apply` says of a document that it refuses.
fn refusal(server: &Server, document: &str) -> String {
    let file = server.directory().join("refused.toml");
    std::fs::write(&file, document).unwrap();
    let output = server.signet(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{document}");
    String::from_utf8(output.stderr).unwrap()
}

on_every_engine! {
    async fn a_change_that_closes_a_circle_is_refused(server: Server) {
        let api = Api::robot(&server).await;
        for collection in ["roles", "groups"] {
            let path = format!("/v1/{collection}");
            api.post(&path, json!({ "name": "top" })).await.done(201);
            api.post(&path, json!({ "name": "middle", "parents": ["top"] })).await.done(201);
            api.post(&path, json!({ "name": "bottom", "parents": ["middle"] })).await.done(201);
            for (name, parents) in [("top", json!(["middle"])), ("top", json!(["bottom"])), ("top", json!(["top"])), ("middle", json!(["top", "bottom"]))] {
                let one = format!("{path}/{name}");
                let before = api.get(&one).await.done(200);
                let problem = api.patch(&one, json!({ "parents": parents })).await.problem(422, "invalid_param");
                assert_eq!(problem["param"], "parents", "{problem}");
                assert!(problem["detail"].as_str().unwrap().contains("own parents"), "{problem}");
                assert_eq!(api.get(&one).await.done(200).body, before.body);
            }
            api.post(&path, json!({ "name": "own", "parents": ["own"] })).await.problem(422, if collection == "roles" { "unknown_reference" } else { "invalid_param" });
            api.get(&format!("{path}/own")).await.problem(404, "not_found");
        }
    }

    async fn apply_refuses_a_circle_of_what_it_brings_and_of_what_is_there(server: Server) {
        for kind in ["roles", "groups"] {
            let entry = |name: &str, parent: &str| format!("[[{kind}]]\nname = \"{name}\"\nparents = [\"{parent}\"]\n");
            let both = entry("one", "two") + &entry("two", "one");
            let said = refusal(&server, &both);
            assert!(said.contains("own parents"), "{said}");
            let three = entry("one", "two") + &entry("two", "three") + &entry("three", "one");
            assert!(refusal(&server, &three).contains("own parents"));
            assert!(refusal(&server, &entry("one", "one")).contains("own parents"));
            // Nothing of them was written.
            server.apply(&format!("[[{kind}]]\nname = \"one\"\n{}", entry("two", "one")));
            let said = refusal(&server, &entry("one", "two"));
            assert!(said.contains("own parents"), "{said}");
            server.apply(&format!("[[{kind}]]\nname = \"two\"\nparents = []\n{}", entry("one", "two")));
        }
    }
}
