//! What is declared of attributes: the `attribute_types` table; and the attributes that are stored, to be compared
//! with it.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::changes::{FACTS, bump_changes};
use super::db::{Run, Thing, Tx, reads};
use super::error::StoreError;
use crate::domain::policy::{AttributeType, Declaration, Declarations, Of};

/// The attributes of one thing, by the name an operator knows it by.
pub type NamedAttributes = (String, Map<String, Value>);

reads! {
    /// What is declared of one attribute.
    find_declaration(of: &Of, name: &str) -> Option<Declaration> = find;

    /// Everything that is declared.
    list_declarations() -> Declarations = list;
}

async fn find(run: &mut impl Run, of: &Of, name: &str) -> Result<Option<Declaration>, StoreError> {
    let row = run.q(FIND).bind(of.as_str().to_owned());
    let row = row.bind(name.to_owned()).opt::<DeclarationRow>().await?;
    Ok(row.map(declaration).transpose()?.map(|(_, _, it)| it))
}

async fn list(run: &mut impl Run) -> Result<Declarations, StoreError> {
    gather(run.q(LIST).all().await?)
}

impl Tx {
    /// Declares an attribute, or declares it anew. The caller has looked at what is stored
    /// ([`Tx::list_attributes`]).
    pub async fn save_declaration(
        &mut self,
        of: &Of,
        name: &str,
        declaration: Declaration,
    ) -> Result<(), StoreError> {
        let save = self
            .q(SAVE)
            .bind(of.as_str().to_owned())
            .bind(name.to_owned());
        let save = save.bind(declaration.kind.as_str().to_owned());
        save.bind(declaration.required).exec().await?;
        changed(self).await
    }

    /// Takes a declaration back; whether it was there.
    pub async fn delete_declaration(&mut self, of: &Of, name: &str) -> Result<bool, StoreError> {
        let delete = self.q(DELETE).bind(of.as_str().to_owned());
        let gone = delete.bind(name.to_owned()).exec().await? > 0;
        changed(self).await?;
        Ok(gone)
    }

    /// The attributes of everything of a kind behind `after`, in the order of their names, at most `limit`. Clients
    /// have theirs in their metadata.
    pub async fn list_attributes(
        &mut self,
        of: &Of,
        after: &str,
        limit: i64,
    ) -> Result<Vec<NamedAttributes>, StoreError> {
        let query = match of {
            Of::User => self.q(OF_USERS),
            Of::Group => self.q(OF_GROUPS),
            Of::Organization => self.q(OF_ORGANIZATIONS),
            Of::Client => self.q(OF_CLIENTS),
            Of::Resource(kind) => self.q(OF_OBJECTS).bind(kind.clone()),
        };
        let query = query.bind(after.to_owned()).bind(limit);
        let rows = query.all::<(String, Json<Map<String, Value>>)>().await?;
        let attributes = |mut json: Map<String, Value>| match of {
            Of::Client => match json.remove("attributes") {
                Some(Value::Object(attributes)) => attributes,
                Some(_) | None => Map::new(),
            },
            Of::User | Of::Group | Of::Organization | Of::Resource(_) => json,
        };
        Ok(rows
            .into_iter()
            .map(|(name, json)| (name, attributes(json.0)))
            .collect())
    }
}

/// Policies see it, and what is known of people and resources is judged by it.
async fn changed(tx: &mut Tx) -> Result<(), StoreError> {
    tx.policy_changed(Thing::Declarations);
    bump_changes(tx, FACTS).await
}

type DeclarationRow = (String, String, String, bool);

/// The columns of a [`DeclarationRow`].
macro_rules! declaration_columns {
    () => {
        "of_kind, name, type, required"
    };
}

fn gather(rows: Vec<DeclarationRow>) -> Result<Declarations, StoreError> {
    let mut all = Declarations::default();
    for row in rows {
        let (of, name, declaration) = declaration(row)?;
        all.insert(of, name, declaration);
    }
    Ok(all)
}

fn declaration(
    (of, name, kind, required): DeclarationRow,
) -> Result<(Of, String, Declaration), StoreError> {
    match AttributeType::parse(&kind) {
        Some(kind) => Ok((Of::parse(&of), name, Declaration { kind, required })),
        None => Err(StoreError::Inconsistent {
            table: "attribute_types",
            column: "type",
            id: format!("{of}.{name}"),
        }),
    }
}

const FIND: &str = concat!(
    "SELECT ",
    declaration_columns!(),
    " FROM attribute_types WHERE of_kind = $1 AND name = $2"
);

const LIST: &str = concat!("SELECT ", declaration_columns!(), " FROM attribute_types");

const SAVE: &str = "INSERT INTO attribute_types (of_kind, name, type, required) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (of_kind, name) DO UPDATE SET type = excluded.type, required = excluded.required";

const DELETE: &str = "DELETE FROM attribute_types WHERE of_kind = $1 AND name = $2";

const OF_USERS: &str = "SELECT username_key, attributes FROM users WHERE username_key > $1 ORDER BY username_key LIMIT $2";

const OF_GROUPS: &str =
    "SELECT name, attributes FROM groups WHERE name > $1 ORDER BY name LIMIT $2";

const OF_ORGANIZATIONS: &str =
    "SELECT name, attributes FROM organizations WHERE name > $1 ORDER BY name LIMIT $2";

const OF_CLIENTS: &str = "SELECT id, metadata FROM clients WHERE id > $1 ORDER BY id LIMIT $2";

const OF_OBJECTS: &str =
    "SELECT id, attributes FROM objects WHERE type = $1 AND id > $2 ORDER BY id LIMIT $3";
