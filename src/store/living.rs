//! Living sessions and grants, as the administration lists them: a page at a time in the order of their ids.

use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::spec::time::Ts;

/// A browser session as an administrator sees it.
#[derive(Clone, Debug)]
pub struct SessionPage {
    /// `sid`.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// When they last proved who they are.
    pub auth_time: Ts,
    /// How.
    pub amr: Vec<String>,
    /// When it was used last, to within a minute.
    pub last_seen_at: Ts,
    /// When it ends.
    pub expires_at: Ts,
}

/// A grant as an administrator sees it.
#[derive(Clone, Debug)]
pub struct GrantPage {
    /// Its name.
    pub id: GrantId,
    /// To which client it was given.
    pub client_id: String,
    /// Who gave it.
    pub user_id: UserId,
    /// In which session.
    pub session_id: SessionId,
    /// Whether it outlives the session.
    pub offline: bool,
    /// What was granted.
    pub scope: String,
    /// When it was given.
    pub created_at: Ts,
    /// When it was used last.
    pub advanced_at: Ts,
    /// When it ends.
    pub expires_at: Ts,
}

impl Store {
    /// A person's living sessions, in the order of their ids.
    pub async fn page_of_sessions(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: i64,
        now: Ts,
    ) -> Result<Vec<SessionPage>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows = self.db.q(SESSIONS).bind(user.0).bind(after);
        let rows = rows.bind(now.micros()).bind(limit);
        Ok(rows
            .all::<SessionRow>()
            .await?
            .into_iter()
            .map(session)
            .collect())
    }

    /// A living session.
    pub async fn find_session_by_id(
        &self,
        id: SessionId,
        now: Ts,
    ) -> Result<Option<SessionPage>, StoreError> {
        let row = self.db.q(SESSION).bind(id.0).bind(now.micros());
        Ok(row.opt::<SessionRow>().await?.map(session))
    }

    /// A person's living grants, of every client or of one, in the order of their ids.
    pub async fn page_of_grants(
        &self,
        user: UserId,
        client: &str,
        after: Option<GrantId>,
        limit: i64,
        now: Ts,
    ) -> Result<Vec<GrantPage>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows = self.db.q(GRANTS).bind(user.0).bind(client.to_owned());
        let rows = rows.bind(after).bind(now.micros()).bind(limit);
        Ok(rows
            .all::<GrantRow>()
            .await?
            .into_iter()
            .map(GrantRow::into_page)
            .collect())
    }

    /// A living grant.
    pub async fn find_grant_by_id(
        &self,
        id: GrantId,
        now: Ts,
    ) -> Result<Option<GrantPage>, StoreError> {
        let row = self.db.q(GRANT).bind(id.0).bind(now.micros());
        Ok(row.opt::<GrantRow>().await?.map(GrantRow::into_page))
    }
}

type SessionRow = (Uuid, Uuid, i64, Json<Vec<String>>, i64, i64);

fn session((id, user, auth_time, amr, last_seen_at, expires_at): SessionRow) -> SessionPage {
    SessionPage {
        id: SessionId(id),
        user_id: UserId(user),
        auth_time: Ts(auth_time),
        amr: amr.0,
        last_seen_at: Ts(last_seen_at),
        expires_at: Ts(expires_at),
    }
}

#[derive(sqlx::FromRow)]
struct GrantRow {
    id: Uuid,
    client_id: String,
    user_id: Uuid,
    session_id: Uuid,
    offline: bool,
    scope: String,
    created_at: i64,
    advanced_at: i64,
    expires_at: i64,
}

impl GrantRow {
    fn into_page(self) -> GrantPage {
        GrantPage {
            id: GrantId(self.id),
            client_id: self.client_id,
            user_id: UserId(self.user_id),
            session_id: SessionId(self.session_id),
            offline: self.offline,
            scope: self.scope,
            created_at: Ts(self.created_at),
            advanced_at: Ts(self.advanced_at),
            expires_at: Ts(self.expires_at),
        }
    }
}

const SESSIONS: &str = "SELECT s.id, s.user_id, s.auth_time, s.amr, s.last_seen_at, s.expires_at FROM sessions s \
    JOIN users u ON u.id = s.user_id WHERE s.user_id = $1 AND s.id > $2 AND s.ended_at IS NULL AND s.expires_at > $3 \
    AND s.user_version = u.token_version ORDER BY s.id LIMIT $4";

const SESSION: &str = "SELECT s.id, s.user_id, s.auth_time, s.amr, s.last_seen_at, s.expires_at FROM sessions s \
    JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 \
    AND s.user_version = u.token_version";

const GRANTS: &str = "SELECT g.id, g.client_id, g.user_id, g.session_id, g.offline, g.scope, g.created_at, g.advanced_at, \
    g.expires_at FROM grants g JOIN users u ON u.id = g.user_id WHERE g.user_id = $1 AND ($2 = '' OR g.client_id = $2) \
    AND g.id > $3 AND g.revoked_at IS NULL AND g.expires_at > $4 AND g.user_version = u.token_version \
    AND (g.generation > 0 OR g.code_expires_at > $4) ORDER BY g.id LIMIT $5";

const GRANT: &str = "SELECT g.id, g.client_id, g.user_id, g.session_id, g.offline, g.scope, g.created_at, g.advanced_at, \
    g.expires_at FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1 AND g.revoked_at IS NULL \
    AND g.expires_at > $2 AND g.user_version = u.token_version";
