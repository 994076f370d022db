//! What travels, sealed, through the pages of a sign-in: where it leads and what has happened since it began.

use serde::{Deserialize, Serialize};

use super::ids::{SessionId, UserId};
use super::sign_in::Proofs;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// A sign-in on its way through pages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// Where it leads. Its member stands beside the others, where the version before this one looks for `params`.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// When it began, in microseconds: what "again" in `prompt=login` and `max_age` is measured by.
    pub started_at: Ts,
    /// SHA-256 of the browser cookie of the browser that began it; none until a browser has shown one.
    pub browser: Option<[u8; 32]>,
    /// What was proven so far, where it does not suffice yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proofs: Option<Proofs>,
    /// The session that the person chose when asked for an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<SessionId>,
    /// The session in which the person allowed exactly this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consented: Option<SessionId>,
    /// The session that began with a sign-in for this very request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<SessionId>,
    /// What the page on which the person answers has shown them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// The person turned away: they cancelled or said no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
    /// What the `id_token_hint` of the request said. It is read when the request begins and does not travel: it may be
    /// longer than all else together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
}

/// What an `id_token_hint` said ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// It was issued about this person.
    Of(UserId),
    /// Its key is gone, so nothing is known of it.
    UnknownKey,
    /// It is no ID token of this server.
    Foreign,
}

impl Pending {
    /// One that begins now, in the browser whose cookie has that digest.
    #[must_use]
    pub const fn begin(purpose: Purpose, browser: Option<[u8; 32]>, now: Ts) -> Self {
        Self {
            purpose,
            started_at: now,
            browser,
            proofs: None,
            selected: None,
            consented: None,
            signed_in: None,
            shown: None,
            denied: false,
            hint: None,
        }
    }

    /// A parameter of the authorization request, if there is one.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        match &self.purpose {
            Purpose::Authorize { params } => {
                let mut params = params.iter();
                let found = params.find(|(known, _)| known == name);
                found.map(|(_, value)| value.as_str())
            }
            Purpose::Page { .. } => None,
        }
    }
}

/// Where a sign-in leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Purpose {
    /// To an application, by way of `/authorize`.
    Authorize {
        /// The parameters as they came; they are checked again, in full, whenever they are used.
        params: Vec<(String, String)>,
    },
    /// To a page of our own.
    Page {
        /// Which.
        path: OwnPath,
    },
}

/// The path of a page of our own that a sign-in may lead to. Anything else does not parse, so no sign-in can be made
/// to end elsewhere (an open redirect,
/// [RFC 9700 §4.11](https://www.rfc-editor.org/rfc/rfc9700#section-4.11)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnPath(String);

impl OwnPath {
    /// `/account`.
    #[must_use]
    pub fn account() -> Self {
        Self("/account".to_owned())
    }

    /// Reads a path: one of [`ROOTS`], then segments of lower-case letters, digits and hyphens. That leaves out hosts
    /// (`//`, `\\`), dots, percent-encoding, queries and fragments.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let is_ours = segments.next().is_some_and(|root| ROOTS.contains(&root));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_plain = |segment: &str| !segment.is_empty() && segment.chars().all(plain);
        (path.len() <= MAX_PATH && is_ours && segments.all(is_plain)).then(|| Self(path.to_owned()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OwnPath {
    type Error = &'static str;

    fn try_from(path: String) -> Result<Self, Self::Error> {
        Self::parse(&path).ok_or("not the path of a page of our own")
    }
}

impl From<OwnPath> for String {
    fn from(path: OwnPath) -> Self {
        path.0
    }
}

/// What a page has shown: an answer counts for this and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Who was signed in.
    pub session: SessionId,
    /// What was asked for.
    pub scope: Scope,
    /// For which resource servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

/// The first segments of the pages that a sign-in may lead to.
const ROOTS: [&str; 1] = ["account"];

/// Longest path, in bytes.
const MAX_PATH: usize = 200;

#[cfg(test)]
mod tests;
