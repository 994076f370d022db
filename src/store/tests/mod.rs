//! What several aggregates do together, on both engines.

mod assignments;
mod factors;
mod find;
mod outbox;
mod pages;
mod policy_changes;

use super::Store;
use super::db::tests::{Fresh, both};

/// A migrated store of each engine at hand.
pub(super) async fn stores() -> Vec<(Fresh, Store)> {
    let mut stores = Vec::new();
    for fresh in both().await {
        let store = Store::open(&fresh.url, 4).await.unwrap();
        store.migrate().await.unwrap();
        stores.push((fresh, store));
    }
    stores
}
