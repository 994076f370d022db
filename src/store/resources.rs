//! Resource servers: the `resources` table.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use crate::domain::resource::Resource;
use crate::spec::scope::Scope;

impl Store {
    /// Every resource server.
    pub async fn list_resources(&self) -> Result<Vec<Resource>, StoreError> {
        self.db
            .q(LIST)
            .all::<Row>()
            .await?
            .into_iter()
            .map(into_resource)
            .collect()
    }
}

impl Tx {
    /// Every resource server.
    pub async fn list_resources(&mut self) -> Result<Vec<Resource>, StoreError> {
        self.q(LIST)
            .all::<Row>()
            .await?
            .into_iter()
            .map(into_resource)
            .collect()
    }

    /// Creates a resource server or replaces what is known of it.
    pub async fn save_resource(&mut self, resource: &Resource) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(resource.identifier.clone())
            .bind(resource.name.clone())
            .bind(resource.scopes.to_string())
            .bind(Json(resource.scope_permissions.clone()))
            .bind(Json(resource.access_token_claims.clone()))
            .exec()
            .await?;
        Ok(())
    }

    /// Removes a resource server.
    pub async fn delete_resource(&mut self, identifier: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(identifier.to_owned()).exec().await?;
        Ok(())
    }
}

type Row = (
    String,
    Option<String>,
    String,
    Option<Json<BTreeMap<String, String>>>,
    Option<Json<Vec<String>>>,
);

fn into_resource(
    (identifier, name, scope, permissions, claims): Row,
) -> Result<Resource, StoreError> {
    let scopes = Scope::parse(&scope).map_err(|_| StoreError::Inconsistent {
        table: "resources",
        column: "scope",
        id: identifier.clone(),
    })?;
    Ok(Resource {
        identifier,
        name,
        scopes,
        scope_permissions: permissions.map(|json| json.0).unwrap_or_default(),
        access_token_claims: claims.map(|json| json.0).unwrap_or_default(),
    })
}

const LIST: &str = "SELECT identifier, name, scope, scope_permissions, access_token_claims FROM resources ORDER BY identifier";

const SAVE: &str = "INSERT INTO resources (identifier, name, scope, scope_permissions, access_token_claims) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (identifier) DO UPDATE SET name = excluded.name, scope = excluded.scope, scope_permissions = excluded.scope_permissions, access_token_claims = excluded.access_token_claims";

const DELETE: &str = "DELETE FROM resources WHERE identifier = $1";
