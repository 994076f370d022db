//! Every relative link leads to a file, and to a heading in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{events, name, pages};

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = ["src/README.md", "CHANGELOG.md", "SECURITY.md"].map(|file| root.join(file));
    let broken: Vec<String> = [pages(), others.to_vec()]
        .concat()
        .iter()
        .flat_map(|page| {
            let text = fs::read_to_string(page).unwrap();
            let broken = broken(page, &text);
            broken
                .into_iter()
                .map(|link| format!("{}: {link}", name(page)))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_page_of_the_manual_links_to_its_own_kind() {
    for page in pages() {
        if name(&page) == "README.md" {
            continue;
        }
        // Elsewhere in the repository nothing is served.
        for link in links(&fs::read_to_string(&page).unwrap()) {
            let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/manual");
            let file = link.split('#').next().unwrap();
            let target = page.parent().unwrap().join(file).canonicalize();
            let own = target.is_ok_and(|target| target.starts_with(&manual));
            assert!(
                own || link.starts_with("https://"),
                "{}: {link}",
                name(&page)
            );
        }
    }
}

#[test]
fn a_broken_link_is_found() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = "# One\n\n[a](LICENSE) [b](#one) [c](SECURITY.md#in-scope) ![d](no.png) [e](#two) \
                [f](SECURITY.md#no) [g](http://plain.test) [h](no.md) [i](https://docs.test)";
    assert_eq!(
        broken(&page, text),
        [
            "no.png",
            "#two",
            "SECURITY.md#no",
            "http://plain.test",
            "no.md"
        ]
    );
}

fn links(text: &str) -> Vec<String> {
    let link = |event: Event<'_>| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_string())
        }
        _ => None,
    };
    events(text).into_iter().filter_map(link).collect()
}

fn broken(page: &Path, text: &str) -> Vec<String> {
    let leads_nowhere = |link: &String| {
        if link.starts_with("https://") {
            return false;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target: PathBuf = if file.is_empty() {
            page.to_owned()
        } else {
            page.parent().unwrap().join(file)
        };
        let there = file.is_empty() || target.exists();
        let read = || match file {
            "" => text.to_owned(),
            _ => fs::read_to_string(&target).unwrap(),
        };
        !there || !anchor.is_empty() && !anchors(&read()).contains(anchor)
    };
    links(text).into_iter().filter(leads_nowhere).collect()
}

/// The anchors that code hosting sites give headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let words = heading.take().unwrap().to_lowercase();
                let kept = words
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(words) = &mut heading {
                    words.push_str(&text);
                }
            }
            _ => {}
        }
    }
    anchors
}
