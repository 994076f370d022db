//! The first administrator: a one-time link instead of a default password.

use std::time::Duration;

use super::Services;
use super::audit::views;
use super::users::{UserError, assigned, hash_password};
use crate::crypto::random;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Actor, Event, EventType, Origin};
use crate::domain::ids::UserId;
use crate::domain::user::new_username_key;
use crate::spec::standard_claims::StandardClaims;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::users::UserFields;

pub use crate::domain::policy::ADMIN_ROLE;

/// How long a set-up link is valid.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// Whether nobody who can sign in is an administrator.
pub async fn is_needed(services: &Services) -> Result<bool, StoreError> {
    Ok(!services.store.has_holder(ADMIN_ROLE).await?)
}

/// Makes a one-time link at which an administrator is created.
pub async fn new_link(services: &Services, origin: &Origin, now: Ts) -> Result<String, StoreError> {
    let token = random::token();
    let mut tx = services.store.db().begin().await?;
    tx.insert_setup_token(token.digest(), now, now.plus(LINK_LIFETIME))
        .await?;
    let kind = match origin.actor {
        Actor::System => EventType::SetupOffered,
        Actor::Person(_) | Actor::Client(_) | Actor::Operator(_) | Actor::Anonymous => {
            EventType::AdminRecovered
        }
    };
    tx.record_event(&Event::new(kind, origin, now)).await?;
    tx.commit().await?;
    Ok(services
        .config
        .issuer
        .endpoint(&format!("/setup?token={}", token.expose())))
}

/// Whether the link may still be used.
pub async fn is_valid(
    services: &Services,
    token: &PlainToken,
    now: Ts,
) -> Result<bool, StoreError> {
    services
        .store
        .setup_token_is_valid(token.digest(), now)
        .await
}

/// What became of a set-up.
#[derive(Debug)]
pub enum SetUp {
    /// The administrator exists now.
    Created(UserId),
    /// The link was used before or has expired.
    BadLink,
}

/// Creates an administrator and uses the link up, both or neither.
pub async fn create_administrator(
    services: &Services,
    token: &PlainToken,
    username: &str,
    password: String,
    origin: &Origin,
    now: Ts,
) -> Result<SetUp, UserError> {
    let username_key = new_username_key(username).ok_or(UserError::BadName)?;
    let hash = hash_password(services, password).await?;
    let fields = UserFields {
        username: username.trim().to_owned(),
        username_key,
        email: None,
        email_verified: false,
        claims: StandardClaims::default(),
        attributes: serde_json::Map::new(),
    };
    let id = UserId::from_random(random::bytes());
    let mut tx = services.store.db().begin().await?;
    if !tx.use_setup_token(token.digest(), now).await? {
        return Ok(SetUp::BadLink);
    }
    match tx.insert_user(id, &fields, Some(hash), now).await {
        Err(StoreError::Conflict { .. }) => return Err(UserError::Taken(fields.username)),
        other => other?,
    }
    tx.save_admin_role().await?;
    tx.assign_role(id, ADMIN_ROLE).await?;
    let created = Event::new(EventType::UserCreated, origin, now).target("user", &id);
    let created = created.user(id).after(views::user(&fields));
    let completed = Event::new(EventType::SetupCompleted, origin, now).target("user", &id);
    for event in [
        created,
        assigned(id, ADMIN_ROLE, origin, now),
        completed.user(id),
    ] {
        tx.record_event(&event).await?;
    }
    tx.commit().await?;
    tracing::info!(user.id = %id, "created administrator {id} through the set-up link");
    Ok(SetUp::Created(id))
}
