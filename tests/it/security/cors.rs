//! CORS: every origin reads public documents, registered origins reach what a client in a browser needs, and nothing else
//! can be read.

use reqwest::{Method, Response};

use crate::support::client::SPA;
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const REGISTERED: &str = "https://spa.example.test";

/// What clients in browsers send along.
const SENT: [&str; 5] = [
    "authorization",
    "content-type",
    "mcp-protocol-version",
    "traceparent",
    "tracestate",
];

async fn ask(server: &Server, method: Method, path: &str, origin: &str) -> Response {
    let mut request = server
        .http()
        .request(method.clone(), server.url(path))
        .header("origin", origin);
    if method == Method::OPTIONS {
        request = request
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
    }
    request.send().await.unwrap()
}

fn allowed(answer: &Response) -> Option<&str> {
    let value = answer.headers().get("access-control-allow-origin");
    value.map(|value| value.to_str().unwrap())
}

on_every_engine! {
    async fn a_registered_origin_reads_what_a_client_needs(server: Server) {
        assert!(SPA.redirect_uri.starts_with(REGISTERED));
        for (method, path) in [
            (Method::POST, "/token"),
            (Method::POST, "/revoke"),
            (Method::GET, "/userinfo"),
        ] {
            let preflight = ask(&server, Method::OPTIONS, path, REGISTERED).await;
            assert!(preflight.status().is_success(), "{path}: {}", preflight.status());
            assert_eq!(allowed(&preflight), Some(REGISTERED), "{path}");
            let headers = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
            for name in SENT {
                assert!(headers.split(',').any(|header| header.trim() == name), "{name}: {headers}");
            }
            let answer = ask(&server, method, path, REGISTERED).await;
            assert_eq!(allowed(&answer), Some(REGISTERED), "{path}, errors too");
            assert!(answer.headers().get_all("vary").iter().any(|it| it.to_str().unwrap().to_ascii_lowercase().contains("origin")), "{path}");
            assert!(answer.headers().get("access-control-allow-credentials").is_none(), "{path}");
        }
    }

    async fn every_origin_reads_public_documents(server: Server) {
        for path in [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/.well-known/authzen-configuration",
            "/.well-known/jwks.json",
            "/jwks",
            "/v1/openapi.json",
        ] {
            for origin in [REGISTERED, "https://other.example.test", "http://localhost:6274", "null"] {
                let preflight = ask(&server, Method::OPTIONS, path, origin).await;
                assert!(preflight.status().is_success(), "{path}: {}", preflight.status());
                assert_eq!(allowed(&preflight), Some("*"), "{path}");
                let headers = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
                for name in SENT {
                    assert!(headers.split(',').any(|header| header.trim() == name), "{name}: {headers}");
                }
                let answer = ask(&server, Method::GET, path, origin).await;
                assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, Some("*")), "{path}");
                assert!(answer.headers().get("access-control-allow-credentials").is_none(), "{path}");
            }
        }
    }

    async fn any_other_origin_reads_nothing(server: Server) {
        for origin in [
            "https://evil.example.test",
            "https://spa.example.test.evil.example",
            "https://spa.example.test:8443",
            "http://spa.example.test",
            "https://SPA.example.test",
            "https://spa.example.test/",
            "null",
            "*",
        ] {
            for (method, path) in [(Method::POST, "/token"), (Method::POST, "/revoke"), (Method::OPTIONS, "/userinfo")] {
                assert_eq!(allowed(&ask(&server, method, path, origin).await), None, "{origin} {path}");
            }
        }
    }

    async fn pages_and_what_servers_ask_are_nobodys(server: Server) {
        for path in ["/login", "/authorize", "/consent", "/account", "/logout", "/setup"] {
            assert_eq!(allowed(&ask(&server, Method::GET, path, REGISTERED).await), None, "{path}");
            assert_eq!(allowed(&ask(&server, Method::OPTIONS, path, REGISTERED).await), None, "{path}");
        }
        for path in ["/introspect", "/access/v1/evaluation", "/access/v1/search/subject"] {
            assert_eq!(allowed(&ask(&server, Method::POST, path, REGISTERED).await), None, "{path}");
            assert_eq!(allowed(&ask(&server, Method::OPTIONS, path, REGISTERED).await), None, "{path}");
        }
    }

    async fn the_administration_is_nobodys(server: Server) {
        for path in ["/v1", "/v1/users", "/v1/configuration", "/v1/nothing"] {
            for method in [Method::GET, Method::OPTIONS, Method::POST] {
                let answer = ask(&server, method.clone(), path, REGISTERED).await;
                let headers = answer.headers().keys();
                let told: Vec<_> = headers.filter(|name| name.as_str().starts_with("access-control-")).collect();
                assert_eq!(told, Vec::<&reqwest::header::HeaderName>::new(), "{method} {path}");
            }
        }
    }

    async fn a_disabled_client_has_no_origin_any_more(server: Server) {
        assert_eq!(allowed(&ask(&server, Method::GET, "/userinfo", REGISTERED).await), Some(REGISTERED));
        server.signet_ok(&["client", "disable", SPA.id]);
        assert_eq!(allowed(&ask(&server, Method::GET, "/userinfo", REGISTERED).await), None);
    }
}
