//! What people allowed clients: the `consents` table.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Store;
use super::db::{Tx, row};
use super::error::StoreError;
use crate::domain::ids::{ClientId, UserId};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// What a person allowed a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// To whom.
    pub client_id: String,
    /// What.
    pub scope: Scope,
    /// For which resource servers.
    pub resources: Vec<String>,
    /// By resource server, under its canonical identifier: what of the scope. `None` where an older version wrote it.
    pub shares: Option<BTreeMap<String, Scope>>,
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
            .opt::<ConsentRow>()
            .await?;
        Ok(row.map(ConsentRow::into_consent))
    }

    /// Everything this person allowed, newest first, at most 100.
    pub async fn list_consents(&self, user: UserId) -> Result<Vec<Consent>, StoreError> {
        Ok(self
            .db
            .q(LIST)
            .bind(user.0)
            .all::<ConsentRow>()
            .await?
            .into_iter()
            .map(ConsentRow::into_consent)
            .collect())
    }
}

impl Tx {
    /// Remembers what a person allows from now on.
    pub async fn save_consent(
        &mut self,
        user: UserId,
        consent: &Consent,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(user.0)
            .bind(consent.client_id.clone())
            .bind(consent.scope.to_string())
            .bind(Json(consent.resources.clone()))
            .bind(consent.shares.clone().map(Json))
            .bind(consent.granted_at.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Deletes every consent to a client; how many.
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
}

row! { $
    struct ConsentRow, consent_columns {
        client_id: String,
        scope: String,
        resources: Json<Vec<String>>,
        shares: Option<Json<BTreeMap<String, Scope>>>,
        granted_at: i64,
    }
}

impl ConsentRow {
    fn into_consent(self) -> Consent {
        Consent {
            client_id: self.client_id,
            scope: self.scope.split(' ').collect(),
            resources: self.resources.0,
            shares: self.shares.map(|json| json.0),
            granted_at: Ts(self.granted_at),
        }
    }
}

const DELETE_TO: &str = "DELETE FROM consents WHERE client_id = $1";

const FIND: &str = concat!(
    "SELECT ",
    consent_columns!(),
    " FROM consents WHERE user_id = $1 AND client_id = $2"
);

const LIST: &str = concat!(
    "SELECT ",
    consent_columns!(),
    " FROM consents WHERE user_id = $1 ORDER BY granted_at DESC LIMIT 100"
);

const SAVE: &str = "INSERT INTO consents (user_id, client_id, scope, resources, shares, granted_at) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, resources = excluded.resources, shares = excluded.shares, granted_at = excluded.granted_at";

const DELETE: &str = "DELETE FROM consents WHERE user_id = $1 AND client_id = $2";
