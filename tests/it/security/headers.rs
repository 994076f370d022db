//! What every answer says, whichever route made it: how to authenticate, and that its type is meant.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::client::{Authorization, WEB, basic};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const CLIENT: &str = "Basic realm=\"signet\", charset=\"UTF-8\"";

on_every_engine! {
    async fn every_401_says_how_to_authenticate_rfc9110_11_6_1(server: Server) {
        let mut seen = 0;
        for (path, expected) in protected(&server).await {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                for way in WAYS {
                    let answer = way(server.http().request(method.clone(), server.url(&path))).send().await.unwrap();
                    if answer.status() == 401 {
                        seen += 1;
                        let told = challenges(&answer);
                        let fits = told.len() == expected.len()
                            && expected.iter().zip(&told).all(|(expected, told)| told.starts_with(expected));
                        assert!(fits, "{method} {path}: {told:?}, not {expected:?}");
                    } else {
                        assert!(answer.status() != 403, "{method} {path}: {answer:?}");
                    }
                }
            }
        }
        assert!(seen > 300, "{seen}");
    }

    async fn a_bearer_challenge_names_the_scope_rfc6750_3(server: Server) {
        for (path, method, scope) in [
            ("/userinfo", Method::GET, "openid"),
            ("/access/v1/evaluation", Method::POST, "signet:decide"),
            ("/access/v1/search/subject", Method::POST, "signet:decide"),
            ("/v1/users", Method::GET, "signet:admin"),
        ] {
            for token in [None, Some("x")] {
                let request = server.http().request(method.clone(), server.url(path));
                let request = match token {
                    Some(token) => request.bearer_auth(token),
                    None => request,
                };
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 401, "{path}");
                let told = challenges(&answer).remove(0);
                assert!(told.contains(&format!("scope=\"{scope}\"")), "{path}: {told}");
                assert_eq!(told.contains("error=\"invalid_token\""), token.is_some(), "{path}: {told}");
            }
        }
    }

    async fn no_answer_may_be_taken_for_another_type(server: Server) {
        let browser = Browser::new(&server);
        let signed_in = server.signed_in_with(&browser, &WEB, Authorization::of(&WEB, "openid")).await;
        let mut paths: Vec<String> = protected(&server).await.into_iter().map(|(path, _)| path).collect();
        paths.extend(PUBLIC.map(str::to_owned));
        for path in paths {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE] {
                let request = server.http().request(method.clone(), server.url(&path));
                assert_nosniff(&request.send().await.unwrap(), &format!("{method} {path}"));
            }
        }
        let redirect = server.http().get(Authorization::of(&WEB, "openid").with("prompt", "none").url(&server));
        assert_nosniff(&redirect.send().await.unwrap(), "a redirect");
        let told = server.http().get(server.url("/userinfo")).bearer_auth(signed_in.access_token());
        assert_nosniff(&told.send().await.unwrap(), "userinfo");
        for path in ["/health/live", "/health/ready", "/metrics", "/manual", "/nothing"] {
            let answer = server.http().get(server.management_url(path)).send().await.unwrap();
            assert_nosniff(&answer, path);
        }
    }
}

/// What nothing needs to be shown for.
const PUBLIC: [&str; 20] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/authzen-configuration",
    "/.well-known/jwks.json",
    "/.well-known/nothing",
    "/jwks",
    "/v1",
    "/v1/openapi.json",
    "/v1/nothing",
    "/authorize",
    "/login",
    "/consent",
    "/logout",
    "/account",
    "/setup",
    "/",
    "/nothing",
    "/assets/nothing",
    "/assets/signet.css",
    "/%ff",
];

const WAYS: [fn(RequestBuilder) -> RequestBuilder; 7] = [
    |request| request,
    |request| request.header("authorization", basic("web", "wrong")),
    |request| request.header("authorization", basic("nobody", "wrong")),
    |request| request.header("authorization", "Basic nonsense"),
    |request| request.header("authorization", "Negotiate nonsense"),
    |request| request.bearer_auth("nonsense"),
    |request| request.form(&[("client_id", "post"), ("client_secret", "wrong")]),
];

/// Every endpoint that asks who calls, found in what the server publishes, and the challenges that it sends.
async fn protected(server: &Server) -> Vec<(String, Vec<&'static str>)> {
    let document = async |path: &str| -> Value {
        let answer = server.http().get(server.url(path)).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let local = |url: &Value| {
        let url = url.as_str().unwrap();
        url.strip_prefix(server.issuer()).unwrap().to_owned()
    };
    let mut found = Vec::new();
    let metadata = document("/.well-known/openid-configuration").await;
    for (name, url) in metadata.as_object().unwrap() {
        match name.as_str() {
            "userinfo_endpoint" => found.push((local(url), vec!["Bearer realm=\"signet\""])),
            "authorization_endpoint" | "end_session_endpoint" => {}
            name if name.ends_with("_endpoint") => found.push((local(url), vec![CLIENT])),
            _ => {}
        }
    }
    let metadata = document("/.well-known/authzen-configuration").await;
    for (name, url) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") {
            found.push((local(url), vec!["Bearer realm=\"signet\"", CLIENT]));
        }
    }
    let paths = document("/v1/openapi.json").await;
    for path in paths["paths"].as_object().unwrap().keys() {
        let path: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        found.push((path, vec!["Bearer realm=\"signet\""]));
    }
    assert!(found.len() > 30, "{found:?}");
    found
}

fn challenges(answer: &Response) -> Vec<String> {
    let values = answer.headers().get_all("www-authenticate").iter();
    values
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_nosniff(answer: &Response, what: &str) {
    let told: Vec<_> = answer
        .headers()
        .get_all("x-content-type-options")
        .iter()
        .collect();
    assert_eq!(told, ["nosniff"], "{what}: {answer:?}");
}
