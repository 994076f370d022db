//! Consent: what an application asks for, in plain words.

use askama::Template;

use super::Layout;
use crate::domain::resource::Resource;
use crate::spec::scope::Scope;

/// `/consent`: asks whether an application may use the account.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage {
    /// What all pages share.
    pub layout: Layout,
    /// The sealed pending authorization request.
    pub flow: String,
    /// The form's anti-forgery value.
    pub csrf: String,
    /// The application's `client_name`, or its `client_id` if it has none.
    pub client_name: String,
    /// The application's `logo_uri`.
    pub client_logo: Option<String>,
    /// The application's `client_uri`.
    pub client_uri: Option<String>,
    /// The application's `policy_uri`.
    pub policy_uri: Option<String>,
    /// The application's `tos_uri`.
    pub tos_uri: Option<String>,
    /// Who is signed in.
    pub account: String,
    /// What is asked for.
    pub scopes: Vec<ScopeLine>,
    /// For which resource servers; none: Signet itself alone.
    pub resources: Vec<ResourceLine>,
    /// Where the person will be sent: the host (and port) of the `redirect_uri`.
    pub redirect_host: String,
}

/// A resource server to which the application will be able to turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceLine {
    /// Its identifier.
    pub identifier: String,
    /// What people call it.
    pub name: Option<String>,
}

impl ResourceLine {
    /// How a resource server is shown.
    pub fn of(resource: &Resource) -> Self {
        Self {
            identifier: resource.identifier.clone(),
            name: resource.name.clone(),
        }
    }
}

/// One scope in plain words; the sentence begins "It will be able to …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeLine {
    /// The scope value, for example `email`.
    pub name: String,
    /// What it allows, for example "See your email address".
    pub text: String,
    /// A second, smaller sentence.
    pub detail: Option<String>,
}

impl ScopeLine {
    /// The words for a scope: those of OpenID Connect Core §5.4 and §11 are known, any other is quoted.
    pub fn of(name: &str) -> Self {
        let (text, detail) = match name {
            "openid" => (
                "Know who you are",
                Some("An identifier for your account, nothing else about you."),
            ),
            "profile" => (
                "See your profile",
                Some("Such as your name, username, picture, language and time zone."),
            ),
            "email" => ("See your email address", None),
            "address" => ("See your postal address", None),
            "phone" => ("See your phone number", None),
            "offline_access" => (
                "Keep this access while you are away",
                Some("Until you remove it or it has not been used for a long time."),
            ),
            Scope::DECIDE => ("Ask who may do what", None),
            Scope::ADMIN => (
                "Administrate this service for you",
                Some("It may do whatever you may do here: people, applications, roles."),
            ),
            other => {
                return Self {
                    name: other.to_owned(),
                    text: format!("Use “{other}”"),
                    detail: Some("A permission of one of your services.".to_owned()),
                };
            }
        };
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            detail: detail.map(str::to_owned),
        }
    }
}
