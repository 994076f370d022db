//! The pages in Debian's Chromium: clicks, keys, no JavaScript, dark and light, axe, screenshots.

use std::process::Command;

use serde_json::json;

use crate::support::engines::Engine;
use crate::support::ports;
use crate::support::script::Script;
use crate::support::server::{ALICE, Server};

#[tokio::test]
async fn pages_in_chromium_on_sqlite() {
    pages(Engine::Sqlite);
}

#[tokio::test]
async fn pages_in_chromium_on_postgres() {
    pages(Engine::PostgresRedis);
}

#[tokio::test]
async fn the_playground_walks_through_the_whole_flow() {
    needs_chromium();
    let server = Server::not_started(Engine::Sqlite, &[]);
    server.serve_with(&["serve", "--dev"]);
    let callback = server.url("/playground/callback");
    server.apply(&format!(
        r#"
        [[clients]]
        client_id = "own"
        client_secret = "a-secret: of & the developer"
        redirect_uris = ["{callback}"]
        grant_types = ["authorization_code", "refresh_token"]
        token_endpoint_auth_method = "client_secret_basic"
        scope = "openid profile email offline_access"
        "#
    ));
    Script::node("browser/playground.mjs")
        .argument(&server.url("/playground"))
        .argument("own")
        .argument("a-secret: of & the developer")
        .passes();
}

#[test]
fn the_playground_believes_nothing_unchecked() {
    Script::node("browser/playground_checks.mjs").passes();
}

#[tokio::test]
async fn the_manual_in_chromium() {
    needs_chromium();
    let server = Server::start_empty(Engine::Sqlite, &[]);
    Script::node("browser/manual.mjs")
        .argument(&server.management_url("/manual"))
        .passes();
}

fn pages(engine: Engine) {
    needs_chromium();
    let server = Server::start(engine);
    let port = ports::free();
    server.apply(&format!(
        r#"
        [[clients]]
        client_id = "browser-shop"
        client_name = "Browser shop"
        redirect_uris = ["http://127.0.0.1:{port}/callback"]
        post_logout_redirect_uris = ["http://127.0.0.1:{port}/bye"]
        grant_types = ["authorization_code"]
        token_endpoint_auth_method = "none"
        scope = "openid profile email"
        "#
    ));
    let setting = json!({
        "issuer": server.issuer(),
        "engine": engine.as_str(),
        "client": "browser-shop",
        "port": port,
        "username": ALICE.0,
        "password": ALICE.1,
    });
    Script::node("browser/pages.mjs")
        .argument(&setting.to_string())
        .passes();
}

fn needs_chromium() {
    let found = Command::new("/usr/bin/chromium").arg("--version").output();
    assert!(
        found.is_ok(),
        "Chromium is missing: apt-get install chromium fonts-dejavu-core"
    );
}
