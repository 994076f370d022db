//! Forms that another site sends (RFC 9700 §4.7): refused by what browsers say about where a form was sent from, even
//! when its token is right.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::header::COOKIE;

use crate::support::browser::Browser;
use crate::support::client::{Authorization, WEB};
use crate::support::engines::on_every_engine;
use crate::support::server::Server;

const REFUSED: &str = "This form cannot be accepted";

/// What a browser sends with a form of another site. A browser that knows no `Sec-Fetch-Site` names the origin.
const FOREIGN: [&[(&str, &str)]; 7] = [
    &[("origin", "https://attacker.example.test")],
    &[("origin", "http://localhost")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("origin", "null"), ("sec-fetch-site", "cross-site")],
    &[
        ("origin", "https://attacker.example.test"),
        ("sec-fetch-site", "same-origin"),
    ],
    &[
        ("origin", "https://attacker.example.test"),
        ("sec-fetch-site", "cross-site"),
    ],
];

on_every_engine! {
    async fn every_form_is_refused_that_another_site_sent_rfc9700_4_7(server: Server) {
        let browser = Browser::new(&server);
        let login = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        // The token is the browser's, for all of its forms.
        let csrf = login.value_of("csrf");
        assert!(!csrf.is_empty(), "{login:?}");
        let home = server.issuer().to_owned();
        for path in form_routes() {
            for own in [&[("origin", "null")][..], &[("origin", &home)], &[("sec-fetch-site", "same-origin")], &[]] {
                let body = post(&server, &browser, &path, &csrf, own).await;
                assert!(!body.contains(REFUSED), "{path} with {own:?}: {body}");
            }
            for foreign in FOREIGN {
                let body = post(&server, &browser, &path, &csrf, foreign).await;
                assert!(body.contains(REFUSED), "{path} with {foreign:?}: {body}");
            }
            let forged = post(&server, &browser, &path, "AAAA", &[("sec-fetch-site", "same-origin")]).await;
            assert!(forged.contains(REFUSED), "{path} with a wrong token: {forged}");
        }
    }
}

/// Every route of a page that takes a form, read off the router; `/authorize` takes the requests of applications.
fn form_routes() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let router = std::fs::read_to_string(root.join("app/router.rs")).unwrap();
    let flat: String = router.split_whitespace().collect();
    let mut found = BTreeSet::new();
    for route in flat.split(".route(").skip(1) {
        let handlers = route.split(".route(").next().unwrap();
        let mut parts = handlers.splitn(2, ',');
        let path = parts.next().unwrap().trim_matches('"').to_owned();
        let Some((_, post)) = parts.next().unwrap_or_default().split_once("post(") else {
            continue;
        };
        let page = post.split("::").next().unwrap();
        let home = root.join("web").join(page);
        if home.is_dir() || home.with_extension("rs").is_file() {
            found.insert(path);
        }
    }
    // The pages of signing in are routed by their factors, in a table of their own: `("/path", get(…).post(…))`.
    let login = std::fs::read_to_string(root.join("web/login/mod.rs")).unwrap();
    let flat: String = login.split_whitespace().collect();
    for route in flat.split("(\"/").skip(1) {
        let (path, handlers) = route.split_once("\",").unwrap_or_default();
        let handlers = handlers.split("),").next().unwrap();
        if handlers.contains(".post(") {
            found.insert(format!("/{path}"));
        }
    }
    for known in ["/login", "/consent", "/logout", "/account", "/setup"] {
        assert!(found.contains(known), "{known} is not in {found:?}");
    }
    found
}

async fn post(
    server: &Server,
    browser: &Browser,
    path: &str,
    csrf: &str,
    headers: &[(&str, &str)],
) -> String {
    let cookies: Vec<_> = browser
        .cookies()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut request = server.http().post(server.url(path));
    request = request.header(COOKIE, cookies.join("; "));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.form(&[("csrf", csrf)]).send().await.unwrap();
    answer.text().await.unwrap()
}
