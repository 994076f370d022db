//! Revoking: SQL is written first, in the transaction of the act; then every instance is made to know; only
//! then is success answered.

use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME;
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::revocations::{Key, record};
use crate::telemetry::metrics;

/// Revokes one access token, which expires at `expires_at` anyway.
pub async fn access_token(
    services: &Services,
    jti: &str,
    expires_at: Ts,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let key = Key::Jti(jti.as_bytes());
    let event = Event::new(EventType::TokenRevoked, origin, now).target("access_token", jti);
    let mut tx = services.store.db().begin().await?;
    record(&mut tx, &key, 1, expires_at).await?;
    tx.record_event(&event).await?;
    tx.commit().await?;
    metrics::revoked("access_token");
    services.revocations.publish(&[(key, 1, expires_at)]).await
}

/// Revokes a grant with every token made from it.
pub async fn grant(
    services: &Services,
    id: GrantId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let tx = services.store.db().begin().await?;
    end_grant(services, tx, id, origin, now).await
}

/// Revokes a grant of which something used came back. The replay is an event each time, also when nothing was left
/// to revoke.
pub async fn replayed(
    services: &Services,
    id: GrantId,
    replay: &Event,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let mut tx = services.store.db().begin().await?;
    tx.record_event(replay).await?;
    end_grant(services, tx, id, origin, now).await
}

async fn end_grant(
    services: &Services,
    mut tx: Tx,
    id: GrantId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    grant_in(&mut tx, id, origin, now).await?;
    tx.commit().await?;
    metrics::revoked("grant");
    // Also when it was revoked before: that may not have reached every instance yet.
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    let key = Key::Grant(id.bytes());
    services.revocations.publish(&[(key, 1, until)]).await
}

/// Revokes a grant in the caller's transaction; the caller commits and publishes.
pub(in crate::service) async fn grant_in(
    tx: &mut Tx,
    id: GrantId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    if let Some((user, client)) = tx.revoke_grant(id, now).await? {
        record(tx, &Key::Grant(id.bytes()), 1, until).await?;
        let event = Event::new(EventType::GrantRevoked, origin, now).target("grant", &id);
        tx.record_event(&event.user(user).client(&client)).await?;
    }
    Ok(())
}

/// Revokes everything a person allowed a client, and forgets that they did.
pub async fn consent(
    services: &Services,
    user: UserId,
    client: &ClientId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    let mut tx = services.store.db().begin().await?;
    tx.delete_consent(user, client).await?;
    let event = Event::new(EventType::ConsentRevoked, origin, now).target("client", client);
    tx.record_event(&event.user(user).client(client)).await?;
    for id in tx.revoke_grants_of(user, client, now).await? {
        record(&mut tx, &Key::Grant(GrantId(id).bytes()), 1, until).await?;
        let event = Event::new(EventType::GrantRevoked, origin, now).target("grant", &id);
        tx.record_event(&event.user(user).client(client)).await?;
    }
    // Also those of an attempt before this one, which may not have reached every instance.
    let since = now.minus(MAX_ACCESS_TOKEN_LIFETIME);
    let revoked = tx.list_revoked_grants_of(user, client, since).await?;
    let records: Vec<_> = revoked
        .into_iter()
        .map(|id| (Key::Grant(GrantId(id).bytes()), 1, until))
        .collect();
    tx.commit().await?;
    metrics::revoked("consent");
    services.revocations.publish(&records).await
}

/// Ends a browser session with every token that lives in it.
pub async fn session(
    services: &Services,
    id: SessionId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    let mut tx = services.store.db().begin().await?;
    session_in(&mut tx, id, origin, now).await?;
    tx.commit().await?;
    metrics::revoked("session");
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    let key = Key::Session(id.bytes());
    services.revocations.publish(&[(key, 1, until)]).await
}

/// Ends a session in the caller's transaction; the caller commits and publishes.
pub(in crate::service) async fn session_in(
    tx: &mut Tx,
    id: SessionId,
    origin: &Origin,
    now: Ts,
) -> Result<(), StoreError> {
    if let Some(user) = tx.end_session(id, now).await? {
        let event = Event::new(EventType::SessionEnded, origin, now).target("session", &id);
        tx.record_event(&event.user(user)).await?;
    }
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    record(tx, &Key::Session(id.bytes()), 1, until).await
}

/// Raises a user's token version in the caller's transaction; the caller commits and publishes.
pub async fn raise_version(tx: &mut Tx, id: UserId, now: Ts) -> Result<Option<i64>, StoreError> {
    let Some(version) = tx.raise_token_version(id).await? else {
        return Ok(None);
    };
    record(
        tx,
        &Key::User(id.bytes()),
        version,
        now.plus(MAX_ACCESS_TOKEN_LIFETIME),
    )
    .await?;
    Ok(Some(version))
}

/// Whether a client may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// It cannot be used; its grants and tokens are revoked.
    Disabled,
    /// Again. What was issued before stays dead, so tokens count from the next full second on.
    Enabled,
}

/// Disables or enables a client in the caller's transaction; the caller bumps `CLIENTS`, commits, and publishes the
/// version, which is none when there is no such client.
pub(in crate::service) async fn client_in(
    tx: &mut Tx,
    id: &ClientId,
    state: ClientState,
    origin: &Origin,
    now: Ts,
) -> Result<Option<i64>, StoreError> {
    let (kind, disabled_at, not_before, version) = match state {
        ClientState::Disabled => (EventType::ClientDisabled, Some(now), now, i64::MAX),
        ClientState::Enabled => {
            let from = Ts::from_secs(now.secs() + 1);
            (EventType::ClientEnabled, None, from, from.micros())
        }
    };
    if !tx.set_client_disabled(id, disabled_at, not_before).await? {
        return Ok(None);
    }
    let until = now.plus(MAX_ACCESS_TOKEN_LIFETIME);
    record(tx, &Key::Client(id.as_str()), version, until).await?;
    let event = Event::new(kind, origin, now)
        .target("client", id)
        .client(id);
    tx.record_event(&event).await?;
    Ok(Some(version))
}
