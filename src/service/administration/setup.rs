//! The first administrator: a one-time link instead of a default password.

use std::sync::Arc;
use std::time::Duration;

use super::act::Act;
use super::user_rows::UserRow;
use super::{AdministrationError, act_of_operator, hash_password};
use crate::crypto::random;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Actor, EventType, Origin};
use crate::domain::policy::{ADMIN_ROLE, Assignment};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// How long a set-up link is valid.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// Whether no administrator can sign in.
pub async fn is_needed(services: &Services) -> Result<bool, StoreError> {
    Ok(!services.store.has_holder(ADMIN_ROLE).await?)
}

/// Makes a one-time link at which an administrator is created.
pub async fn new_link(
    services: &Arc<Services>,
    origin: &Origin,
    now: Ts,
) -> Result<String, AdministrationError> {
    let token = random::token();
    let kind = match origin.actor {
        Actor::System => EventType::SetupOffered,
        Actor::Person(_) | Actor::Client(_) | Actor::Operator(_) | Actor::Anonymous => {
            EventType::AdminRecovered
        }
    };
    act_of_operator(services, origin, now, async |act| {
        let ends = act.now.plus(LINK_LIFETIME);
        let insert = act.tx.insert_setup_token(token.digest(), act.now, ends);
        insert.await?;
        act.record(act.event(kind)).await
    })
    .await?;
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
    Created,
    /// The link was used before or has expired.
    BadLink,
}

/// Creates an administrator and uses the link up, both or neither.
pub async fn create_administrator(
    services: &Arc<Services>,
    token: &PlainToken,
    username: &str,
    password: String,
    origin: &Origin,
    now: Ts,
) -> Result<SetUp, AdministrationError> {
    let password = hash_password(services, password).await?;
    let mut act = Act::of_operator(services, origin, now).await?;
    if !act.tx.use_setup_token(token.digest(), act.now).await? {
        return Ok(SetUp::BadLink);
    }
    act.ensure_admin_role().await?;
    let row = UserRow {
        username: username.to_owned(),
        password: Some(password),
        roles: Some([Assignment::of(ADMIN_ROLE)].into()),
        ..UserRow::default()
    };
    let id = act.create_user(&row).await?;
    act.tell_user(EventType::SetupCompleted, id).await?;
    act.commit().await?;
    tracing::info!(user.id = %id, "created administrator {id} through the set-up link");
    Ok(SetUp::Created)
}
