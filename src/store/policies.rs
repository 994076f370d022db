//! Cedar policies as text: the `policies` table.

use std::collections::BTreeMap;

use super::Store;
use super::db::{Run, Thing, Tx, reads, row};
use super::error::StoreError;
use super::names::prefix_pattern;
use crate::domain::directory::{Policy, PolicyId};

reads! {
    /// The policy of that id.
    find_policy(id: &str) -> Option<Policy> = find;

    /// Every policy there is.
    list_policies() -> BTreeMap<PolicyId, Policy> = list;
}

async fn find(run: &mut impl Run, id: &str) -> Result<Option<Policy>, StoreError> {
    let row = run.q(FIND).bind(id.to_owned()).opt::<PolicyRow>().await?;
    Ok(row.map(|row| row.into_named().1))
}

async fn list(run: &mut impl Run) -> Result<BTreeMap<PolicyId, Policy>, StoreError> {
    let rows = run.q(LIST).all::<PolicyRow>().await?;
    Ok(rows.into_iter().map(PolicyRow::into_named).collect())
}

impl Store {
    /// Policies whose ids begin so, in the order of their ids, behind `after`.
    pub async fn page_of_policies(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(PolicyId, Policy)>, StoreError> {
        let rows = self.db.q(PAGE).bind(after.to_owned()).bind(limit);
        let rows = rows.bind(prefix_pattern(begins));
        let rows = rows.all::<PolicyRow>().await?;
        Ok(rows.into_iter().map(PolicyRow::into_named).collect())
    }
}

impl Tx {
    /// Creates or replaces a policy.
    pub async fn save_policy(&mut self, id: &str, policy: &Policy) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(id.to_owned())
            .bind(policy.cedar.clone())
            .bind(policy.description.clone())
            .bind(policy.enabled)
            .exec()
            .await?;
        self.policy_changed(Thing::Policy(id.to_owned()));
        Ok(())
    }

    /// Removes a policy.
    pub async fn delete_policy(&mut self, id: &str) -> Result<(), StoreError> {
        self.q(DELETE).bind(id.to_owned()).exec().await?;
        self.policy_deleted(Thing::Policy(id.to_owned()));
        Ok(())
    }
}

row! { $
    struct PolicyRow, policy_columns {
        id: String,
        cedar: String,
        description: Option<String>,
        enabled: bool,
    }
}

impl PolicyRow {
    fn into_named(self) -> (PolicyId, Policy) {
        let policy = Policy {
            cedar: self.cedar,
            description: self.description,
            enabled: self.enabled,
        };
        (PolicyId::stored(self.id), policy)
    }
}

const FIND: &str = concat!("SELECT ", policy_columns!(), " FROM policies WHERE id = $1");

const LIST: &str = concat!("SELECT ", policy_columns!(), " FROM policies ORDER BY id");

const PAGE: &str = concat!(
    "SELECT ",
    policy_columns!(),
    " FROM policies WHERE id > $1 \
    AND ($3 = '' OR LOWER(id) LIKE LOWER($3) ESCAPE '!') ORDER BY id LIMIT $2"
);

const SAVE: &str = "INSERT INTO policies (id, cedar, description, enabled) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (id) DO UPDATE SET cedar = excluded.cedar, description = excluded.description, enabled = excluded.enabled";

const DELETE: &str = "DELETE FROM policies WHERE id = $1";
