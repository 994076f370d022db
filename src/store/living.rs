//! Living grants, as the administration lists them: a page at a time in the order of their ids.

use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::spec::time::Ts;

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

const GRANTS: &str = "SELECT g.id, g.client_id, g.user_id, g.session_id, g.offline, g.scope, g.created_at, g.advanced_at, \
    g.expires_at FROM grants g JOIN users u ON u.id = g.user_id WHERE g.user_id = $1 AND ($2 = '' OR g.client_id = $2) \
    AND g.id > $3 AND g.revoked_at IS NULL AND g.expires_at > $4 AND g.user_version = u.token_version \
    AND (g.generation > 0 OR g.code_expires_at > $4) ORDER BY g.id LIMIT $5";

const GRANT: &str = "SELECT g.id, g.client_id, g.user_id, g.session_id, g.offline, g.scope, g.created_at, g.advanced_at, \
    g.expires_at FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1 AND g.revoked_at IS NULL \
    AND g.expires_at > $2 AND g.user_version = u.token_version";
