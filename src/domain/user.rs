//! People.

use serde_json::{Map, Value};

use super::ids::UserId;
use crate::spec::standard_claims::StandardClaims;
use crate::spec::time::Ts;

/// A person who can sign in.
#[derive(Clone, Debug)]
pub struct User {
    /// `sub`.
    pub id: UserId,
    /// The name they sign in with, in the spelling they were given.
    pub username: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// The other standard claims.
    pub claims: StandardClaims,
    /// What policies may ask about them.
    pub attributes: Map<String, Value>,
    /// Tokens with a smaller `ver` are dead.
    pub token_version: i64,
    /// When they were disabled, if they are.
    pub disabled_at: Option<Ts>,
    /// When they were created.
    pub created_at: Ts,
    /// When their claims last changed: `updated_at`.
    pub updated_at: Ts,
}

impl User {
    /// All claims about this person, under their standard names, with nothing left out yet.
    ///
    /// # Errors
    /// Where a claim cannot be written as JSON.
    pub fn all_claims(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let mut all: Map<String, Value> =
            serde_json::from_value(serde_json::to_value(&self.claims)?)?;
        all.insert(
            "preferred_username".to_owned(),
            self.username.clone().into(),
        );
        all.insert("updated_at".to_owned(), self.updated_at.secs().into());
        if let Some(email) = &self.email {
            all.insert("email".to_owned(), email.clone().into());
            all.insert("email_verified".to_owned(), self.email_verified.into());
        }
        Ok(all)
    }
}

/// The one spelling under which a user name is unique and found: lower case, without outer spaces.
/// `None` when it cannot be a user name: empty, over 255 bytes, or with control characters.
#[must_use]
pub fn username_key(username: &str) -> Option<String> {
    let key = username.trim().to_lowercase();
    (!key.is_empty() && key.len() <= 255 && !key.chars().any(char::is_control)).then_some(key)
}

/// The same for a new name: no UUID either, which would be taken for a `sub`.
#[must_use]
pub fn new_username_key(username: &str) -> Option<String> {
    username_key(username).filter(|key| UserId::parse(key).is_none())
}
