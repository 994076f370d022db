//! Every page, with friendly and with hostile input. `PAGE_GALLERY=directory cargo test page_gallery` also writes
//! the pages and their assets there, for looking at them.

use std::{env, fs, path::Path};

use scraper::{ElementRef, Html, Selector};

use super::*;
use crate::web::assets::{Asset, asset_url};
use crate::web::login::{LoginPage, SelectAccountPage};

mod filled;
mod gallery;
mod reference;

use filled::{pages_of, playground, setup};

/// Names as an attacker would choose them.
fn hostile() -> Vec<String> {
    vec![
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "' onmouseover='alert(1)".to_owned(),
        "</title></textarea></pre><script>alert(1)</script>".to_owned(),
        "&lt;b&gt; &amp; &#60;script&#62; {{ csrf }} {% raw %} --> <!--".to_owned(),
        "\u{202e}gnp.exe \u{2066}مرحبا\u{2067} עולם".to_owned(),
        "w".repeat(200),
        "\u{0}\n\r\t".to_owned(),
        String::new(),
    ]
}

fn html(page: &impl Template) -> String {
    render(page).expect("renders")
}

fn all<'a>(document: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    document
        .select(&Selector::parse(selector).expect("a selector"))
        .collect()
}

fn one<'a>(document: &'a Html, selector: &str) -> ElementRef<'a> {
    match all(document, selector).as_slice() {
        [element] => *element,
        found => panic!("{} elements match {selector}", found.len()),
    }
}

/// What holds for every page whatever is in it.
pub(in crate::web) fn audit(page: &str, html: &str) {
    let document = Html::parse_document(html);
    assert!(html.starts_with("<!doctype html>"), "{page}: no quirks");
    for (selector, count) in [
        ("h1", 1),
        ("main", 1),
        ("header", 1),
        ("footer", 1),
        ("title", 1),
    ] {
        assert_eq!(all(&document, selector).len(), count, "{page}: {selector}");
    }
    assert!(
        one(&document, "html").attr("lang").is_some(),
        "{page}: lang"
    );
    for name in ["viewport", "robots", "color-scheme"] {
        one(&document, &format!("meta[name={name}]"));
    }
    for element in all(&document, "*") {
        let name = element.value().name();
        assert!(
            !matches!(name, "style" | "iframe" | "object" | "base"),
            "{page}: <{name}>"
        );
        for (attribute, value) in element.value().attrs() {
            assert!(
                !attribute.starts_with("on"),
                "{page}: {attribute} on <{name}>"
            );
            assert_ne!(attribute, "style", "{page}: <{name}>");
            if matches!(attribute, "href" | "src" | "formaction") {
                let here = value.starts_with('#');
                let at_home = here || value.starts_with('/') && !value.starts_with("//");
                let abroad = value.starts_with("https://") || value.starts_with("http://");
                let image = name == "img" && value.starts_with("data:image/");
                assert!(at_home || abroad || image, "{page}: {attribute}={value}");
            }
            if value.starts_with("/assets/") {
                assert!(Asset::find(value).is_some(), "{page}: {value} exists");
            }
        }
    }
    for script in all(&document, "script") {
        let own = match page {
            "playground" => "/playground/flow.js".to_owned(),
            _ => asset_url("form-post.js"),
        };
        assert_eq!(script.attr("src"), Some(own.as_str()), "{page}");
        assert!(
            script.text().all(|text| text.trim().is_empty()),
            "{page}: inline script"
        );
    }
    for form in all(&document, "form") {
        // A search of public text is the one form that may.
        let expected = match form.attr("role") {
            Some("search") => None,
            _ => Some("post"),
        };
        assert_eq!(
            form.attr("method"),
            expected,
            "{page}: nothing travels in the query"
        );
    }
    for element in all(&document, "input:not([type=hidden])") {
        let id = element.attr("id").expect("an id");
        one(&document, &format!("label[for={id}]"));
    }
    for element in all(&document, "[aria-describedby], [aria-labelledby]") {
        let ids = element
            .attr("aria-describedby")
            .or(element.attr("aria-labelledby"));
        for id in ids.unwrap_or_default().split(' ') {
            one(&document, &format!("#{id}"));
        }
    }
    let mut ids: Vec<_> = all(&document, "[id]")
        .iter()
        .filter_map(|e| e.attr("id"))
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{page}: ids are unique");
}

#[test]
fn hostile_text_stays_text_on_every_page() {
    for text in hostile() {
        for (page, html) in pages_of(&text) {
            audit(page, &html);
            let document = Html::parse_document(&html);
            assert_eq!(
                all(&document, "script").len(),
                usize::from(matches!(page, "form-post" | "playground")),
                "{page}"
            );
            assert!(
                all(&document, "img[src=x], title *, textarea").is_empty(),
                "{page}"
            );
        }
    }
}

#[test]
fn hidden_values_survive_exactly() {
    for text in hostile() {
        // A NUL is the one character that HTML cannot carry; CR and LF are normalised when a form is sent.
        if text.contains('\0') {
            continue;
        }
        for (page, html) in pages_of(&text) {
            let document = Html::parse_document(&html);
            for input in all(&document, "input[type=hidden]") {
                assert_eq!(input.attr("value"), Some(text.as_str()), "{page}");
            }
        }
        let document = Html::parse_document(&pages_of(&text).swap_remove(0).1);
        assert_eq!(
            one(&document, "#username").attr("value"),
            Some(text.as_str())
        );
    }
}

#[test]
fn what_others_named_is_isolated_from_the_text_around_it() {
    let name = "\u{202e}evil";
    for (page, html) in pages_of(name) {
        if !matches!(page, "consent" | "account" | "logout" | "select") {
            continue;
        }
        let document = Html::parse_document(&html);
        let isolated: usize = all(&document, "bdi")
            .iter()
            .map(|e| e.text().filter(|t| t.contains(name)).count())
            .sum();
        assert!(isolated > 1, "{page}");
    }
}

#[test]
fn links_that_would_run_are_no_links() {
    for uri in [
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "/x",
    ] {
        assert_eq!(web_link(Some(uri)), None);
        assert_eq!(image_link(Some(uri)), None);
        assert_eq!(return_link(Some(&(uri.to_owned(), "x".to_owned()))), None);
    }
    assert!(
        image_link(Some("http://shop.example/logo.png")).is_none(),
        "mixed content"
    );
    assert!(return_link(Some(&("com.example.app:/out".to_owned(), "App".to_owned()))).is_some());
    assert!(web_link(Some("https://shop.example/")).is_some());
}

#[test]
fn enter_submits_the_login_form_and_does_not_cancel() {
    let document = Html::parse_document(&gallery::login(None, true));
    let buttons: Vec<_> = all(&document, "form button")
        .iter()
        .filter_map(|b| b.attr("id"))
        .collect();
    assert_eq!(buttons, ["login-submit", "login-cancel"]);
    let cancel = one(&document, "#login-cancel");
    assert_eq!(
        (cancel.attr("name"), cancel.attr("value")),
        (Some("action"), Some("cancel"))
    );
    assert!(cancel.attr("formnovalidate").is_some());
    let document = Html::parse_document(&gallery::login(None, false));
    assert!(all(&document, "#login-cancel").is_empty());
}

#[test]
fn a_password_manager_finds_its_fields() {
    let document = Html::parse_document(&gallery::login(Some("No."), true));
    assert_eq!(
        one(&document, "#username").attr("autocomplete"),
        Some("username")
    );
    assert_eq!(
        one(&document, "#password").attr("autocomplete"),
        Some("current-password")
    );
    assert_eq!(one(&document, "#password").attr("value"), None);
    assert_eq!(
        one(&document, "[role=alert]").attr("id"),
        Some("login-error")
    );
    assert_eq!(
        one(&document, "#password").attr("aria-describedby"),
        Some("login-error")
    );
    let document = Html::parse_document(&setup(Layout::new("b", "t"), "x", false));
    for id in ["#password", "#password_again"] {
        assert_eq!(
            one(&document, id).attr("autocomplete"),
            Some("new-password")
        );
    }
}

#[test]
fn the_form_post_button_adds_nothing_to_the_response() {
    let (_, html) = pages_of("x").swap_remove(6);
    let document = Html::parse_document(&html);
    assert_eq!(one(&document, "#form-post-continue").attr("name"), None);
    assert_eq!(all(&document, "form [name]").len(), 1);
}

#[test]
fn page_gallery() {
    let pages = gallery::pages();
    for (name, html) in &pages {
        audit(name, html);
    }
    if let Some(directory) = env::var_os("PAGE_GALLERY") {
        let directory = Path::new(&directory);
        fs::create_dir_all(directory.join("assets")).expect("a directory");
        for (name, html) in &pages {
            fs::write(directory.join(format!("{name}.html")), html).expect("written");
        }
        for name in Asset::iter() {
            let url = asset_url(&name);
            let (_, bytes) = Asset::find(&url).expect("an asset");
            fs::write(directory.join(url.trim_start_matches('/')), bytes).expect("written");
        }
    }
}
