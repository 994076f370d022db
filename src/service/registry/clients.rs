//! Finding clients: cached for reading, never for disabling.
//!
//! Every look-up first learns the number under which clients were last changed, by any instance or command; a
//! cached client counts only if it was read under that very number.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::domain::client::Client;
use crate::domain::ids::ClientId;
use crate::domain::redirect;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::revocations::Revocations;

/// Clients by id.
#[derive(Clone)]
pub struct Clients {
    store: Store,
    revocations: Revocations,
    cache: Cache<ClientId, Cached>,
    /// The origins of all clients, and under which number they were read.
    origins: Cache<(), (i64, Arc<HashSet<String>>)>,
}

/// Clients are listed so many at a time.
const PAGE: i64 = 500;

#[derive(Clone)]
struct Cached {
    version: i64,
    client: Arc<Client>,
}

impl Clients {
    pub(in crate::service) fn new(store: Store, revocations: Revocations) -> Self {
        let cache = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(Duration::from_mins(10))
            .build();
        Self {
            store,
            revocations,
            cache,
            origins: Cache::builder()
                .max_capacity(1)
                .time_to_live(Duration::from_mins(10))
                .build(),
        }
    }

    /// The client of that id as it stands now, unless it is disabled.
    pub async fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        let version = self.version().await?;
        self.find_at(id, version).await
    }

    /// Whether a redirect URI of an enabled client has that origin
    /// ([RFC 6454 §6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)).
    pub async fn has_origin(&self, origin: &str) -> Result<bool, StoreError> {
        let version = self.version().await?;
        if let Some((read, origins)) = self.origins.get(&()).await
            && read == version
        {
            return Ok(origins.contains(redirect::any_port(origin)));
        }
        // Read after the number, as above.
        let origins = Arc::new(self.read_origins().await?);
        let known = origins.contains(redirect::any_port(origin));
        self.origins.insert((), (version, origins)).await;
        Ok(known)
    }

    async fn read_origins(&self) -> Result<HashSet<String>, StoreError> {
        let mut origins = HashSet::new();
        let mut after = String::new();
        loop {
            let page = self.store.list_clients(&after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(origins);
            };
            last.id.as_str().clone_into(&mut after);
            for client in page.iter().filter(|client| client.disabled_at.is_none()) {
                let uris = client.metadata.redirect_uris.iter();
                origins.extend(uris.filter_map(|uri| redirect::origin_of(uri)));
            }
        }
    }

    /// The number of the last change of any client, as of now.
    pub async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.revocations.check(&[]).await?.clients_version)
    }

    /// The client of that id, when the number of the last change is known already.
    pub async fn find_at(
        &self,
        id: &ClientId,
        version: i64,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        if let Some(cached) = self.cache.get(id).await
            && cached.version == version
        {
            return Ok(enabled(cached.client));
        }
        // Read after the number: if a change comes in between, the client is read again next time.
        let Some(client) = self.store.find_client(id).await? else {
            self.cache.invalidate(id).await;
            return Ok(None);
        };
        let client = Arc::new(client);
        self.cache
            .insert(
                id.clone(),
                Cached {
                    version,
                    client: Arc::clone(&client),
                },
            )
            .await;
        Ok(enabled(client))
    }
}

fn enabled(client: Arc<Client>) -> Option<Arc<Client>> {
    client.disabled_at.is_none().then_some(client)
}
