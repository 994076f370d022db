//! Resource servers and the scopes that exist: read by discovery and by every authorization request, so kept in
//! memory for a few seconds.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::audience::about_people;
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
    let own = [Scope::DECIDE, Scope::ADMIN].into_iter().collect();
    about_people().union(&own)
}

/// The scopes that discovery lists: Signet's own are left out, since a client that asks for all there are would get a
/// token for Signet alone.
#[must_use]
pub fn offered(resources: &[Resource]) -> Scope {
    resources.iter().fold(about_people(), |scopes, resource| {
        scopes.union(&resource.scopes)
    })
}
