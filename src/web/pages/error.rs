//! The page for what went wrong.

use askama::Template;

use super::Layout;

/// A plain sentence about what went wrong and what to do; never a cause from inside.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What all pages share. Leave its `request_id` empty: this page shows its own.
    pub layout: Layout,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub heading: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The request id to quote; empty if there is none.
    pub request_id: String,
    /// The RFC's error code, for developers.
    pub code: Option<String>,
}
