//! Acts of an operator on one person or client, as the command line asks for them.

use std::sync::Arc;

use super::act::{Act, Revoked};
use super::user_rows::{NewPassword, UserRow};
use super::{AdministrationError, ClientPut, ClientRow, KindName, hash_password};
use crate::domain::audit::Origin;
use crate::domain::ids::UserId;
use crate::domain::policy::ADMIN_ROLE;
use crate::domain::user::username_key;
use crate::service::Services;
use crate::service::tokens::revoke::{self, Account};
use crate::spec::time::Ts;
use crate::store::users::UserWithPassword;
use crate::telemetry::metrics;

fn unknown(username: &str) -> AdministrationError {
    AdministrationError::NotFound {
        kind: KindName::User,
        name: username.to_owned(),
    }
}

/// The id of the person of that name.
pub async fn find_id(services: &Services, username: &str) -> Result<UserId, AdministrationError> {
    let key = username_key(username).ok_or_else(|| unknown(username))?;
    let found = services.store.find_user_by_key(&key).await?;
    found
        .map(|known| known.user.id)
        .ok_or_else(|| unknown(username))
}

/// One act on the person of that name; returns their id.
async fn act_on(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
    change: impl AsyncFnOnce(&mut Act, &UserWithPassword) -> Result<(), AdministrationError>,
) -> Result<UserId, AdministrationError> {
    let id = find_id(services, username).await?;
    let mut act = Act::of_operator(services, origin, now).await?;
    let found = act.tx.find_user_with_password(id).await?;
    change(&mut act, &found.ok_or_else(|| unknown(username))?).await?;
    act.commit().await?;
    Ok(id)
}

/// Creates a person, whose password is hashed first.
pub async fn create(
    services: &Arc<Services>,
    mut row: UserRow,
    origin: &Origin,
    now: Ts,
) -> Result<UserId, AdministrationError> {
    if let Some(NewPassword::Plain(password)) = &row.password {
        row.password = Some(hash_password(services, password.expose().to_owned()).await?);
    }
    let mut act = Act::of_operator(services, origin, now).await?;
    let mut roles = row.roles.iter().flatten();
    if roles.any(|given| given.role == ADMIN_ROLE) {
        act.ensure_admin_role().await?;
    }
    let id = act.create_user(&row).await?;
    act.commit().await?;
    tracing::info!(user.id = %id, "created user {id}");
    Ok(id)
}

/// Registers a client.
pub async fn register(
    services: &Arc<Services>,
    row: &ClientRow,
    origin: &Origin,
    now: Ts,
) -> Result<ClientPut, AdministrationError> {
    let mut act = Act::of_operator(services, origin, now).await?;
    let put = act.create_client(row).await?;
    act.commit().await?;
    tracing::info!(client.id = %row.id, "registered client {}", row.id);
    Ok(put)
}

/// Sets a person's password and ends every session, grant and token of theirs: the old one is worth nothing more.
pub async fn set_password(
    services: &Arc<Services>,
    username: &str,
    password: String,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    find_id(services, username).await?;
    let password = hash_password(services, password).await?;
    let change = async |act: &mut Act, was: &_| act.set_password(was, password).await.map(drop);
    let id = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "set the password of user {id}");
    Ok(())
}

/// Ends every session, grant and token of a person; returns their new token version.
pub async fn revoke_tokens(
    services: &Services,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<i64, AdministrationError> {
    let id = find_id(services, username).await?;
    let version = revoke::user(services, id, Account::Stays, origin, now).await?;
    tracing::info!(user.id = %id, "revoked everything of user {id}");
    version.ok_or_else(|| unknown(username))
}

/// Disables a person and ends everything of theirs.
pub async fn disable(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    let change = async |act: &mut Act, was: &UserWithPassword| {
        let id = was.user.id;
        // Also when they are disabled: what was issued meanwhile ends.
        let disabled = revoke::user_in(&mut act.tx, id, Account::Disabled, &act.origin, act.now);
        if let Some(version) = disabled.await? {
            act.revoked.push(Revoked::User(id, version));
        }
        Ok(())
    };
    let id = act_on(services, username, origin, now, change).await?;
    metrics::revoked("user");
    tracing::info!(user.id = %id, "disabled user {id}");
    Ok(())
}

/// Lets a disabled person sign in again.
pub async fn enable(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    let change = async |act: &mut Act, was: &UserWithPassword| {
        let row = UserRow {
            username: was.user.username.clone(),
            disabled: Some(false),
            ..UserRow::default()
        };
        act.change_user(was, &row).await.map(drop)
    };
    let id = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "enabled user {id}");
    Ok(())
}

/// Removes a person and ends everything of theirs.
pub async fn delete(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    let change = async |act: &mut Act, was: &UserWithPassword| act.remove_user(&was.user).await;
    let id = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "deleted user {id}");
    Ok(())
}
