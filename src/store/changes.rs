//! How often things were changed that instances keep in memory: the `changes` table.

use super::db::Tx;
use super::error::StoreError;

/// A version of what instances keep in memory: its number, and a mark that was drawn for it. A database that is restored
/// to a backup reaches the same numbers again with other marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Grows with every change.
    pub number: i64,
    /// None until a version of Signet that draws marks has changed something.
    pub mark: Option<i64>,
}

/// The topic that every change of roles, groups and policies bumps.
pub const POLICY: &str = "policy";

/// The topic that every change of what is known of people and resources bumps.
pub const FACTS: &str = "facts";

/// The topic that every change of clients and resource servers bumps; every check of a token answers its version.
pub const CLIENTS: &str = "clients";

/// The topic whose row every act of administrators locks: they act one after the other, on every instance.
pub const APPLIED: &str = "applied";

/// Says in the transaction of the act that something was changed of what instances keep in memory; follow the commit
/// with [`Revocations::publish_change`](super::revocations::Revocations::publish_change).
pub async fn bump_changes(tx: &mut Tx, topic: &str) -> Result<(), StoreError> {
    tx.bump(topic).await
}
