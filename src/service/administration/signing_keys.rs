//! Signing keys that an administrator or an operator makes before they are due.

use std::sync::Arc;
use std::time::Duration;

use super::{Act, AdministrationError, act_of_operator};
use crate::domain::audit::{EventType, Origin};
use crate::service::Services;
use crate::service::tokens::keys;
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use crate::store::signing_keys::StoredKey;

impl Act {
    /// Stores a new signing key. Rotating before the next key was published long enough is for administrators who may
    /// do everything.
    pub async fn add_signing_key(
        &mut self,
        key: &StoredKey,
        lead: Duration,
    ) -> Result<(), AdministrationError> {
        if lead < self.services.config.key_publish_lead {
            self.rights.require_all_rights("lead")?;
        }
        if !self.tx.insert_signing_key(key).await? {
            let detail = "another key was made in the same moment";
            return Err(AdministrationError::Overtaken(detail));
        }
        let event = keys::about(self.event(EventType::KeyRotated), key);
        self.record(event).await
    }
}

/// Makes the next key of every algorithm that has one (or of `only`) at once, to sign after `lead`; all of them or none.
pub async fn rotate(
    services: &Arc<Services>,
    only: Option<SigningAlg>,
    lead: Duration,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    // RSA takes a good part of a second: before the transaction.
    let mut made = Vec::new();
    services.keys.load(now).await?;
    let wanted = |alg: &SigningAlg| match only {
        Some(only) => only == *alg,
        None => services.keys.is_kept(*alg),
    };
    for alg in SigningAlg::ALL.into_iter().filter(wanted) {
        made.push(services.keys.make_next(alg, lead, now).await?);
    }
    act_of_operator(services, origin, now, async |act| {
        for key in &made {
            act.add_signing_key(key, lead).await?;
        }
        Ok(())
    })
    .await?;
    services.keys.load(now).await?;
    Ok(())
}
