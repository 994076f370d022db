//! Acts of an operator on one person or client, as the command line asks for them.

use std::sync::Arc;
use std::time::Duration;

use super::user_rows::{NewPassword, UserRow};
use super::{
    Act, AdministrationError, ClientPut, ClientRow, KindName, act_of_operator, hash_password,
};
use crate::crypto::secret::PlainToken;
use crate::domain::audit::Origin;
use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::ADMIN_ROLE;
use crate::domain::user::username_key;
use crate::service::Services;
use crate::service::tokens::revoke::ClientState;
use crate::spec::time::Ts;
use crate::store::users::UserWithPassword;

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

/// One act on the person of that name; returns their id, and what it returned.
async fn act_on<T>(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
    change: impl AsyncFnOnce(&mut Act, &UserWithPassword) -> Result<T, AdministrationError>,
) -> Result<(UserId, T), AdministrationError> {
    let id = find_id(services, username).await?;
    let done = act_of_operator(services, origin, now, async |act| {
        let found = act.tx.find_user_with_password(id).await?;
        change(act, &found.ok_or_else(|| unknown(username))?).await
    });
    Ok((id, done.await?))
}

async fn set_disabled(
    act: &mut Act,
    was: &UserWithPassword,
    disabled: bool,
) -> Result<(), AdministrationError> {
    let row = UserRow {
        username: was.user.username.clone(),
        disabled: Some(disabled),
        ..UserRow::default()
    };
    act.change_user(was, &row).await.map(drop)
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
    let id = act_of_operator(services, origin, now, async |act| {
        let mut roles = row.roles.iter().flatten();
        if roles.any(|given| given.role == ADMIN_ROLE) {
            act.ensure_admin_role().await?;
        }
        act.create_user(&row).await
    })
    .await?;
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
    let create = async |act: &mut Act| act.create_client(row).await;
    let put = act_of_operator(services, origin, now, create).await?;
    tracing::info!(client.id = %row.id, "registered client {}", row.id);
    Ok(put)
}

/// Disables or enables a client.
pub async fn set_client_state(
    services: &Arc<Services>,
    id: &ClientId,
    state: ClientState,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    act_of_operator(services, origin, now, async |act| {
        let was = act.find_client(id).await?;
        act.set_client_state(&was, state).await
    })
    .await
}

/// Gives a client a new secret; every other one of its ends after `keep`.
pub async fn rotate_client_secret(
    services: &Arc<Services>,
    id: &ClientId,
    keep: Duration,
    origin: &Origin,
    now: Ts,
) -> Result<PlainToken, AdministrationError> {
    let secret = act_of_operator(services, origin, now, async |act| {
        let was = act.find_client(id).await?;
        act.rotate_client_secret(&was, keep).await
    })
    .await?;
    tracing::info!(client.id = %id, "rotated the secret of client {id}");
    Ok(secret)
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
    let (id, ()) = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "set the password of user {id}");
    Ok(())
}

/// Ends every session, grant and token of a person; returns their new token version.
pub async fn revoke_tokens(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<i64, AdministrationError> {
    let change = async |act: &mut Act, was: &UserWithPassword| act.revoke_user(was.user.id).await;
    let (id, version) = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "revoked everything of user {id}");
    Ok(version)
}

/// Disables a person and ends everything of theirs.
pub async fn disable(
    services: &Arc<Services>,
    username: &str,
    origin: &Origin,
    now: Ts,
) -> Result<(), AdministrationError> {
    let change = async |act: &mut Act, was: &UserWithPassword| {
        if was.user.disabled_at.is_some() {
            // What was issued meanwhile ends.
            return act.revoke_user(was.user.id).await.map(drop);
        }
        set_disabled(act, was, true).await
    };
    let (id, ()) = act_on(services, username, origin, now, change).await?;
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
    let change = async |act: &mut Act, was: &UserWithPassword| set_disabled(act, was, false).await;
    let (id, ()) = act_on(services, username, origin, now, change).await?;
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
    let (id, ()) = act_on(services, username, origin, now, change).await?;
    tracing::info!(user.id = %id, "deleted user {id}");
    Ok(())
}
