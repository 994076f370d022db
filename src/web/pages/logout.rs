//! Signing out: the question and the answer.

use askama::Template;

use super::Layout;

/// `/logout`: asks before ending the session (OpenID Connect RP-Initiated Logout 1.0 §6).
#[derive(Template)]
#[template(path = "logout.html")]
pub struct LogoutPage {
    /// What all pages share.
    pub layout: Layout,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application that asks, where there is one.
    pub client_name: Option<String>,
    /// Who is signed in here; none where the session that is to end is another than this browser's.
    pub account: Option<String>,
    /// Whether the application means another person than the one who is signed in here.
    pub means_another: bool,
    /// Why the person does not return to where the application wants them.
    pub left_out: Option<String>,
    /// The parameters of the request, handed on as hidden fields.
    pub hidden: Vec<(String, String)>,
}

/// Shown when the session has ended.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage {
    /// What all pages share.
    pub layout: Layout,
    /// Where the application wants the person back: the proven address and the application's name.
    pub return_to: Option<(String, String)>,
    /// Why the person does not return to where the application wants them.
    pub left_out: Option<String>,
}
