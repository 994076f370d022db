//! A person's own account.

use askama::Template;

use super::Layout;

/// `/account`: who is signed in, sign-out, and the applications with access.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// What all pages share.
    pub layout: Layout,
    /// The anti-forgery value of the sign-out form.
    pub csrf: String,
    /// The username.
    pub username: String,
    /// The full name.
    pub name: Option<String>,
    /// The email address.
    pub email: Option<String>,
    /// When the person signed in, in words.
    pub signed_in_at: String,
    /// The applications with access.
    pub apps: Vec<AppLine>,
}

impl AccountPage {
    fn display_name(&self) -> &str {
        match self.name.as_deref().map(str::trim) {
            None | Some("") => &self.username,
            Some(name) => name,
        }
    }
}

/// One application with access to the account.
pub struct AppLine {
    /// The application's `client_id`.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What it may do, in words; may be empty.
    pub scopes_text: String,
    /// Since when, in words.
    pub since: String,
    /// The anti-forgery value of the form that removes it.
    pub csrf: String,
}
