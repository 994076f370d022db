//! A browser's session: who signed in there, when and how.

use super::ids::{SessionId, UserId};
use crate::spec::time::Ts;

/// A session that was alive when it was read.
#[derive(Clone, Debug)]
pub struct Session {
    /// `sid`.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// What they are called, for pages.
    pub username: String,
    /// The user's token version at sign-in.
    pub user_version: i64,
    /// When they last proved who they are: `auth_time`.
    pub auth_time: Ts,
    /// How: `amr` (RFC 8176).
    pub amr: Vec<String>,
    /// How strongly: `acr`.
    pub acr: String,
    /// When the session ends whatever happens.
    pub expires_at: Ts,
    /// When it was last used, to within a minute.
    pub last_seen_at: Ts,
}
