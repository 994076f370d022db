//! What can be revoked, and what the number beside it means.

/// The name of something revocable. The number recorded for it, its *version*, means:
///
/// | key | version | which record counts |
/// |---|---|---|
/// | `Jti`, `Grant`, `Session` | 1: its presence says revoked | any |
/// | `User` | the smallest token version (`ver`) that is still valid | the largest |
/// | `Client` | tokens issued before this many microseconds are dead; `i64::MAX`: disabled | the latest |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// One access token, by its `jti`.
    Jti(&'a [u8]),
    /// Everything issued from one grant.
    Grant([u8; 16]),
    /// Everything issued in one browser session.
    Session([u8; 16]),
    /// Everything issued to one user.
    User([u8; 16]),
    /// Everything issued to one client.
    Client(&'a str),
}

/// The kind under which a client is recorded; the only one whose latest record wins over a larger one.
pub(super) const CLIENT: i64 = 5;

impl Key<'_> {
    pub(super) const fn kind(&self) -> i64 {
        match self {
            Self::Jti(_) => 1,
            Self::Grant(_) => 2,
            Self::Session(_) => 3,
            Self::User(_) => 4,
            Self::Client(_) => CLIENT,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Jti(jti) => jti,
            Self::Grant(id) | Self::Session(id) | Self::User(id) => id,
            Self::Client(id) => id.as_bytes(),
        }
    }
}
