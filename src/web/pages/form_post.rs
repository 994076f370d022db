//! The authorization response as a form
//! ([OAuth 2.0 Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html)).

use askama::Template;

use super::Layout;

/// A form that carries the authorization response to the `redirect_uri`: at once by an external script, or by its
/// button. The response's `form-action` must name the target's origin.
#[derive(Template)]
#[template(path = "form_post.html")]
pub struct FormPostPage {
    /// What all pages share.
    pub layout: Layout,
    /// The proven `redirect_uri`.
    pub action: String,
    /// The parameters of the response.
    pub fields: Vec<(String, String)>,
    /// The application the person returns to.
    pub client_name: Option<String>,
}
