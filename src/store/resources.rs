//! Resource servers: the `resources` table.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::db::{Run, Tx, reads, row};
use super::error::StoreError;
use crate::domain::policy::Permission;
use crate::domain::resource::{AccessTokenTyp, Resource, other_spelling};
use crate::spec::alg::SigningAlg;
use crate::spec::scope::Scope;

reads! {
    /// The resource server of that identifier, in either spelling.
    find_resource(identifier: &str) -> Option<Resource> = find;

    /// Every resource server.
    list_resources() -> Vec<Resource> = list;
}

async fn find(run: &mut impl Run, identifier: &str) -> Result<Option<Resource>, StoreError> {
    let other = other_spelling(identifier);
    let row = run
        .q(FIND)
        .bind(identifier.to_owned())
        .bind(other.unwrap_or_else(|| identifier.to_owned()))
        .opt::<ResourceRow>();
    row.await?.map(ResourceRow::into_resource).transpose()
}

async fn list(run: &mut impl Run) -> Result<Vec<Resource>, StoreError> {
    let rows = run.q(LIST).all::<ResourceRow>().await?;
    rows.into_iter().map(ResourceRow::into_resource).collect()
}

impl Tx {
    /// Creates a resource server or replaces what is known of it.
    pub async fn save_resource(&mut self, resource: &Resource) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(resource.identifier.clone())
            .bind(resource.name.clone())
            .bind(resource.scopes.to_string())
            .bind(Json(resource.scope_permissions.clone()))
            .bind(Json(resource.access_token_claims.clone()))
            .bind(resource.access_token_typ.as_str().to_owned())
            .bind(
                resource
                    .access_token_signing_alg
                    .map(|alg| alg.as_str().to_owned()),
            )
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

row! { $
    struct ResourceRow, resource_columns {
        identifier: String,
        name: Option<String>,
        scope: String,
        scope_permissions: Option<Json<BTreeMap<String, String>>>,
        access_token_claims: Option<Json<Vec<String>>>,
        access_token_typ: Option<String>,
        access_token_signing_alg: Option<String>,
    }
}

impl ResourceRow {
    fn into_resource(self) -> Result<Resource, StoreError> {
        let scopes = Scope::parse(&self.scope).map_err(|_| StoreError::Inconsistent {
            table: "resources",
            column: "scope",
            id: self.identifier.clone(),
        })?;
        let mut scope_permissions = BTreeMap::new();
        for (token, text) in self
            .scope_permissions
            .map(|json| json.0)
            .unwrap_or_default()
        {
            // Left out, the scope would need no permission.
            let permission = Permission::try_from(text).map_err(|_| StoreError::Inconsistent {
                table: "resources",
                column: "scope_permissions",
                id: self.identifier.clone(),
            })?;
            scope_permissions.insert(token, permission);
        }
        let claims = self.access_token_claims.map(|json| json.0);
        let broken = |column| StoreError::Inconsistent {
            table: "resources",
            column,
            id: self.identifier.clone(),
        };
        let typ = match &self.access_token_typ {
            Some(text) => AccessTokenTyp::parse(text).ok_or_else(|| broken("access_token_typ"))?,
            None => AccessTokenTyp::default(),
        };
        let alg = self.access_token_signing_alg.as_deref();
        let alg = alg.map(str::parse::<SigningAlg>).transpose();
        let alg = alg.map_err(|_| broken("access_token_signing_alg"))?;
        Ok(Resource {
            identifier: self.identifier,
            name: self.name,
            scopes,
            scope_permissions,
            access_token_claims: claims.unwrap_or_default(),
            access_token_typ: typ,
            access_token_signing_alg: alg,
        })
    }
}

const FIND: &str = concat!(
    "SELECT ",
    resource_columns!(),
    " FROM resources WHERE identifier = $1 OR identifier = $2 ORDER BY CASE WHEN identifier = $1 THEN 0 ELSE 1 END LIMIT 1"
);

const LIST: &str = concat!(
    "SELECT ",
    resource_columns!(),
    " FROM resources ORDER BY identifier"
);

const SAVE: &str = "INSERT INTO resources (identifier, name, scope, scope_permissions, access_token_claims, access_token_typ, access_token_signing_alg) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) \
    ON CONFLICT (identifier) DO UPDATE SET name = excluded.name, scope = excluded.scope, scope_permissions = excluded.scope_permissions, access_token_claims = excluded.access_token_claims, \
    access_token_typ = excluded.access_token_typ, access_token_signing_alg = excluded.access_token_signing_alg";

const DELETE: &str = "DELETE FROM resources WHERE identifier = $1";
