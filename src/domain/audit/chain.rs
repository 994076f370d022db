//! The chain: each event's hash covers the one before it, so none can be changed, removed or put in between
//! without breaking every link that follows.

use sha2::{Digest as _, Sha256};

/// SHA-256 of everything up to a place in the chain.
pub type Hash = [u8; 32];

/// A place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which place, from 1.
    pub position: i64,
    /// The hash up to here.
    pub hash: Hash,
}

impl Link {
    /// Before the first event.
    pub const START: Self = Self {
        position: 0,
        hash: [0; 32],
    };

    /// The place of the next event, which has that body.
    #[must_use]
    pub fn next(self, body: &str) -> Self {
        let position = self.position.saturating_add(1);
        let mut hash = Sha256::new();
        hash.update(TAG);
        hash.update(self.hash);
        hash.update(position.to_be_bytes());
        hash.update(body.as_bytes());
        Self {
            position,
            hash: hash.finalize().into(),
        }
    }
}

/// What is hashed here is hashed nowhere else.
const TAG: &[u8] = b"signet audit chain 1\0";
