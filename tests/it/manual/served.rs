//! The manual as it is served.

use std::collections::{BTreeMap, BTreeSet};

use scraper::{Html, Selector};

use crate::support::engines::Engine;
use crate::support::server::Server;

/// What a path answers: status, headers and text.
async fn get(server: &Server, url: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let response = server.http().get(url).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.unwrap();
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn the_management_listener_serves_every_page_and_what_it_needs() {
    let server = Server::start_empty(Engine::Sqlite, &[]);
    walk(&server, &server.management_url("")).await;
}

#[tokio::test]
async fn the_public_listener_serves_it_to_try_out_alone() {
    let server = Server::start_empty(Engine::Sqlite, &[]);
    for path in ["/manual", "/manual/first-site", "/manual/consent.png"] {
        assert_eq!(get(&server, &server.url(path)).await.0, 404, "{path}");
    }
    let server = Server::not_started(Engine::Sqlite, &[]);
    server.serve_with(&["serve", "--dev"]);
    walk(&server, &server.url("")).await;
}

/// Follows every link and picture from the first page.
async fn walk(server: &Server, base: &str) {
    let mut waiting = vec!["/manual".to_owned()];
    let mut anchors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wanted = Vec::new();
    while let Some(path) = waiting.pop() {
        if anchors.contains_key(&path) {
            continue;
        }
        let (status, headers, body) = get(server, &format!("{base}{path}")).await;
        assert_eq!(status, 200, "{path}");
        anchors.insert(path.clone(), BTreeSet::new());
        if !headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
        {
            continue;
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        assert!(!headers.contains_key("set-cookie"), "{path}");
        let document = Html::parse_document(&body);
        let with = |selector: &str, attribute: &str| -> Vec<String> {
            document
                .select(&Selector::parse(selector).unwrap())
                .filter_map(|element| element.attr(attribute).map(str::to_owned))
                .collect()
        };
        assert!(
            with("script", "src").is_empty() && !body.contains("<script"),
            "{path}"
        );
        assert!(
            !body.contains("http://localhost:8080/"),
            "{path}: not our issuer"
        );
        anchors.get_mut(&path).unwrap().extend(with("[id]", "id"));
        let mut links = with("a[href]", "href");
        links.extend(with("link[href]", "href"));
        links.extend(with("img[src]", "src"));
        for link in links {
            if link.starts_with("https://") {
                continue;
            }
            let (page, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let page = if page.is_empty() { &path } else { page };
            wanted.push((path.clone(), page.to_owned(), anchor.to_owned()));
            waiting.push(page.to_owned());
        }
    }
    for (from, page, anchor) in wanted {
        assert!(
            anchor.is_empty() || anchors[&page].contains(&anchor),
            "{from} leads to {page}#{anchor}"
        );
    }
    let pages = anchors.keys().filter(|path| path.starts_with("/manual"));
    assert!(pages.count() > 12, "{:?}", anchors.keys());

    let (status, headers, body) = get(server, &format!("{base}/manual/no-such-page")).await;
    assert_eq!(status, 404);
    assert!(headers.contains_key("content-security-policy") && body.contains("/manual/audit"));
    let (_, _, body) = get(server, &format!("{base}/manual/first-site")).await;
    assert!(
        body.contains(&format!("{}/token", server.issuer())),
        "{body}"
    );
}
