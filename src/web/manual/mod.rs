//! `/manual`: the guides of `templates/manual`, embedded in the binary and shown with this site's own issuer.
//!
//! They are the same for every caller and need no cookie, so they are served without a
//! [`Visit`](super::visit::Visit), on the management listener too.

mod markdown;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use rust_embed::Embed;

use super::pages::{Chapter, Layout, ManualPage};
use super::static_files;
use super::visit::draw;
use crate::config::Config;
use crate::http::headers::{Page, PageHeaders};

/// The address of the first page; the others stand below it.
pub const PATH: &str = "/manual";

/// The pages in the order of the side list, by the name of their file. The guides for single applications come after
/// [`APPLICATIONS`].
const PAGES: [&str; 12] = [
    INDEX,
    "first-site",
    APPLICATIONS,
    "client-settings",
    "resource-servers",
    "who-may-do-what",
    "administration-api",
    "operating",
    "configuration",
    "limits",
    "audit",
    "speed",
];

/// The first page, under the name that a repository shows in its folder.
const INDEX: &str = "README";

/// The page that leads to the guides, and their folder.
const APPLICATIONS: &str = "applications";

/// All pages: [`PAGES`] with the guides, in the order of their names.
static ALL: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut guides: Vec<String> = Files::iter()
        .filter_map(|file| file.strip_suffix(".md").map(str::to_owned))
        .filter(|name| is_guide(name))
        .collect();
    guides.sort_unstable();
    let mut all = Vec::new();
    for page in PAGES {
        all.push(page.to_owned());
        if page == APPLICATIONS {
            all.append(&mut guides);
        }
    }
    all
});

/// Whether a page is about one application.
fn is_guide(name: &str) -> bool {
    name.strip_prefix(APPLICATIONS)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// How long a browser may keep a page, which a new release changes.
const FOR_MINUTES: &str = "private, max-age=300";

/// The files of `templates/manual`.
#[derive(Embed)]
#[folder = "templates/manual"]
struct Files;

/// `/manual`, `/manual/{page}`, the guides below `/manual/applications` and the pictures in it.
pub fn routes<S: Clone + Send + Sync + 'static>(config: &Config) -> Router<S> {
    with_headers(config, PageHeaders::new(config.issuer.is_https()))
}

/// [`routes`] with the style sheet beside them, for a listener that serves no other page. It is plain http, so
/// browsers are not told to insist on https.
pub fn alone<S: Clone + Send + Sync + 'static>(config: &Config) -> Router<S> {
    with_headers(config, PageHeaders::new(false)).route("/assets/{file}", get(static_files::asset))
}

fn with_headers<S: Clone + Send + Sync + 'static>(
    config: &Config,
    headers: PageHeaders,
) -> Router<S> {
    let manual = Arc::new(Manual {
        brand: config.brand_name.clone(),
        issuer: config.issuer.as_str().trim_end_matches('/').to_owned(),
        headers,
    });
    let first = Arc::clone(&manual);
    Router::new()
        .route(PATH, get(async move || first.page(INDEX)))
        .route("/manual/", get(async || Redirect::permanent(PATH)))
        .route(
            "/manual/{*page}",
            get(async move |Path(page): Path<String>| manual.answer(&page)),
        )
}

/// What the pages say about this site.
struct Manual {
    brand: String,
    issuer: String,
    headers: PageHeaders,
}

impl Manual {
    fn answer(&self, name: &str) -> Response {
        let picture = name.strip_suffix(".png").and_then(|_| Files::get(name));
        match picture {
            Some(file) => {
                let headers = [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, FOR_MINUTES)];
                (headers, file.data).into_response()
            }
            None if name == INDEX => Redirect::permanent(PATH).into_response(),
            None => self.page(name),
        }
    }

    fn page(&self, name: &str) -> Response {
        let (status, page) = match self.draw(name) {
            Some(page) => (StatusCode::OK, page),
            None => (StatusCode::NOT_FOUND, self.missing()),
        };
        let mut response = draw(status, self.headers, &Page::OWN, &page);
        // The same for every caller: worth keeping for a while, unlike a page about a person.
        if status == StatusCode::OK {
            let for_minutes = HeaderValue::from_static(FOR_MINUTES);
            response.headers_mut().insert(CACHE_CONTROL, for_minutes);
        }
        response
    }

    /// The page of that name.
    fn draw(&self, name: &str) -> Option<ManualPage> {
        let at = ALL.iter().position(|page| page == name)?;
        let text = markdown::draw(&text_of(name)?, name, &self.issuer);
        let neighbour = |at: Option<usize>| {
            let name = ALL.get(at?)?;
            Some((address(name), title_of(name)))
        };
        Some(ManualPage {
            layout: self.layout(&text.title),
            contents: contents(Some((name, text.sections))),
            body: text.html,
            previous: neighbour(at.checked_sub(1)),
            next: neighbour(Some(at + 1)),
        })
    }

    /// What stands where there is no page.
    fn missing(&self) -> ManualPage {
        ManualPage {
            layout: self.layout("There is no such page"),
            contents: contents(None),
            body: "<h1>There is no such page</h1>\n<p>The manual has the pages of the list.</p>\n"
                .to_owned(),
            previous: None,
            next: None,
        }
    }

    fn layout(&self, title: &str) -> Layout {
        Layout::new(self.brand.clone(), title)
    }
}

/// The side list, with the sections of the page that is shown.
fn contents(shown: Option<(&str, Vec<(String, String)>)>) -> Vec<Chapter> {
    let (here, mut sections) = shown.unwrap_or_default();
    let with_guides = here == APPLICATIONS || is_guide(here);
    let chapter = |name: &String| Chapter {
        href: address(name),
        title: title_of(name),
        here: name == here,
        inner: is_guide(name),
        sections: if name == here {
            std::mem::take(&mut sections)
        } else {
            Vec::new()
        },
    };
    let listed = ALL.iter().filter(|name| with_guides || !is_guide(name));
    listed.map(chapter).collect()
}

/// Where a page is served.
fn address(name: &str) -> String {
    match name {
        INDEX => PATH.to_owned(),
        name => format!("{PATH}/{name}"),
    }
}

/// The Markdown of a page.
fn text_of(name: &str) -> Option<String> {
    let file = Files::get(&format!("{name}.md"))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// The first heading of a page.
fn title_of(name: &str) -> String {
    let text = text_of(name).unwrap_or_default();
    let first = text.lines().find_map(|line| line.strip_prefix("# "));
    first.unwrap_or(name).to_owned()
}
