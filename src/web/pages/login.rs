//! Signing in: the password form and the choice of an account.

use askama::Template;

use super::Layout;

/// `/login`: asks for username and password.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// What all pages share.
    pub layout: Layout,
    /// The sealed pending sign-in.
    pub flow: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application that asks, where there is one.
    pub client_name: Option<String>,
    /// The application's `logo_uri`.
    pub client_logo: Option<String>,
    /// What the username field holds at first: `login_hint`, the known person or the last attempt.
    pub username: String,
    /// Why the last attempt failed; one neutral sentence.
    pub error: Option<String>,
    /// A person who is known must prove it again (`prompt=login`, `max_age`).
    pub reauthenticate: bool,
    /// Whether there is something to go back to.
    pub cancel: bool,
    /// The application's `policy_uri`.
    pub policy_uri: Option<String>,
    /// The application's `tos_uri`.
    pub tos_uri: Option<String>,
}

/// `/login` for someone who is signed in when the request says `prompt=select_account`.
#[derive(Template)]
#[template(path = "select_account.html")]
pub struct SelectAccountPage {
    /// What all pages share.
    pub layout: Layout,
    /// The sealed pending authorization request.
    pub flow: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application that asks.
    pub client_name: Option<String>,
    /// The application's `logo_uri`.
    pub client_logo: Option<String>,
    /// Who is signed in.
    pub account: String,
}
