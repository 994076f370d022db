//! Passwords are verified and hashed before the transaction begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::check::CheckedUser;
use super::{ApplyError, DesiredPassword};
use crate::crypto::password::{PasswordError, Verified};
use crate::service::Services;

/// What is to become of a person's password.
pub(super) struct Prepared {
    /// The hash that was in the store when this was decided.
    pub(super) seen: Option<String>,
    /// The new hash; `None` when the password is the one they have.
    pub(super) hash: Option<String>,
}

/// By [`CheckedUser::key`].
pub(super) type Passwords = BTreeMap<String, Prepared>;

pub(super) async fn prepare(
    services: &Arc<Services>,
    users: &[CheckedUser<'_>],
) -> Result<Passwords, ApplyError> {
    let mut prepared = BTreeMap::new();
    let at_once = services.config.password_hash_threads.max(1);
    let mut running = JoinSet::new();
    for user in users {
        let Some(DesiredPassword::Plain(password)) = &user.desired.password else {
            continue;
        };
        if running.len() >= at_once
            && let Some(done) = running.join_next().await
        {
            note(&mut prepared, done)?;
        }
        let (services, key) = (Arc::clone(services), user.key.clone());
        let password = password.expose().to_owned();
        running.spawn(async move {
            let decided = decide(&services, &key, password).await;
            (key, decided)
        });
    }
    while let Some(done) = running.join_next().await {
        note(&mut prepared, done)?;
    }
    Ok(prepared)
}

type Decided = (String, Result<Prepared, ApplyError>);

fn note(
    prepared: &mut BTreeMap<String, Prepared>,
    done: Result<Decided, tokio::task::JoinError>,
) -> Result<(), ApplyError> {
    let (key, decided) =
        done.map_err(|_| PasswordError::Broken("hashing a password failed".to_owned()))?;
    prepared.insert(key, decided?);
    Ok(())
}

async fn decide(services: &Services, key: &str, password: String) -> Result<Prepared, ApplyError> {
    let stored = services.store.find_user_by_key(key).await?;
    let seen = stored.and_then(|known| known.password_hash);
    if let Some(phc) = &seen {
        let verified = services
            .passwords
            .verify(password.clone(), Some(phc.clone()))
            .await?;
        if matches!(verified, Verified::Match { .. }) {
            return Ok(Prepared { seen, hash: None });
        }
    }
    let hash = services.passwords.hash(password).await?;
    Ok(Prepared {
        seen,
        hash: Some(hash),
    })
}
