//! Clients' public keys: from their metadata, or fetched from their `jwks_uri` and remembered.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::fetch::Fetcher;
use crate::crypto::digest::sha256;
use crate::crypto::jose::{JoseError, KeySet, Verified};
use crate::domain::client::Client;
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;

/// How long fetched keys are used without looking again.
const FRESH: Duration = Duration::from_mins(10);

/// How often, at most, one client's keys are fetched because of an unknown `kid`.
const REFETCH_EVERY: Duration = Duration::from_secs(10);

/// Verifiers of clients' keys, built once each.
#[derive(Clone)]
pub struct ClientKeys {
    fetcher: Fetcher,
    registered: Cache<[u8; 32], Arc<KeySet>>,
    fetched: Cache<String, Fetched>,
}

#[derive(Clone)]
struct Fetched {
    at: Ts,
    keys: Result<Arc<KeySet>, Arc<str>>,
}

impl ClientKeys {
    pub(super) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            registered: Cache::builder()
                .max_capacity(1_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
            fetched: Cache::builder()
                .max_capacity(1_000)
                .time_to_live(FRESH)
                .build(),
        }
    }

    /// Checks a JWT that the client signed. The error is the sentence for `error_description`.
    pub async fn verify(
        &self,
        client: &Client,
        jwt: &str,
        allowed: &[SigningAlg],
        now: Ts,
    ) -> Result<Verified, String> {
        if let Some(jwks) = &client.metadata.jwks {
            let keys = self.registered(jwks).await?;
            return keys.verify(jwt, allowed).map_err(|error| error.to_string());
        }
        let Some(address) = &client.metadata.jwks_uri else {
            return Err("the client has neither jwks nor jwks_uri".to_owned());
        };
        let first = self.fetched(address, now, FRESH).await?;
        match first.verify(jwt, allowed) {
            // The client may have rotated its keys since.
            Err(JoseError::UnknownKid) => {
                let again = self.fetched(address, now, REFETCH_EVERY).await?;
                again
                    .verify(jwt, allowed)
                    .map_err(|error| error.to_string())
            }
            other => other.map_err(|error| error.to_string()),
        }
    }

    async fn registered(&self, jwks: &serde_json::Value) -> Result<Arc<KeySet>, String> {
        let digest = sha256(jwks.to_string().as_bytes());
        if let Some(keys) = self.registered.get(&digest).await {
            return Ok(keys);
        }
        let keys = Arc::new(KeySet::from_jwks(jwks).map_err(|error| error.to_string())?);
        self.registered.insert(digest, Arc::clone(&keys)).await;
        Ok(keys)
    }

    /// The keys at that address, fetched unless that was done, or failed, within `fresh`.
    async fn fetched(
        &self,
        address: &str,
        now: Ts,
        fresh: Duration,
    ) -> Result<Arc<KeySet>, String> {
        let known = self.fetched.get(address).await;
        let wait = |known: &Fetched| {
            if known.keys.is_ok() {
                fresh
            } else {
                REFETCH_EVERY
            }
        };
        if let Some(known) = known.filter(|known| now.since(known.at) < wait(known)) {
            return known.keys.map_err(|error| error.to_string());
        }
        let keys = match self.fetcher.json(address).await {
            Ok(jwks) => KeySet::from_jwks(&jwks)
                .map(Arc::new)
                .map_err(|error| Arc::from(error.to_string())),
            Err(error) => Err(Arc::from(error)),
        };
        if let Err(error) = &keys {
            tracing::warn!(address, %error, "the keys of a client cannot be fetched");
        }
        self.fetched
            .insert(
                address.to_owned(),
                Fetched {
                    at: now,
                    keys: keys.clone(),
                },
            )
            .await;
        keys.map_err(|error| error.to_string())
    }
}
