//! Secrets in plain and as stored: two types, so that one is never taken for the other.

use std::fmt;
use std::hash::{Hash, Hasher};

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::digest;

/// A secret as its holder knows it: a code, a token, a client secret, a cookie value.
///
/// It has no `Display` and its `Debug` shows nothing, so it cannot slip into a log or a page;
/// [`PlainToken::expose`] marks the places where it is handed out.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PlainToken(String);

impl PlainToken {
    /// Takes a secret that was just received or made.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the one response or comparison that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be stored of a token that was made here: a plain SHA-256 is enough, because each holds at least 128
    /// random bits. Of what a person may have chosen a [`KeyedDigest`] is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(digest::sha256(self.0.as_bytes()))
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(…)")
    }
}

/// SHA-256 of a [`PlainToken`]: the only form in which a token is stored or looked up.
#[derive(Clone, Copy, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of something made of digests.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(digest::sha256(bytes))
    }

    /// The 32 bytes for storage.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A digest read back from storage; `None` unless it is 32 bytes long.
    pub fn from_slice(stored: &[u8]) -> Option<Self> {
        stored.try_into().ok().map(Self)
    }
}

impl PartialEq for TokenDigest {
    /// Constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

/// A tag under a key of the master key ([`Mac::digest`](super::seal::Mac::digest)): the only form in which something
/// is stored that can be guessed, such as a secret that a person chose or a request with a password in it. Reading
/// the database is not enough to try guesses against it.
#[derive(Clone, Copy, Eq)]
pub struct KeyedDigest([u8; 32]);

impl KeyedDigest {
    pub(super) const fn new(tag: [u8; 32]) -> Self {
        Self(tag)
    }

    /// The 32 bytes for storage.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A digest read back from storage; `None` unless it is 32 bytes long.
    pub fn from_slice(stored: &[u8]) -> Option<Self> {
        stored.try_into().ok().map(Self)
    }
}

impl PartialEq for KeyedDigest {
    /// Constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedDigest(…)")
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let token = PlainToken::new("s3cret");
        assert_eq!(format!("{token:?}"), "PlainToken(…)");
        assert_eq!(format!("{:?}", token.digest()), "TokenDigest(…)");
    }

    #[test]
    fn a_digest_survives_storage_and_tells_tokens_apart() {
        let digest = PlainToken::new("one").digest();
        assert_eq!(TokenDigest::from_slice(digest.as_bytes()).unwrap(), digest);
        assert_ne!(PlainToken::new("two").digest(), digest);
        assert!(TokenDigest::from_slice(&[0; 31]).is_none());
        assert!(TokenDigest::from_slice(&[0; 33]).is_none());
    }
}
