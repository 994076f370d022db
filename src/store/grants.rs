//! Grants: the `grants` table, one row each.

use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::db::{Tx, row, writes};
use super::dialect;
use super::error::StoreError;
use crate::domain::binding::Binding;
use crate::domain::grant::{CodeBinding, Grant};
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::pkce::CodeChallenge;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// A grant that was found, and whether its user, session and client are active.
#[derive(Clone, Debug)]
pub struct FoundGrant {
    /// The grant.
    pub grant: Grant,
    /// Whether its user, session and client are active.
    pub alive: bool,
}

impl Store {
    /// Stores a new grant. `false` when the session ended, the person was disabled, the client was disabled or,
    /// where `consented`, access was taken back meanwhile.
    pub async fn insert_grant(&self, grant: &Grant, consented: bool) -> Result<bool, StoreError> {
        let insert = dialect::pick(self.db.engine(), INSERT_POSTGRES, INSERT_SQLITE);
        let insert = self.db.w(insert).bind(grant.created_at.micros());
        let insert = bind_grant(insert.bind(consented), grant);
        let rows = insert.exec().await?;
        Ok(rows == 1)
    }

    /// The grant of that name, whatever became of it.
    pub async fn find_grant(&self, id: GrantId, now: Ts) -> Result<Option<FoundGrant>, StoreError> {
        let row = self
            .db
            .q(FIND)
            .bind(id.0)
            .bind(now.micros())
            .opt::<FoundRow>()
            .await?;
        row.map(|row| {
            Ok(FoundGrant {
                alive: row.alive,
                grant: row.grant.into_grant()?,
            })
        })
        .transpose()
    }

    /// The grant of that name, if it lives.
    pub async fn find_living_grant(
        &self,
        id: GrantId,
        now: Ts,
    ) -> Result<Option<Grant>, StoreError> {
        let row = self.db.q(FIND_LIVING).bind(id.0).bind(now.micros());
        let row = row.opt::<GrantRow>().await?;
        row.map(GrantRow::into_grant).transpose()
    }

    /// A user's living grants, of every client or of one, in the order of their ids, behind `after`.
    pub async fn page_of_grants(
        &self,
        user: UserId,
        client: &str,
        after: Option<GrantId>,
        limit: i64,
        now: Ts,
    ) -> Result<Vec<Grant>, StoreError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let rows = self.db.q(PAGE).bind(user.0).bind(client.to_owned());
        let rows = rows.bind(after).bind(now.micros()).bind(limit);
        let rows = rows.all::<GrantRow>().await?;
        rows.into_iter().map(GrantRow::into_grant).collect()
    }
}

impl Tx {
    /// Revokes a grant; who had given it to which client, or `None` when it was revoked before or is unknown.
    pub async fn revoke_grant(
        &mut self,
        id: GrantId,
        now: Ts,
    ) -> Result<Option<(UserId, ClientId)>, StoreError> {
        let revoke = self.q(REVOKE).bind(id.0).bind(now.micros());
        let row = revoke.opt::<(Uuid, String)>().await?;
        Ok(row.and_then(|(user, client)| Some((UserId(user), ClientId::parse(&client)?))))
    }

    /// The grants of a user to a client that were revoked since `since`: what an earlier, unfinished
    /// revocation may not have made known everywhere.
    pub async fn list_revoked_grants_of(
        &mut self,
        user: UserId,
        client: &ClientId,
        since: Ts,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self
            .q(REVOKED_SINCE)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .bind(since.micros())
            .all::<(Uuid,)>()
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Revokes every living grant of a user to a client; returns their names.
    pub async fn revoke_grants_of(
        &mut self,
        user: UserId,
        client: &ClientId,
        now: Ts,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self
            .q(REVOKE_OF)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .bind(now.micros())
            .all::<(Uuid,)>()
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    grant: GrantRow,
    alive: bool,
}

row! { $
    pub(super) struct GrantRow, grant_columns {
        pub(super) id: Uuid,
        client_id: String,
        user_id: Uuid,
        user_version: i64,
        session_id: Uuid,
        offline: bool,
        scope: String,
        resources: Json<Vec<String>>,
        nonce: Option<String>,
        claims: Json<ClaimsRequest>,
        redirect_uri: String,
        code_challenge: Option<String>,
        binding: Option<String>,
        auth_time: i64,
        acr: String,
        amr: Json<Vec<String>>,
        ip: Option<String>,
        generation: i64,
        created_at: i64,
        advanced_at: i64,
        code_expires_at: i64,
        expires_at: i64,
        revoked_at: Option<i64>,
    }
}

pub(super) use grant_columns;

impl GrantRow {
    pub(super) fn into_grant(self) -> Result<Grant, StoreError> {
        let id = self.id;
        let broken = |column| StoreError::Inconsistent {
            table: "grants",
            column,
            id: id.to_string(),
        };
        let code_challenge = match self.code_challenge {
            Some(text) => {
                Some(CodeChallenge::parse(&text).ok_or_else(|| broken("code_challenge"))?)
            }
            None => None,
        };
        Ok(Grant {
            id: GrantId(id),
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| broken("client_id"))?,
            user_id: UserId(self.user_id),
            user_version: self.user_version,
            session_id: SessionId(self.session_id),
            offline: self.offline,
            scope: Scope::parse(&self.scope).map_err(|_| broken("scope"))?,
            resources: self.resources.0,
            nonce: self.nonce,
            claims: self.claims.0,
            bound_to: CodeBinding {
                redirect_uri: self.redirect_uri,
                code_challenge,
            },
            binding: Binding::of_column(self.binding.as_deref())
                .ok_or_else(|| broken("binding"))?,
            auth_time: Ts(self.auth_time),
            acr: self.acr,
            amr: self.amr.0,
            ip: self.ip.and_then(|ip| ip.parse().ok()),
            generation: self.generation,
            created_at: Ts(self.created_at),
            advanced_at: Ts(self.advanced_at),
            code_expires_at: Ts(self.code_expires_at),
            expires_at: Ts(self.expires_at),
            revoked_at: self.revoked_at.map(Ts),
        })
    }
}

writes! { $
    fn bind_grant(grant: &Grant), grant_writes {
        // The statement names these five.
        id = grant.id.0,
        client_id = grant.client_id.as_str().to_owned(),
        user_id = grant.user_id.0,
        user_version = grant.user_version,
        session_id = grant.session_id.0,
        offline = grant.offline,
        scope = grant.scope.to_string(),
        resources = Json(grant.resources.clone()),
        nonce = grant.nonce.clone(),
        claims = Json(grant.claims.clone()),
        redirect_uri = grant.bound_to.redirect_uri.clone(),
        code_challenge = grant.bound_to.code_challenge.as_ref().map(|it| it.as_str().to_owned()),
        binding = grant.binding.to_column(),
        auth_time = grant.auth_time.micros(),
        acr = grant.acr.clone(),
        amr = Json(grant.amr.clone()),
        ip = grant.ip.map(|ip| ip.to_string()),
        code_expires_at = grant.code_expires_at.micros(),
        expires_at = grant.expires_at.micros(),
    }
}

/// `$1` is when it is created, `$2` whether it was consented to.
macro_rules! insert {
    () => {
        concat!(
            "INSERT INTO grants (",
            grant_writes!(names),
            ", generation, created_at, advanced_at) SELECT ",
            grant_writes!(values),
            ", 0, $1, $1 FROM users u, clients c, sessions s \
            WHERE u.id = $5 AND u.token_version = $6 AND u.disabled_at IS NULL \
            AND c.id = $4 AND c.disabled_at IS NULL \
            AND s.id = $7 AND s.ended_at IS NULL AND s.expires_at > $1 AND (NOT $2 OR EXISTS "
        )
    };
}

// The consent is locked until the grant is there: a withdrawal at this moment waits, and then finds the grant.
const INSERT_POSTGRES: &str = concat!(
    "WITH held AS MATERIALIZED (SELECT 1 FROM consents WHERE user_id = $5 AND client_id = $4 FOR KEY SHARE) ",
    insert!(),
    "(SELECT 1 FROM held))"
);

// SQLite has one writer at a time and needs no lock.
const INSERT_SQLITE: &str = concat!(
    insert!(),
    "(SELECT 1 FROM consents k WHERE k.user_id = $5 AND k.client_id = $4))"
);

const FIND: &str = concat!(
    "SELECT ",
    grant_columns!("g."),
    ", \
    (EXISTS (SELECT 1 FROM users u WHERE u.id = g.user_id AND u.token_version = g.user_version AND u.disabled_at IS NULL) \
    AND EXISTS (SELECT 1 FROM clients c WHERE c.id = g.client_id AND c.disabled_at IS NULL AND c.not_before <= g.created_at) \
    AND (g.offline OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.session_id AND s.ended_at IS NULL AND s.expires_at > $2))) AS alive \
    FROM grants g WHERE g.id = $1"
);

const FIND_LIVING: &str = concat!(
    "SELECT ",
    grant_columns!("g."),
    " FROM grants g JOIN users u ON u.id = g.user_id WHERE g.id = $1 AND g.revoked_at IS NULL \
    AND g.expires_at > $2 AND g.user_version = u.token_version"
);

const PAGE: &str = concat!(
    "SELECT ",
    grant_columns!("g."),
    " FROM grants g JOIN users u ON u.id = g.user_id WHERE g.user_id = $1 AND ($2 = '' OR g.client_id = $2) \
    AND g.id > $3 AND g.revoked_at IS NULL AND g.expires_at > $4 AND g.user_version = u.token_version \
    AND (g.generation > 0 OR g.code_expires_at > $4) ORDER BY g.id LIMIT $5"
);

const REVOKE: &str = "UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING user_id, client_id";

const REVOKE_OF: &str = "UPDATE grants SET revoked_at = $3 WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL AND expires_at > $3 RETURNING id";

const REVOKED_SINCE: &str =
    "SELECT id FROM grants WHERE user_id = $1 AND client_id = $2 AND revoked_at > $3";
