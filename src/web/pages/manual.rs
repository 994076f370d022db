//! A page of the manual.

use askama::Template;

use super::Layout;

/// `/manual/{page}`: a list of all pages beside the one that is shown.
#[derive(Template)]
#[template(path = "manual.html")]
pub struct ManualPage {
    /// What all pages share.
    pub layout: Layout,
    /// The side list.
    pub contents: Vec<Chapter>,
    /// The page as HTML, which is not escaped again.
    pub body: String,
    /// Address and title of the page before this one.
    pub previous: Option<(String, String)>,
    /// Address and title of the page after this one.
    pub next: Option<(String, String)>,
}

/// A line of the side list.
pub struct Chapter {
    /// The page's address.
    pub href: String,
    /// The page's title.
    pub title: String,
    /// Whether it is the page that is shown.
    pub here: bool,
    /// Whether it stands below the page before it.
    pub inner: bool,
    /// Anchors and titles of its sections, where it is the page that is shown.
    pub sections: Vec<(String, String)>,
}
