//! A replaced secret lives as long as every answer says, and ends at once where that is asked for.

use serde_json::{Value, json};

use super::support::Api;
use crate::support::client::{Answer, basic};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const JOB: &str =
    "[[clients]]\nclient_id = \"job\"\ngrant_types = [\"client_credentials\"]\nclient_secret = ";

async fn status(server: &Server, secret: &str) -> u16 {
    let request = server.http().post(server.url("/token"));
    let request = request.header("authorization", basic("job", secret));
    let form = [("grant_type", "client_credentials")];
    Answer::to(request.form(&form)).await.status
}

fn rotated(server: &Server, arguments: &[&str]) -> (String, Value) {
    let all = [&["client", "rotate-secret", "job", "--json"], arguments].concat();
    let printed: Value = serde_json::from_str(&server.signet_ok(&all)).unwrap();
    (
        printed["client_secret"].as_str().unwrap().to_owned(),
        printed,
    )
}

on_every_engine! {
    async fn an_old_secret_ends_at_once_where_that_is_asked_for(server: Server) {
        let first = "first-secret-that-is-long-enough-for-anyone";
        server.apply(&format!("{JOB}\"{first}\"\n"));
        assert_eq!(status(&server, first).await, 200);
        let (second, _) = rotated(&server, &[]);
        assert_eq!((status(&server, first).await, status(&server, &second).await), (200, 200));
        // Every one of before, also one that was to live on.
        let (third, _) = rotated(&server, &["--revoke-old"]);
        for (secret, expected) in [(first, 401), (second.as_str(), 401), (third.as_str(), 200)] {
            assert_eq!(status(&server, secret).await, expected, "{secret}");
        }
        let told = server.signet_ok(&["client", "rotate-secret", "job", "--revoke-old"]);
        assert!(told.contains("Every older one has ended."), "{told}");
        let both = server.signet(&["client", "rotate-secret", "job", "--revoke-old", "--keep", "1h"]);
        assert_eq!(both.status.code(), Some(2), "{both:?}");

        let api = Api::robot(&server).await;
        let path = "/v1/clients/job/secrets";
        let fourth = api.post(path, json!({})).await.done(201).text("client_secret");
        let last = api.post(path, json!({ "revoke_old": true })).await.done(201);
        assert_eq!(last.json().get("old_valid_until"), None, "{last:?}");
        assert_eq!(last.json()["secrets"].as_array().unwrap().len(), 1, "{last:?}");
        let last = last.text("client_secret");
        assert_eq!((status(&server, &fourth).await, status(&server, &last).await), (401, 200));
        api.post(path, json!({ "revoke_old": true, "keep": 60 })).await.problem(422, "invalid_param");
        api.post(path, json!({ "revoke_old": true, "keep": 0 })).await.done(201);
    }

    async fn a_changed_secret_says_until_when_the_old_one_is_valid(server: Server) {
        let document = |secret: &str| format!("{JOB}\"{secret}\"\n");
        let created = server.apply(&document("first-secret-that-is-long-enough-for-anyone"));
        assert!(!created.contains("valid until"), "{created}");
        let applied = server.apply(&document("second-secret-that-is-long-enough-for-anyone"));
        assert!(applied.contains("The old secret of client job is valid until ") && applied.contains("--revoke-old"), "{applied}");
        let again = server.apply(&document("second-secret-that-is-long-enough-for-anyone"));
        assert!(!again.contains("valid until"), "{again}");

        let (_, printed) = rotated(&server, &["--keep", "2h"]);
        assert!(printed["old_valid_until"].as_str().unwrap().starts_with("20"), "{printed}");
        let told = server.signet_ok(&["client", "rotate-secret", "job", "--keep", "2h"]);
        assert!(told.contains("The old one is valid for 2h, until 20"), "{told}");
        let api = Api::robot(&server).await;
        let answer = api.post("/v1/clients/job/secrets", json!({ "keep": 60 })).await.done(201).json();
        let until = answer["old_valid_until"].as_str().unwrap();
        let mut ends = answer["secrets"].as_array().unwrap().iter().filter_map(|secret| secret["expires_at"].as_str());
        assert!(ends.any(|end| end == until), "{answer}");
    }
}
