//! The playground is there with `serve --dev` alone.

use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::Server;

const PATHS: [&str; 6] = [
    "/playground",
    "/playground/callback",
    "/playground/flow.js",
    "/playground/show.js",
    "/playground/checks.js",
    "/playground/style.css",
];

on_every_engine! {
    async fn production_knows_no_playground(server: Server) {
        for path in PATHS {
            let answer = server.http().get(server.url(path)).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
}

#[tokio::test]
async fn the_playground_is_one_page_and_its_files() {
    let server = Server::not_started(Engine::Sqlite, &[]);
    server.serve_with(&["serve", "--dev"]);
    for path in PATHS {
        let answer = server.http().get(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let kind = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let expected = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(kind, expected, "{path}");
        if expected.starts_with("text/html") {
            let policy = answer.headers()["content-security-policy"]
                .to_str()
                .unwrap();
            assert!(policy.contains("script-src 'self'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }
    for path in [
        "/playground/",
        "/playground/page.html",
        "/playground/x/flow.js",
    ] {
        let answer = server.http().get(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}
