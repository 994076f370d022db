//! How often things were changed that instances keep in memory: the `changes` table.

use super::db::{BUMP, Tx};
use super::error::StoreError;

/// The topic that every change of roles, groups and policies bumps.
pub const POLICY: &str = "policy";

/// The topic that every change of what is known of people and resources bumps.
pub const FACTS: &str = "facts";

/// The topic that every change of clients and resource servers bumps; every check of a token answers its version.
pub const CLIENTS: &str = "clients";

/// Says in the transaction of the act that something was changed of what instances keep in memory; follow the commit
/// with [`Revocations::publish_change`](super::revocations::Revocations::publish_change).
pub async fn bump_changes(tx: &mut Tx, topic: &str) -> Result<(), StoreError> {
    tx.q(BUMP).bind(topic).exec().await?;
    Ok(())
}
