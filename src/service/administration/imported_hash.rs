//! Password hashes from elsewhere that cost much more to check than the configured ones.

use super::{AdministrationError, NewPassword, Rights, UserRow};
use crate::crypto::password::COSTLY;
use crate::service::Services;

impl Rights {
    /// Requires `signet:*` for a hash that costs more than [`COSTLY`] times the configured ones: each sign-in with it
    /// takes that much processor time and up to 256 MiB.
    pub(super) fn require_affordable_hash(
        &self,
        services: &Services,
        phc: &str,
    ) -> Result<(), AdministrationError> {
        if services.passwords.is_costly(phc) {
            self.require_all_rights("password_hash")?;
        }
        Ok(())
    }
}

/// One warning for each user with such a hash.
pub(super) fn warnings(services: &Services, users: &[UserRow]) -> Vec<String> {
    let costly = users.iter().filter(|user| match &user.password {
        Some(NewPassword::Hash(phc)) => services.passwords.is_costly(phc.expose()),
        Some(NewPassword::Plain(_) | NewPassword::Fresh(_)) | None => false,
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
