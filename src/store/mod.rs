//! Everything durable: one store on two engines, one file per aggregate.
//!
//! Each SQL text is a `const` beside the one method that runs it. Reads are methods of [`Store`]; writes that
//! belong together are methods of [`db::Tx`], which the services combine.

pub mod assignments;
pub mod attributes;
pub mod audit;
pub mod batch;
pub mod changes;
pub mod clients;
pub mod consents;
pub mod db;
pub mod dialect;
pub mod ephemeral;
pub mod error;
pub mod factors;
pub mod grants;
pub mod groups;
pub mod idempotency;
mod janitor;
pub mod levels;
pub mod migrate;
mod names;
pub mod objects;
pub mod organizations;
pub mod outbox;
pub mod policies;
pub mod policy;
pub mod policy_changes;
mod redemptions;
#[cfg(test)]
pub(crate) mod redis_server;
pub mod replay;
pub mod resources;
pub mod revocations;
pub mod roles;
pub mod sessions;
pub mod settings;
pub mod signing_keys;
#[cfg(test)]
mod tests;
pub mod users;
pub mod webhooks;

use db::Db;
use error::StoreError;
use migrate::Migration;

/// The store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    redemptions: redemptions::Redemptions,
}

impl Store {
    /// Connects to a database, without migrating it.
    pub async fn open(database_url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let db = Db::open(database_url, max_connections).await?;
        Ok(Self {
            redemptions: redemptions::spawn(db.clone()),
            db,
        })
    }

    /// Brings the database to this version's shape; several starting instances may race for it. Returns the
    /// names of what was applied.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, StoreError> {
        migrate::migrate(&self.db, MIGRATIONS).await
    }

    /// The engine underneath, for what combines several aggregates in one transaction.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }
}

/// The migration of a file: `migration!(1, "0001_foundation")`.
macro_rules! migration {
    ($number:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../migrations/", $name, ".sql")),
        }
    };
}

/// Every migration, in order; a new file is added here.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_foundation"),
    migration!(2, "0002_revocations"),
    migration!(3, "0003_policy"),
    migration!(4, "0004_audit"),
    migration!(6, "0006_attributes"),
    migration!(7, "0007_administration"),
    migration!(8, "0008_webhook_lanes"),
    migration!(9, "0009_grant_ip"),
    migration!(11, "0011_grant_binding"),
    migration!(12, "0012_factors"),
    migration!(14, "0014_keyed_client_secrets"),
    migration!(15, "0015_policy_changes"),
    migration!(16, "0016_outbox"),
    migration!(19, "0019_audiences"),
    migration!(21, "0021_queued_at_and_marks"),
];
