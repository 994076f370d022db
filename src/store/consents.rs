//! What people allowed clients: the `consents` table.

use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::error::StoreError;
use crate::domain::ids::{ClientId, UserId};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// What a person allowed a client.
#[derive(Clone, Debug)]
pub struct Consent {
    /// To whom.
    pub client_id: String,
    /// What.
    pub scope: Scope,
    /// For which resource servers.
    pub resources: Vec<String>,
    /// When, last.
    pub granted_at: Ts,
}

impl Store {
    /// What this person allowed this client before.
    pub async fn find_consent(
        &self,
        user: UserId,
        client: &ClientId,
    ) -> Result<Option<Consent>, StoreError> {
        let row = self
            .db
            .q(FIND)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .opt::<Row>()
            .await?;
        Ok(row.map(into_consent))
    }

    /// Everything this person allowed, newest first, at most 100.
    pub async fn list_consents(&self, user: UserId) -> Result<Vec<Consent>, StoreError> {
        Ok(self
            .db
            .q(LIST)
            .bind(user.0)
            .all::<Row>()
            .await?
            .into_iter()
            .map(into_consent)
            .collect())
    }
}

impl super::db::Tx {
    /// Remembers what a person allows from now on.
    pub async fn save_consent(
        &mut self,
        user: UserId,
        client: &ClientId,
        scope: &Scope,
        resources: &[String],
        now: Ts,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .bind(scope.to_string())
            .bind(Json(resources.to_vec()))
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Forgets what everybody allowed a client; how many.
    pub async fn delete_consents_to(&mut self, client: &ClientId) -> Result<u64, StoreError> {
        let delete = self.q(DELETE_TO).bind(client.as_str().to_owned());
        delete.exec().await
    }

    /// Forgets what a person allowed a client.
    pub async fn delete_consent(
        &mut self,
        user: UserId,
        client: &ClientId,
    ) -> Result<(), StoreError> {
        self.q(DELETE)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .exec()
            .await?;
        Ok(())
    }

    /// The grants of this person to this client that were revoked since `since`: what an earlier, unfinished
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

    /// Revokes every living grant of this person to this client; returns their names.
    pub async fn revoke_grants_of(
        &mut self,
        user: UserId,
        client: &ClientId,
        now: Ts,
    ) -> Result<Vec<Uuid>, StoreError> {
        let rows = self
            .q(REVOKE_GRANTS)
            .bind(user.0)
            .bind(client.as_str().to_owned())
            .bind(now.micros())
            .all::<(Uuid,)>()
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

type Row = (String, String, Json<Vec<String>>, i64);

fn into_consent((client_id, scope, resources, granted_at): Row) -> Consent {
    Consent {
        client_id,
        scope: scope.split(' ').collect(),
        resources: resources.0,
        granted_at: Ts(granted_at),
    }
}

const DELETE_TO: &str = "DELETE FROM consents WHERE client_id = $1";

const FIND: &str = "SELECT client_id, scope, resources, granted_at FROM consents WHERE user_id = $1 AND client_id = $2";

const LIST: &str = "SELECT client_id, scope, resources, granted_at FROM consents WHERE user_id = $1 ORDER BY granted_at DESC LIMIT 100";

const SAVE: &str = "INSERT INTO consents (user_id, client_id, scope, resources, granted_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, resources = excluded.resources, granted_at = excluded.granted_at";

const DELETE: &str = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2";

const REVOKE_GRANTS: &str = "UPDATE grants SET revoked_at = $3 WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL AND expires_at > $3 RETURNING id";

const REVOKED_SINCE: &str =
    "SELECT id FROM grants WHERE user_id = $1 AND client_id = $2 AND revoked_at > $3";
