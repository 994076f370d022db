//! Password hashes from elsewhere that cost much more to check than the configured ones.

use super::{AdministrationError, Rights};
use crate::crypto::password::COSTLY;
use crate::service::Services;
use crate::service::apply::{Desired, DesiredPassword};

impl Rights {
    /// Requires `signet:*` for a hash that costs more than [`COSTLY`] times the configured ones: each sign-in with it
    /// takes that much processor time and up to 256 MiB.
    pub fn require_affordable_hash(
        &self,
        services: &Services,
        phc: &str,
    ) -> Result<(), AdministrationError> {
        if services.passwords.is_costly(phc) {
            self.must_be_full("password_hash")?;
        }
        Ok(())
    }
}

/// One sentence for each user of a document with such a hash: the operator may have it, and should know.
pub(in crate::service) fn warnings(services: &Services, desired: &Desired) -> Vec<String> {
    let costly = desired.users.iter().filter(|user| match &user.password {
        Some(DesiredPassword::Hash(phc)) => services.passwords.is_costly(phc.expose()),
        Some(DesiredPassword::Plain(_) | DesiredPassword::Fresh(_)) | None => false,
    });
    costly
        .map(|user| {
            format!(
                "the password hash of user {:?} costs more than {COSTLY} times the configured ones; few of them are \
                 checked at once until each has signed in",
                user.username
            )
        })
        .collect()
}
