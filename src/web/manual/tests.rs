//! The pages of the manual: what is drawn of Markdown, and the tables that are made from the code.

use std::collections::BTreeSet;

use scraper::{Html, Selector};

use super::markdown::{Drawn, EXAMPLE_ISSUER, draw};
use super::*;
use crate::web::pages::render;

mod tables;

const ISSUER: &str = "https://login.example.test";

fn manual() -> Manual {
    Manual {
        brand: "Signet".to_owned(),
        issuer: ISSUER.to_owned(),
        headers: PageHeaders::new(true),
    }
}

fn drawn(text: &str) -> Drawn {
    draw(text, INDEX, ISSUER)
}

#[test]
fn the_list_names_every_page_in_the_folder_once() {
    let listed: BTreeSet<String> = ALL.iter().map(|name| format!("{name}.md")).collect();
    let present: BTreeSet<String> = Files::iter()
        .map(std::borrow::Cow::into_owned)
        .filter(|name| name.strip_suffix(".md").is_some())
        .collect();
    assert_eq!(listed, present);
    assert_eq!(listed.len(), ALL.len());
}

#[test]
fn every_page_is_whole_and_fits_the_policy() {
    for name in ALL.iter() {
        let page = render(&manual().draw(name).unwrap()).unwrap();
        crate::web::pages::audit(name, &page);
        let document = Html::parse_document(&page);
        let here = Selector::parse(".manual-contents [aria-current=page]").unwrap();
        assert_eq!(document.select(&here).count(), 1, "{name}");
    }
}

#[test]
fn raw_html_is_left_out() {
    let page = drawn(
        "# A\n\n<script>alert(1)</script>\n\na <b onclick=\"x()\">word</b> and <img src=x onerror=x()>\n\n\
         <!-- a comment -->\n\n<div style=\"x\">\n\n`<i>`\n\n```html\n<u>\n```\n",
    );
    for gone in [
        "script", "onclick", "onerror", "comment", "style", "<b", "<div",
    ] {
        assert!(!page.html.contains(gone), "{gone} in {}", page.html);
    }
    assert!(page.html.contains("a word and"), "{}", page.html);
    assert!(page.html.contains("<code>&lt;i&gt;</code>"));
    assert!(page.html.contains("&lt;u&gt;"));
}

#[test]
fn only_comments_are_lost_of_the_pages() {
    for name in ALL.iter() {
        let text = text_of(name).unwrap();
        for event in pulldown_cmark::Parser::new(&text) {
            if let pulldown_cmark::Event::Html(html) | pulldown_cmark::Event::InlineHtml(html) =
                event
            {
                assert!(html.starts_with("<!--"), "{name}: {html}");
            }
        }
    }
}

#[test]
fn links_lead_to_pages_of_the_manual_or_to_https() {
    for (written, expected) in [
        ("[x](audit.md)", "/manual/audit"),
        ("[x](audit.md#check-it)", "/manual/audit#check-it"),
        ("[x](README.md)", "/manual"),
        ("[x](#here)", "#here"),
        (
            "[x](https://cedar.test/a?b=1&c=2)",
            "https://cedar.test/a?b=1&amp;c=2",
        ),
        ("[x](javascript:alert)", "/manual"),
        ("[x](http://plain.test)", "/manual"),
        ("[x](../../etc/passwd)", "/manual"),
        ("[x](//elsewhere.test)", "/manual"),
        (
            "[x](<https://a.test/\"onclick=\"x>)",
            "https://a.test/&quot;onclick=&quot;x",
        ),
        ("<data:text/html,x>", "/manual"),
    ] {
        let html = drawn(written).html;
        assert!(
            html.contains(&format!("<a href=\"{expected}\">")),
            "{written} is {html}"
        );
        assert_eq!(html.matches("href").count(), 1, "{html}");
    }
}

#[test]
fn a_guide_links_to_its_neighbours_and_to_the_pages_above() {
    for (from, written, expected) in [
        (
            "applications",
            "applications/caddy.md",
            "/manual/applications/caddy",
        ),
        (
            "applications/caddy",
            "nginx.md",
            "/manual/applications/nginx",
        ),
        (
            "applications/caddy",
            "../audit.md#check-it",
            "/manual/audit#check-it",
        ),
        ("applications/caddy", "audit.md", "/manual"),
        ("applications/caddy", "../../audit.md", "/manual"),
        ("audit", "../audit.md", "/manual"),
    ] {
        let html = draw(&format!("[x]({written})"), from, ISSUER).html;
        let link = format!("<a href=\"{expected}\">");
        assert!(html.contains(&link), "{from}: {written} is {html}");
    }
}

#[test]
fn the_guides_are_listed_beside_applications_alone() {
    let listed = |name: &str| {
        let page = manual().draw(name).unwrap();
        page.contents.iter().filter(|chapter| chapter.inner).count()
    };
    assert_eq!(listed("audit"), 0);
    assert!(listed(APPLICATIONS) > 10);
    assert_eq!(listed(APPLICATIONS), listed("applications/caddy"));
}

#[test]
fn examples_show_the_readers_issuer_and_tables_the_default() {
    let page = drawn(&format!(
        "```sh\ncurl {EXAMPLE_ISSUER}/token\n```\n\n| a |\n|--:|\n| `{EXAMPLE_ISSUER}` |\n"
    ));
    assert!(page.html.contains(&format!("curl {ISSUER}/token")));
    assert!(
        page.html
            .contains(&format!("<code>{EXAMPLE_ISSUER}</code>"))
    );
    assert!(!page.html.contains("style="), "{}", page.html);
}

#[test]
fn the_words_behind_a_fences_language_are_for_tests() {
    let html = drawn("```sh no-test=\"<b>\"\nmake run\n```\n").html;
    assert_eq!(
        html,
        "<pre class=\"example\"><code class=\"language-sh\">make run\n</code></pre>\n"
    );
}

#[test]
fn headings_have_anchors_that_differ() {
    let page = drawn("# Who, what?\n\n## The `same` one\n\n### Deeper\n\n## The same one\n");
    assert_eq!(page.title, "Who, what?");
    let sections: Vec<_> = page.sections.iter().map(|(anchor, _)| anchor).collect();
    assert_eq!(sections, ["the-same-one", "the-same-one-1"]);
    for anchor in [
        "<h1 id=\"who-what\">",
        "<h2 id=\"the-same-one-1\">",
        "<h3 id=\"deeper\">",
    ] {
        assert!(page.html.contains(anchor), "{anchor} in {}", page.html);
    }
}

#[test]
fn what_is_no_page_is_404() {
    for name in [
        "nothing",
        "",
        "../README",
        "first-site.md",
        "README.md",
        "x.png",
        "../consent.png",
    ] {
        assert_eq!(
            manual().answer(name).status(),
            StatusCode::NOT_FOUND,
            "{name}"
        );
    }
    assert_eq!(manual().answer("first-site").status(), StatusCode::OK);
    assert_eq!(manual().answer("consent.png").status(), StatusCode::OK);
}
