//! The API against its own OpenAPI document: schemathesis sends what the document allows and what it does not, alone
//! and in sequences, and every answer must be one that the document names.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::support::{Api, ROBOT};
use crate::support::engines::Engine;
use crate::support::server::Server;

#[tokio::test]
async fn the_api_keeps_to_its_document_on_sqlite() {
    keeps_to_its_document(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_api_keeps_to_its_document_on_postgres() {
    keeps_to_its_document(Engine::PostgresRedis).await;
}

async fn keeps_to_its_document(engine: Engine) {
    // Thousands of requests come from one caller with one token, and none of them may be refused for that.
    let settings = [
        ("SIGNET_API_REQUESTS_PER_MINUTE", "0"),
        ("SIGNET_ACCESS_TOKEN_LIFETIME", "1h"),
    ];
    let server = Server::start_with(engine, &settings);
    let api = Api::robot(&server).await;
    furnish(&api).await;
    let report = server.directory().join("schemathesis.json");
    let output = Command::new(program())
        .args(["--config-file", &path("schemathesis.toml")])
        .args(["run", &server.url("/v1/openapi.json")])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", api.token()),
        ])
        .args(["--report-json-path", report.to_str().unwrap()])
        .current_dir(server.directory())
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("SCHEMATHESIS_CALLER", ROBOT.id)
        .env("PYTHONPATH", path(""))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    let log = server.log();
    assert!(!log.contains("answered 500"), "{log}");
    // A caller that has locked itself out would be told 401 to everything, which the document allows.
    api.get("/v1/configuration").await.done(200);
}

/// Something of every kind, so that there is something to read, change and delete.
async fn furnish(api: &Api<'_>) {
    let person = json!({ "username": "carol", "email": "carol@example.test" });
    let person = api.post("/v1/users", person).await.done(201).text("id");
    let made: [(&str, Value); 4] = [
        (
            "roles",
            json!({ "name": "reader", "permissions": ["document:read"] }),
        ),
        (
            "groups",
            json!({ "name": "staff", "attributes": { "floor": 3 } }),
        ),
        ("organizations", json!({ "name": "acme" })),
        (
            "policies",
            json!({ "id": "all", "cedar": "permit(principal, action, resource);", "enabled": false }),
        ),
    ];
    for (collection, body) in made {
        api.post(&format!("/v1/{collection}"), body).await.done(201);
    }
    let assignment = json!({ "group": "staff", "role": "reader", "organization": "acme" });
    api.post("/v1/assignments", assignment).await.done(201);
    for member_of in ["groups/staff", "organizations/acme"] {
        let path = format!("/v1/{member_of}/members/{person}");
        api.put(&path, json!({})).await.done(204);
    }
    let object = json!({ "organization": "acme", "attributes": { "owner": "carol" } });
    api.put("/v1/objects/document/42", object).await.done(200);
}

fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/schemathesis-python/bin/schemathesis");
    assert!(
        program.exists(),
        "{} is missing: run `make test-packages`",
        program.display()
    );
    program
}

fn path(file: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    tests.join(file).to_str().unwrap().to_owned()
}
