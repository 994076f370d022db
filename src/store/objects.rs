//! What is known of resources of the operator's applications: the `objects` table. What decisions ask of it is in
//! [`super::policy`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::Store;
use super::changes::{FACTS, bump_changes};
use super::db::{Run, Tx, reads};
use super::error::StoreError;
use crate::domain::directory::{Object, OrganizationName};
use crate::domain::policy::ResourceName;

reads! {
    /// What is written down of one resource.
    find_object_record(name: &ResourceName) -> Option<Object> = find;
}

async fn find(run: &mut impl Run, name: &ResourceName) -> Result<Option<Object>, StoreError> {
    let find = run.q(FIND).bind(name.kind.clone());
    let row = find.bind(name.id.clone()).opt::<ObjectRow>().await?;
    Ok(row.map(|row| object(row).1))
}

impl Tx {
    /// Every resource of which something is written down.
    pub async fn list_objects(&mut self) -> Result<BTreeMap<ResourceName, Object>, StoreError> {
        let rows = self.q(LIST).all::<ObjectRow>().await?;
        Ok(rows.into_iter().map(object).collect())
    }

    /// Writes down what is known of a resource.
    pub async fn save_object(
        &mut self,
        name: &ResourceName,
        object: &Object,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(name.kind.clone())
            .bind(name.id.clone())
            .bind(
                object
                    .organization
                    .clone()
                    .map_or_else(String::new, String::from),
            )
            .bind(Json(object.attributes.clone()))
            .exec()
            .await?;
        bump_changes(self, FACTS).await
    }

    /// Forgets what is known of a resource; whether anything was.
    pub async fn delete_object(&mut self, name: &ResourceName) -> Result<bool, StoreError> {
        let delete = self.q(DELETE).bind(name.kind.clone());
        let gone = delete.bind(name.id.clone()).exec().await? > 0;
        bump_changes(self, FACTS).await?;
        Ok(gone)
    }
}

impl Store {
    /// Resources of a type, in the order of their ids, behind `after`.
    pub async fn page_of_objects(
        &self,
        kind: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(ResourceName, Object)>, StoreError> {
        let page = self.db.q(PAGE).bind(kind.to_owned());
        let page = page.bind(after.to_owned()).bind(limit);
        Ok(page
            .all::<ObjectRow>()
            .await?
            .into_iter()
            .map(object)
            .collect())
    }
}

type ObjectRow = (String, String, String, Json<Map<String, Value>>);

/// The columns of an [`ObjectRow`].
macro_rules! object_columns {
    () => {
        "type, id, organization, attributes"
    };
}

fn object((kind, id, organization, attributes): ObjectRow) -> (ResourceName, Object) {
    let object = Object {
        organization: Some(organization)
            .filter(|name| !name.is_empty())
            .map(OrganizationName::stored),
        attributes: attributes.0,
    };
    (ResourceName { kind, id }, object)
}

const LIST: &str = concat!("SELECT ", object_columns!(), " FROM objects");

const FIND: &str = concat!(
    "SELECT ",
    object_columns!(),
    " FROM objects WHERE type = $1 AND id = $2"
);

const PAGE: &str = concat!(
    "SELECT ",
    object_columns!(),
    " FROM objects WHERE type = $1 AND id > $2 \
    ORDER BY id LIMIT $3"
);

const SAVE: &str = "INSERT INTO objects (type, id, organization, attributes) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (type, id) DO UPDATE SET organization = excluded.organization, attributes = excluded.attributes";

const DELETE: &str = "DELETE FROM objects WHERE type = $1 AND id = $2";
