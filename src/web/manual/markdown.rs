//! Markdown as HTML that fits the strictest `Content-Security-Policy`.
//!
//! Raw HTML is left out, so that comments can mark generated tables; nothing sets a `style`; links lead to other
//! pages of the manual or to https.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pulldown_cmark::{
    Alignment, CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd,
    html,
};

use super::{ALL, INDEX, PATH, address};

/// The issuer in the examples of the files; each reader is shown their own.
pub(super) const EXAMPLE_ISSUER: &str = "http://localhost:8080";

/// A page as it is shown.
pub(super) struct Drawn {
    /// The first heading.
    pub(super) title: String,
    /// The headings of the second level: anchor and text.
    pub(super) sections: Vec<(String, String)>,
    /// The page without its frame; escaped.
    pub(super) html: String,
}

/// Draws the page called `name`, with `issuer` in its code blocks.
pub(super) fn draw(text: &str, name: &str, issuer: &str) -> Drawn {
    let events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let mut page = Drawn {
        title: String::new(),
        sections: Vec::new(),
        html: String::new(),
    };
    let mut anchors = Anchors::default();
    let mut in_code = false;
    let mut shown = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Html(_) | Event::InlineHtml(_) => {}
            Event::Start(Tag::Heading { level, .. }) => {
                let words = words(events.get(at..).unwrap_or_default());
                let anchor = anchors.of(&words);
                shown.push(Event::Html(format!("<{level} id=\"{anchor}\">").into()));
                if *level == HeadingLevel::H1 {
                    page.title = words;
                } else if *level == HeadingLevel::H2 {
                    page.sections.push((anchor, words));
                }
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                in_code = true;
                shown.push(Event::Html(opening(kind).into()));
            }
            Event::End(TagEnd::CodeBlock) => {
                in_code = false;
                shown.push(Event::Html("</code></pre>\n".into()));
            }
            Event::Text(code) if in_code => {
                shown.push(Event::Text(code.replace(EXAMPLE_ISSUER, issuer).into()));
            }
            Event::Start(Tag::Table(columns)) => {
                shown.push(Event::Html(
                    "<div class=\"manual-table\" tabindex=\"0\">".into(),
                ));
                // Alignment would be a `style` attribute.
                let plain = columns.iter().map(|_| Alignment::None);
                shown.push(Event::Start(Tag::Table(plain.collect())));
            }
            Event::End(TagEnd::Table) => {
                shown.extend([event.clone(), Event::Html("</div>\n".into())]);
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                shown.push(Event::Html(
                    format!("<a href=\"{}\">", escaped(&link(dest_url, name))).into(),
                ));
            }
            Event::End(TagEnd::Link) => shown.push(Event::Html("</a>".into())),
            Event::Start(Tag::Image { dest_url, .. }) => {
                shown.push(Event::Start(Tag::Image {
                    link_type: LinkType::Inline,
                    dest_url: format!("{PATH}/{dest_url}").into(),
                    title: CowStr::Borrowed(""),
                    id: CowStr::Borrowed(""),
                }));
            }
            event => shown.push(event.clone()),
        }
    }
    html::push_html(&mut page.html, shown.into_iter());
    page
}

/// The beginning of a code block, with its language; the rest of the fence's words is for tests.
fn opening(kind: &CodeBlockKind<'_>) -> String {
    let words = match kind {
        CodeBlockKind::Fenced(words) => words.split_whitespace().next(),
        CodeBlockKind::Indented => None,
    };
    let language = words.filter(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let mut html = "<pre class=\"example\"><code".to_owned();
    if let Some(language) = language {
        // Writing to a text cannot fail.
        let _ = write!(html, " class=\"language-{language}\"");
    }
    html.push('>');
    html
}

/// Where a link of the page `from` leads: another page, a place on this one, or https; everything else leads nowhere.
fn link(written: &str, from: &str) -> String {
    if written.starts_with('#') || written.starts_with("https://") {
        return written.to_owned();
    }
    let (file, anchor) = written.split_once('#').unwrap_or((written, ""));
    let folder = from.rsplit_once('/').map(|(folder, _)| folder);
    let file = match (folder, file.strip_prefix("../")) {
        (Some(_), Some(above)) => above.to_owned(),
        (Some(folder), None) => format!("{folder}/{file}"),
        (None, _) => file.to_owned(),
    };
    let name = file.strip_suffix(".md").unwrap_or_default();
    match ALL.iter().find(|page| *page == name) {
        Some(page) if anchor.is_empty() => address(page),
        Some(page) => format!("{}#{anchor}", address(page)),
        None => address(INDEX),
    }
}

/// A link as the value of an attribute.
fn escaped(link: &str) -> String {
    link.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

/// The text of the heading that begins here.
fn words(events: &[Event<'_>]) -> String {
    let heading = events
        .iter()
        .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let text = heading.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    text.collect()
}

/// The anchors of a page's headings, as code hosting sites make them.
#[derive(Default)]
struct Anchors(BTreeMap<String, usize>);

impl Anchors {
    fn of(&mut self, heading: &str) -> String {
        let anchor: String = heading
            .to_lowercase()
            .chars()
            .filter_map(|letter| match letter {
                ' ' => Some('-'),
                '-' | '_' => Some(letter),
                letter => letter.is_alphanumeric().then_some(letter),
            })
            .collect();
        let seen = self.0.entry(anchor.clone()).or_default();
        *seen += 1;
        match *seen {
            1 => anchor,
            times => format!("{anchor}-{}", times - 1),
        }
    }
}
