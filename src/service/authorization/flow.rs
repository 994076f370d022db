//! Sign-ins on their way through pages, with what they lead to and what was proven so far: sealed, expiring, bound to
//! the browser that began them.

use std::time::Duration;

use crate::crypto::digest::sha256;
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::Sealer;
use crate::domain::pending::Pending;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// Longest request that travels on, in bytes of its names and values.
pub const MAX_REQUEST: usize = 12 * 1024;

/// Longest sealed text that is looked at, in bytes: what the longest request becomes with everything beside it. In JSON a
/// byte becomes two at most, and in base64url three become four.
pub const MAX_BYTES: usize = (2 * MAX_REQUEST + MAX_BESIDE) / 3 * 4;

/// What travels beside the request, in bytes of JSON: how its members are set apart, and what was proven and shown.
const MAX_BESIDE: usize = 8 * 1024;

/// Seals and opens pending sign-ins.
pub struct Flows {
    sealer: Sealer,
    lifetime: Duration,
}

/// A pending sign-in that cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// Not sealed by this provider.
    Forged,
    /// Begun too long ago.
    Expired,
    /// Begun in another browser: an attacker could send a prepared link to a victim.
    OtherBrowser,
}

impl FlowError {
    /// What a person is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Forged => "The address is incomplete or was changed on its way.",
            Self::Expired => "It was begun too long ago.",
            Self::OtherBrowser => {
                "It was begun in another browser, or this browser does not send its cookies."
            }
        }
    }
}

impl Flows {
    pub(in crate::service) fn new(master: &MasterKey, lifetime: Duration) -> Self {
        Self {
            sealer: Sealer::new(master, "flow"),
            lifetime,
        }
    }

    /// Seals a pending sign-in.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] where it cannot be written as JSON.
    pub fn seal(&self, pending: &Pending) -> Result<String, StoreError> {
        let json = serde_json::to_vec(pending)?;
        Ok(self.sealer.seal_text(b"", &json))
    }

    /// Opens a pending sign-in that was begun in the browser with that cookie, or in none yet.
    pub fn open(&self, sealed: &str, browser: Option<&str>, now: Ts) -> Result<Pending, FlowError> {
        if sealed.len() > MAX_BYTES {
            return Err(FlowError::Forged);
        }
        let json = self
            .sealer
            .open_text(b"", sealed)
            .ok_or(FlowError::Forged)?;
        let pending: Pending = serde_json::from_slice(&json).map_err(|_| FlowError::Forged)?;
        if now >= pending.started_at.plus(self.lifetime) {
            return Err(FlowError::Expired);
        }
        if let Some(bound) = pending.browser
            && browser.map(browser_digest) != Some(bound)
        {
            return Err(FlowError::OtherBrowser);
        }
        Ok(pending)
    }
}

/// What a pending sign-in knows of the browser cookie.
#[must_use]
pub fn browser_digest(cookie: &str) -> [u8; 32] {
    sha256(cookie.as_bytes())
}

#[cfg(test)]
mod tests;
