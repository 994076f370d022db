//! Everything durable: one store on two engines, one file per aggregate.
//!
//! Each SQL text is a `const` beside the one method that runs it. Reads are methods of [`Store`]; writes that
//! belong together are methods of [`db::Tx`], which the services combine.

pub mod assignments;
pub mod attributes;
pub mod audit;
pub mod batch;
pub mod clients;
pub mod consents;
pub mod db;
pub mod deliveries;
pub mod dialect;
pub mod ephemeral;
pub mod error;
pub mod grants;
pub mod groups;
pub mod idempotency;
mod janitor;
pub mod living;
pub mod memberships;
pub mod migrate;
mod names;
pub mod objects;
pub mod pages;
pub mod policy;
mod policy_counts;
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
        migrate::migrate(&self.db, &MIGRATIONS).await
    }

    /// The engine underneath, for what combines several aggregates in one transaction.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }
}

/// Every migration, in order; a new file is added here.
pub const MIGRATIONS: [Migration; 9] = [
    Migration {
        number: 1,
        name: "0001_foundation",
        sql: include_str!("../../migrations/0001_foundation.sql"),
    },
    Migration {
        number: 2,
        name: "0002_revocations",
        sql: include_str!("../../migrations/0002_revocations.sql"),
    },
    Migration {
        number: 3,
        name: "0003_policy",
        sql: include_str!("../../migrations/0003_policy.sql"),
    },
    Migration {
        number: 4,
        name: "0004_audit",
        sql: include_str!("../../migrations/0004_audit.sql"),
    },
    Migration {
        number: 6,
        name: "0006_attributes",
        sql: include_str!("../../migrations/0006_attributes.sql"),
    },
    Migration {
        number: 7,
        name: "0007_administration",
        sql: include_str!("../../migrations/0007_administration.sql"),
    },
    Migration {
        number: 8,
        name: "0008_webhook_lanes",
        sql: include_str!("../../migrations/0008_webhook_lanes.sql"),
    },
    Migration {
        number: 9,
        name: "0009_grant_ip",
        sql: include_str!("../../migrations/0009_grant_ip.sql"),
    },
    Migration {
        number: 11,
        name: "0011_grant_binding",
        sql: include_str!("../../migrations/0011_grant_binding.sql"),
    },
];
