//! The first administrator.

use askama::Template;

use super::Layout;

/// `/setup`: creates the first administrator with the one-time link that the server printed. The form posts `csrf`,
/// `token`, `username`, `password` and `password_again`.
#[derive(Template)]
#[template(path = "setup.html")]
pub struct SetupPage {
    /// What all pages share.
    pub layout: Layout,
    /// The one-time token of the link.
    pub token: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// What the username field holds at first; who was created, when `done`.
    pub username: String,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// The administrator exists now.
    pub done: bool,
}
