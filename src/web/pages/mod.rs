//! The pages as plain data and their templates: a handler fills a struct and renders it. No I/O, and nothing here
//! knows HTTP.
//!
//! Every page is complete without JavaScript and holds no inline script or style, so the strictest
//! `Content-Security-Policy` fits. Whatever a person, a client or an operator named is escaped by askama and
//! isolated with `<bdi>`, so that neither markup nor text direction leaks out of it.

mod account;
mod consent;
mod error;
mod form_post;
mod logout;
mod manual;
mod reference;
mod setup;
#[cfg(test)]
mod tests;

pub use account::{AccountPage, AppLine};
use askama::Template;
pub use consent::{ConsentPage, ResourceLine, ScopeLine};
pub use error::ErrorPage;
pub use form_post::FormPostPage;
pub use logout::{LogoutPage, SignedOutPage};
pub use manual::{Chapter, ManualPage};
pub use reference::{
    Body, Group, Member, Operation, Piece, Prose, Reference, ReferenceGroupPage, ReferencePage,
    Schema,
};
pub use setup::SetupPage;
#[cfg(test)]
pub(in crate::web) use tests::audit;
use url::Url;

use crate::domain::redirect;

/// What all pages share.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The name of this provider as the operator chose it (`brand_name`).
    pub brand: String,
    /// The page's title; the brand follows it.
    pub title: String,
    /// The request id, shown small at the foot of the page.
    pub request_id: Option<String>,
    /// The language of the text, a BCP 47 tag.
    pub lang: String,
}

impl Layout {
    /// A layout for an English page without a request id.
    pub fn new(brand: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            brand: brand.into(),
            title: title.into(),
            request_id: None,
            lang: "en".to_owned(),
        }
    }
}

/// The page as HTML. It fails only if memory for the text cannot be had.
pub fn render(page: &impl Template) -> askama::Result<String> {
    page.render()
}

/// A client's link if it leads to the web. Registration refuses other schemes; a page must not depend on that,
/// because `javascript:` is a link too.
pub(crate) fn web_link(uri: Option<&str>) -> Option<&str> {
    with_scheme(uri?, |scheme| matches!(scheme, "https" | "http"))
}

/// A client's logo if it is one that the pages' `img-src` lets through.
pub(crate) fn image_link(uri: Option<&str>) -> Option<&str> {
    let uri = uri?;
    with_scheme(uri, |scheme| scheme == "https")
        .or_else(|| uri.starts_with("data:image/").then_some(uri))
}

/// The link back to the application after sign-out. Native applications have schemes of their own (RFC 8252 §7.1);
/// the ones that a browser or a system acts on itself are never links.
pub(crate) fn return_link(link: Option<&(String, String)>) -> Option<(&str, &str)> {
    let (uri, name) = link?;
    let uri = with_scheme(uri, |scheme| redirect::acted_on(scheme).is_none())?;
    Some((uri, name))
}

fn with_scheme(uri: &str, allowed: impl Fn(&str) -> bool) -> Option<&str> {
    let parsed = Url::parse(uri).ok()?;
    allowed(parsed.scheme()).then_some(uri)
}

/// The letter that stands for someone without a picture.
pub(crate) fn initial(name: &str) -> String {
    name.chars()
        .find(|letter| letter.is_alphanumeric())
        .map_or_else(|| "•".to_owned(), |letter| letter.to_uppercase().collect())
}
