//! Browser sessions: beginning, finding and ending them.

use crate::crypto::random;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::{Actor, Event, EventType, Origin};
use crate::domain::ids::SessionId;
use crate::domain::session::Session;
use crate::domain::sign_in::SignedIn;
use crate::service::Services;
use crate::service::tokens::revoke;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// How often the last use of a session is written down.
const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_mins(1);

/// The living session of that cookie.
pub async fn find(
    services: &Services,
    cookie: Option<&str>,
    now: Ts,
) -> Result<Option<Session>, StoreError> {
    let Some(cookie) = cookie else {
        return Ok(None);
    };
    let idle_since = now.minus(services.config.session_idle_lifetime);
    let session = services
        .store
        .find_session(PlainToken::new(cookie).digest(), now, idle_since)
        .await?;
    if let Some(session) = &session
        && now.since(session.last_seen_at) > TOUCH_EVERY
    {
        // A session that cannot be noted as used is still a session.
        if let Err(error) = services.store.touch_session(session.id, now).await {
            tracing::warn!(%error, "the use of a session could not be noted");
        }
    }
    Ok(session)
}

/// Begins a session with a sign-in, in the browser whose session was `before`. Returns the session and the new
/// cookie; the old cookie is worth nothing from now on. `None` when the user was disabled or signed out everywhere
/// since the first proof.
///
/// A user who signs in again keeps the `sid`, so applications stay signed in; another user ends the
/// session that was there.
pub async fn begin(
    services: &Services,
    signed_in: &SignedIn,
    before: Option<Session>,
    origin: &Origin,
    now: Ts,
) -> Result<Option<(Session, PlainToken)>, StoreError> {
    let user = signed_in.user();
    let cookie = random::token();
    let mut session = Session {
        id: SessionId::from_random(random::bytes()),
        user_id: user.id,
        username: user.username.clone(),
        user_version: user.token_version,
        auth_time: signed_in.auth_time(),
        amr: signed_in.amr(),
        acr: signed_in.acr().as_str().to_owned(),
        expires_at: now.plus(services.config.session_lifetime),
        last_seen_at: now,
    };
    let origin = &origin.by(Actor::Person(user.id));
    let event = |kind, session: &Session| {
        Event::new(kind, origin, now)
            .target("session", &session.id)
            .user(user.id)
            .detail("amr", session.amr.clone())
    };
    let mut tx = services.store.db().begin().await?;
    let mut replaced = None;
    if let Some(before) = before {
        if before.user_id == user.id {
            session.id = before.id;
            if tx.renew_session(&session, cookie.digest()).await? {
                tx.record_event(&event(EventType::SessionRenewed, &session))
                    .await?;
                tx.commit().await?;
                return Ok(Some((session, cookie)));
            }
            session.id = SessionId::from_random(random::bytes());
        } else {
            replaced = Some(before.id);
        }
    }
    if !tx.insert_session(&session, cookie.digest()).await? {
        return Ok(None);
    }
    tx.record_event(&event(EventType::SessionCreated, &session))
        .await?;
    tx.commit().await?;
    if let Some(replaced) = replaced {
        revoke::session(services, replaced, origin, now).await?;
    }
    tracing::info!(user.id = %user.id, session.id = %session.id, "user {} signed in", user.id);
    Ok(Some((session, cookie)))
}
