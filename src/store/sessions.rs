//! Browser sessions: the `sessions` table.

use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::db::{Tx, row, writes};
use super::error::StoreError;
use crate::crypto::secret::TokenDigest;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::session::Session;
use crate::spec::time::Ts;

impl Store {
    /// The living session whose cookie has that digest: not ended, not expired, used since `idle_since`, and
    /// of a person who is neither disabled nor was signed out everywhere.
    pub async fn find_session(
        &self,
        token: TokenDigest,
        now: Ts,
        idle_since: Ts,
    ) -> Result<Option<Session>, StoreError> {
        let row = self
            .db
            .q(FIND)
            .bind(token.as_bytes().to_vec())
            .bind(now.micros())
            .bind(idle_since.micros())
            .opt::<NamedSessionRow>()
            .await?;
        Ok(row.map(NamedSessionRow::into_session))
    }

    /// The living session of that `sid`, however long it has not been used.
    pub async fn find_session_by_id(
        &self,
        id: SessionId,
        now: Ts,
    ) -> Result<Option<Session>, StoreError> {
        let row = self.db.q(FIND_BY_ID).bind(id.0).bind(now.micros());
        let row = row.opt::<NamedSessionRow>().await?;
        Ok(row.map(NamedSessionRow::into_session))
    }

    /// A user's living sessions, in the order of their ids, behind `after`.
    pub async fn page_of_sessions(
        &self,
        user: UserId,
        after: Option<SessionId>,
        limit: i64,
        now: Ts,
    ) -> Result<Vec<Session>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows = self.db.q(PAGE).bind(user.0).bind(after);
        let rows = rows.bind(now.micros()).bind(limit);
        let rows = rows.all::<NamedSessionRow>().await?;
        Ok(rows
            .into_iter()
            .map(NamedSessionRow::into_session)
            .collect())
    }

    /// Notes that the session was used.
    pub async fn touch_session(&self, id: SessionId, now: Ts) -> Result<(), StoreError> {
        self.db
            .w(TOUCH)
            .bind(id.0)
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }
}

impl Tx {
    /// Begins a session. `false` when the person was disabled or signed out everywhere meanwhile.
    pub async fn insert_session(
        &mut self,
        session: &Session,
        token: TokenDigest,
    ) -> Result<bool, StoreError> {
        let insert = self.q(INSERT).bind(session.id.0).bind(session.user_version);
        let insert = bind_session(insert, session, token).bind(session.user_id.0);
        let rows = insert.exec().await?;
        Ok(rows == 1)
    }

    /// The same person signed in again in the same browser: the session keeps its `sid`, so what was issued
    /// in it lives on, and gets a new cookie and a new `auth_time`. `false` when it has ended meanwhile.
    pub async fn renew_session(
        &mut self,
        session: &Session,
        token: TokenDigest,
    ) -> Result<bool, StoreError> {
        let renew = self.q(RENEW).bind(session.id.0).bind(session.user_version);
        let rows = bind_session(renew, session, token).exec().await?;
        Ok(rows == 1)
    }

    /// Ends a session; whose it was, or `None` when it had ended before or is unknown.
    pub async fn end_session(
        &mut self,
        id: SessionId,
        now: Ts,
    ) -> Result<Option<UserId>, StoreError> {
        let end = self.q(END).bind(id.0).bind(now.micros());
        Ok(end.opt::<(Uuid,)>().await?.map(|(user,)| UserId(user)))
    }
}

row! { $
    struct SessionRow, session_columns {
        id: Uuid,
        user_id: Uuid,
        user_version: i64,
        auth_time: i64,
        amr: Json<Vec<String>>,
        acr: String,
        expires_at: i64,
        last_seen_at: i64,
    }
}

#[derive(sqlx::FromRow)]
struct NamedSessionRow {
    #[sqlx(flatten)]
    session: SessionRow,
    username: String,
}

impl NamedSessionRow {
    fn into_session(self) -> Session {
        let session = self.session;
        Session {
            id: SessionId(session.id),
            user_id: UserId(session.user_id),
            username: self.username,
            user_version: session.user_version,
            auth_time: Ts(session.auth_time),
            amr: session.amr.0,
            acr: session.acr,
            expires_at: Ts(session.expires_at),
            last_seen_at: Ts(session.last_seen_at),
        }
    }
}

const FIND: &str = concat!(
    "SELECT ",
    session_columns!("s."),
    ", u.username FROM sessions s JOIN users u ON u.id = s.user_id \
    WHERE s.token_digest = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3 \
    AND u.disabled_at IS NULL AND u.token_version = s.user_version"
);

const FIND_BY_ID: &str = concat!(
    "SELECT ",
    session_columns!("s."),
    ", u.username FROM sessions s JOIN users u ON u.id = s.user_id \
    WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.user_version = u.token_version"
);

const PAGE: &str = concat!(
    "SELECT ",
    session_columns!("s."),
    ", u.username FROM sessions s JOIN users u ON u.id = s.user_id \
    WHERE s.user_id = $1 AND s.id > $2 AND s.ended_at IS NULL AND s.expires_at > $3 \
    AND s.user_version = u.token_version ORDER BY s.id LIMIT $4"
);

writes! { $
    fn bind_session(session: &Session, token: TokenDigest), session_writes {
        // The statement names it.
        last_seen_at = session.last_seen_at.micros(),
        token_digest = token.as_bytes().to_vec(),
        auth_time = session.auth_time.micros(),
        acr = session.acr.clone(),
        amr = Json(session.amr.clone()),
        expires_at = session.expires_at.micros(),
    }
}

const INSERT: &str = concat!(
    "INSERT INTO sessions (",
    session_writes!(names),
    ", id, user_id, user_version, created_at) SELECT ",
    session_writes!(values),
    ", $1, u.id, u.token_version, $3 FROM users u WHERE u.token_version = $2 AND u.disabled_at IS NULL AND u.id = ",
    session_writes!(next)
);

const RENEW: &str = concat!(
    "UPDATE sessions SET ",
    session_writes!(set),
    " WHERE id = $1 AND ended_at IS NULL AND user_version = $2"
);

const TOUCH: &str = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2";

const END: &str =
    "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING user_id";
