//! The playground: a tiny relying party that shows what it does (`serve --dev` only).

use askama::Template;
use serde::{Deserialize, Serialize};

use super::Layout;

/// `/playground`: an introduction while `steps` is empty and `state` is none, else the timeline. Its forms post
/// `csrf`, `action` (`start`, `refresh`, `userinfo`, `introspect`, `revoke`, `logout`, `restart`) and `state`.
#[derive(Template)]
#[template(path = "playground.html")]
pub struct PlaygroundPage {
    /// What all pages share.
    pub layout: Layout,
    /// The forms' anti-forgery value.
    pub csrf: String,
    /// The provider's issuer URL.
    pub issuer: String,
    /// The `client_id` of the playground.
    pub client_id: String,
    /// The username of the demo account.
    pub demo_username: String,
    /// The password of the demo account.
    pub demo_password: String,
    /// The sealed tokens and history; none while nobody is signed in.
    pub state: Option<String>,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
    /// What has happened so far, oldest first.
    pub steps: Vec<Step>,
}

/// One step of the flow.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Step {
    /// What happened, in a few words.
    pub title: String,
    /// The request as it was sent.
    pub request: Option<Exchange>,
    /// The response as it came.
    pub response: Option<Reply>,
    /// Why the step exists, in a sentence or two; may be empty.
    pub note: String,
    /// Whether its messages stay folded although it is the latest: long, and seldom read.
    pub folded: bool,
    /// What the application checked.
    pub checks: Vec<Check>,
    /// The tokens in the response, decoded; made from the response, so never kept.
    #[serde(skip)]
    pub decoded: Vec<Decoded>,
}

/// Something that the application made sure of.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at, such as a claim.
    pub name: String,
    /// Whether it was as it must be.
    pub passed: bool,
    /// What was found, in a sentence.
    pub detail: String,
}

/// An HTTP request.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The URL with its query.
    pub url: String,
    /// The headers worth showing.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty. A form is shown one parameter a line, JSON as it stands (indent it before).
    pub body: String,
}

/// An HTTP response.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers worth showing.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty. JSON is shown as it stands (indent it before).
    pub body: String,
}

impl Reply {
    fn class(&self) -> &'static str {
        match self.status {
            200..300 => "ok",
            300..400 => "moved",
            _ => "failed",
        }
    }

    fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            201 => "Created",
            204 => "No Content",
            302 => "Found",
            303 => "See Other",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            _ => "",
        }
    }
}

/// A token's parts and what they mean.
#[derive(Clone, Default)]
pub struct Decoded {
    /// Which token this is, for example "ID token".
    pub name: String,
    /// The JOSE header, indented; empty, as the payload, for claims that are plain JSON.
    pub header_json: String,
    /// The payload, indented.
    pub payload_json: String,
    /// The claims worth explaining: (claim, value, meaning).
    pub explained: Vec<(String, String, String)>,
}

/// What a claim of an ID token or access token means (OpenID Connect Core §2 and §5.1, RFC 9068 §2.2); empty for a
/// claim without a registered meaning.
pub fn meaning_of_claim(claim: &str) -> &'static str {
    match claim {
        "iss" => "Who issued it: the application compares this with the provider it asked.",
        "sub" => "Who it is about: your identifier, which never changes.",
        "aud" => "Whom it is for: anyone else must refuse it.",
        "azp" => "The application that asked for it.",
        "client_id" => "The application it was issued to.",
        "exp" => "When it ends.",
        "iat" => "When it was issued.",
        "nbf" => "When it begins to hold.",
        "jti" => "Its own identifier, by which it can be revoked.",
        "nonce" => "Repeats what the application sent, so a token from another sign-in is noticed.",
        "auth_time" => "When you last proved who you are.",
        "acr" => "How strongly you proved it.",
        "amr" => "With what you proved it.",
        "sid" => "Your session at the provider, so that sign-out can find it.",
        "at_hash" => "Ties the ID token to the access token that came with it.",
        "c_hash" => "Ties the ID token to the code it came with.",
        "scope" => "What it allows.",
        "active" => "Whether the provider vouches for it right now.",
        "token_type" => "How it is presented: whoever bears it may use it.",
        "grant_id" => "The grant it came from: revoking that ends it.",
        "ver" => "Your token version: raising it ends every older token.",
        "roles" => "Your roles at the provider.",
        "name" => "Your full name.",
        "given_name" => "Your given name.",
        "family_name" => "Your family name.",
        "preferred_username" => "The name you sign in with.",
        "email" => "Your email address.",
        "email_verified" => "Whether the address was proven to be yours.",
        "updated_at" => "When your profile last changed.",
        _ => "",
    }
}
