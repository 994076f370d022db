//! Resource servers and the scopes that exist: read by discovery and by every authorization request, so kept in
//! memory for a few seconds.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::client::{Client, DEFAULT_SCOPE};
use crate::domain::resource::Resource;
use crate::spec::scope::Scope;
use crate::store::Store;
use crate::store::error::StoreError;

/// All resource servers.
#[derive(Clone)]
pub struct Resources {
    store: Store,
    cache: Cache<(), Arc<Vec<Resource>>>,
}

impl Resources {
    pub(in crate::service) fn new(store: Store) -> Self {
        Self {
            store,
            cache: Cache::builder()
                .max_capacity(1)
                .time_to_live(Duration::from_secs(2))
                .build(),
        }
    }

    /// Every resource server, at most two seconds old.
    pub async fn all(&self) -> Result<Arc<Vec<Resource>>, StoreError> {
        if let Some(all) = self.cache.get(&()).await {
            return Ok(all);
        }
        self.read().await
    }

    /// Every resource server as of now.
    pub async fn read(&self) -> Result<Arc<Vec<Resource>>, StoreError> {
        let all = Arc::new(self.store.list_resources().await?);
        self.cache.insert((), Arc::clone(&all)).await;
        Ok(all)
    }
}

/// Whether that identifier is a resource server's, one of `all`, for which this client may have tokens.
#[must_use]
pub fn is_for(all: &[Resource], client: &Client, identifier: &str) -> bool {
    all.iter()
        .any(|resource| resource.identifier == identifier && may_have(client, resource))
}

/// Whether a client may have tokens for a resource server: it is the client's own default, or the client may have
/// one of its scopes. Nothing is granted without that (RFC 8707 §3).
fn may_have(client: &Client, resource: &Resource) -> bool {
    client.metadata.default_resource.as_deref() == Some(resource.identifier.as_str())
        || resource
            .scopes
            .iter()
            .any(|scope| client.scope.contains(scope))
}

/// Every scope that means something here: the standard ones, Signet's own and those of the resource servers.
#[must_use]
pub fn scopes(resources: &[Resource]) -> Scope {
    resources.iter().fold(own_scopes(), |scopes, resource| {
        scopes.union(&resource.scopes)
    })
}

/// The scopes that belong to no resource server: the standard ones and Signet's own.
#[must_use]
pub fn own_scopes() -> Scope {
    let own = [Scope::DECIDE, Scope::ADMIN];
    DEFAULT_SCOPE.split(' ').chain(own).collect()
}
