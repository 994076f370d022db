//! Passwords are verified and hashed before the transaction begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::AdministrationError;
use super::user_rows::{MIN_PASSWORD_CHARS, NewPassword, UserRow};
use crate::config::Secret;
use crate::crypto::password::{PasswordError, Verified};
use crate::service::Services;

/// Hashes a new password before an act begins: on SQLite every other write waits while one is being done.
pub async fn hash_password(
    services: &Services,
    password: String,
) -> Result<NewPassword, AdministrationError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(AdministrationError::BadPassword);
    }
    match services.passwords.hash(password).await {
        Ok(phc) => Ok(NewPassword::Fresh(Secret::new(phc))),
        Err(PasswordError::TooLong) => Err(AdministrationError::BadPassword),
        Err(error) => Err(error.into()),
    }
}

/// What is to become of a person's password.
pub(super) struct Prepared {
    /// The hash that was in the store when this was decided.
    pub(super) seen: Option<String>,
    /// The new hash; `None` when the password is the one they have.
    pub(super) hash: Option<String>,
}

/// By the name under which a person is found.
pub(super) type Passwords = BTreeMap<String, Prepared>;

pub(super) async fn prepare(
    services: &Arc<Services>,
    users: &[UserRow],
    keys: &[String],
) -> Result<Passwords, AdministrationError> {
    let mut prepared = BTreeMap::new();
    let at_once = services.config.password_hash_threads.max(1);
    let mut running = JoinSet::new();
    for (user, key) in users.iter().zip(keys) {
        let Some(NewPassword::Plain(password)) = &user.password else {
            continue;
        };
        if running.len() >= at_once
            && let Some(done) = running.join_next().await
        {
            note(&mut prepared, done)?;
        }
        let (services, key) = (Arc::clone(services), key.clone());
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

type Decided = (String, Result<Prepared, AdministrationError>);

fn note(
    prepared: &mut BTreeMap<String, Prepared>,
    done: Result<Decided, tokio::task::JoinError>,
) -> Result<(), AdministrationError> {
    let (key, decided) =
        done.map_err(|_| PasswordError::Broken("hashing a password failed".to_owned()))?;
    prepared.insert(key, decided?);
    Ok(())
}

async fn decide(
    services: &Services,
    key: &str,
    password: String,
) -> Result<Prepared, AdministrationError> {
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
