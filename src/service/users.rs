//! People, as the command line and, later, the administration manage them.

use thiserror::Error;

use super::Services;
use super::apply::{self, ApplyError, Options, Revoked, Work};
use super::audit::views;
use super::tokens::revoke::{self, Account};
use crate::crypto::password::PasswordError;
use crate::crypto::random;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::ids::UserId;
use crate::domain::policy::{ADMIN_ROLE, Assignment};
use crate::domain::user::username_key;
use crate::spec::time::Ts;
use crate::store::assignments::Holder;
use crate::store::error::StoreError;
use crate::store::users::UserFields;
use crate::telemetry::metrics;

/// Shortest password that may be set, in characters (NIST SP 800-63B §3.1.1.2).
pub const MIN_PASSWORD_CHARS: usize = 8;

/// Why nothing was changed; each says what to do.
#[derive(Debug, Error)]
pub enum UserError {
    /// No such person.
    #[error("there is no user named {0:?}")]
    Unknown(String),
    /// The name is taken.
    #[error("the user name {0:?} is taken")]
    Taken(String),
    /// The name cannot be one.
    #[error("a user name has 1 to 255 bytes, no control characters, and is not a UUID")]
    BadName,
    /// The password is too short or too long.
    #[error("a password has at least {MIN_PASSWORD_CHARS} characters and at most 1024 bytes")]
    BadPassword,
    /// Nobody could administrate any more.
    #[error(
        "this would leave nobody who can sign in with the role {ADMIN_ROLE:?}; give somebody else the role first"
    )]
    LastAdministrator,
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks and hashes a password that is to be set.
pub async fn hash_password(services: &Services, password: String) -> Result<String, UserError> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(UserError::BadPassword);
    }
    match services.passwords.hash(password).await {
        Err(PasswordError::TooLong) => Err(UserError::BadPassword),
        other => Ok(other?),
    }
}

/// Creates a person, with roles that exist.
pub async fn create(
    services: &Services,
    fields: UserFields,
    password: Option<String>,
    roles: &[String],
    origin: &Origin,
    now: Ts,
) -> Result<UserId, UserError> {
    let hash = match password {
        Some(password) => Some(hash_password(services, password).await?),
        None => None,
    };
    let id = UserId::from_random(random::bytes());
    let mut tx = services.store.db().begin().await?;
    match tx.insert_user(id, &fields, hash, now).await {
        Err(StoreError::Conflict { .. }) => return Err(UserError::Taken(fields.username)),
        other => other?,
    }
    for role in roles {
        tx.assign_role(id, role).await?;
        tx.record_event(&assigned(id, role, origin, now)).await?;
    }
    let event = Event::new(EventType::UserCreated, origin, now).target("user", &id);
    let event = event.user(id).after(views::user(&fields));
    tx.record_event(&event).await?;
    tx.commit().await?;
    tracing::info!(user.id = %id, "created user {id}");
    Ok(id)
}

/// The event of a role that a person was given.
pub(super) fn assigned(id: UserId, role: &str, origin: &Origin, now: Ts) -> Event {
    let assignment = Assignment {
        role: role.to_owned(),
        organization: None,
        until: None,
    };
    Event::new(EventType::AssignmentCreated, origin, now)
        .target("user", &id)
        .user(id)
        .after(views::held(&Holder::User(id), &assignment))
}

/// The id of the person of that name.
pub async fn find_id(services: &Services, username: &str) -> Result<UserId, UserError> {
    let key = username_key(username).ok_or(UserError::BadName)?;
    let found = services.store.find_user_by_key(&key).await?;
    found
        .map(|known| known.user.id)
        .ok_or_else(|| UserError::Unknown(username.to_owned()))
}

/// Sets a person's password and ends every session, grant and token of theirs: whoever knew the old one is out.
pub async fn set_password(
    services: &Services,
    username: &str,
    password: String,
    origin: &Origin,
    now: Ts,
) -> Result<(), UserError> {
    let id = find_id(services, username).await?;
    let hash = hash_password(services, password).await?;
    let mut tx = services.store.db().begin().await?;
    tx.set_password_hash(id, hash).await?;
    let version = revoke::raise_version(&mut tx, id, now).await?;
    let event = Event::new(EventType::UserPasswordSet, origin, now).target("user", &id);
    tx.record_event(&event.user(id)).await?;
    tx.commit().await?;
    if let Some(version) = version {
        revoke::publish_version(services, id, version, now).await?;
    }
    tracing::info!(user.id = %id, "set the password of user {id}");
    Ok(())
}

/// Ends every session, grant and token of a person; returns their new token version.
pub async fn revoke_tokens(
    services: &Services,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<i64, UserError> {
    let id = find_id(services, username).await?;
    let version = revoke::user(services, id, Account::Stays, origin, now).await?;
    tracing::info!(user.id = %id, "revoked everything of user {id}");
    version.ok_or_else(|| UserError::Unknown(username.to_owned()))
}

/// Disables a person and ends everything of theirs.
pub async fn disable(
    services: &Services,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), UserError> {
    let id = find_id(services, username).await?;
    let mut work = begin(services, origin, now).await?;
    let (tx, now) = (&mut work.tx, work.now);
    if let Some(version) = revoke::user_in(tx, id, Account::Disabled, origin, now).await? {
        work.revoked.push(Revoked::User(id, version));
    }
    finish(work, services).await?;
    metrics::revoked("user");
    tracing::info!(user.id = %id, "disabled user {id}");
    Ok(())
}

/// Removes a person and ends everything of theirs.
pub async fn delete(
    services: &Services,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), UserError> {
    let id = find_id(services, username).await?;
    let mut work = begin(services, origin, now).await?;
    let unknown = || UserError::Unknown(username.to_owned());
    let found = work.tx.find_user(id).await?.ok_or_else(unknown)?;
    apply::users::delete(&mut work, id, &found.user.username).await?;
    finish(work, services).await?;
    tracing::info!(user.id = %id, "deleted user {id}");
    Ok(())
}

async fn begin(services: &Services, origin: &Origin, now: Ts) -> Result<Work, StoreError> {
    let tx = services.store.db().begin().await?;
    Work::begin(services, tx, Options::default(), origin, now).await
}

async fn finish(work: Work, services: &Services) -> Result<(), UserError> {
    match work.finish(services).await {
        Ok(_) => Ok(()),
        Err(ApplyError::LastAdministrator) => Err(UserError::LastAdministrator),
        Err(ApplyError::Store(error) | ApplyError::NotPublished { source: error, .. }) => {
            Err(error.into())
        }
        Err(error) => Err(StoreError::unavailable(error.to_string()).into()),
    }
}

/// Lets a disabled person sign in again.
pub async fn enable(
    services: &Services,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), UserError> {
    let id = find_id(services, username).await?;
    let mut tx = services.store.db().begin().await?;
    tx.set_user_disabled(id, None).await?;
    let event = Event::new(EventType::UserEnabled, origin, now).target("user", &id);
    tx.record_event(&event.user(id)).await?;
    tx.commit().await?;
    tracing::info!(user.id = %id, "enabled user {id}");
    Ok(())
}
