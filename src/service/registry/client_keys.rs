//! Clients' public keys: from their metadata, or fetched from their `jwks_uri` and remembered.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::crypto::digest::sha256;
use crate::crypto::jose::{JoseError, KeySet, Verified};
use crate::domain::client::Client;
use crate::service::fetch::Fetcher;
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
    turns: Cache<String, Arc<tokio::sync::Mutex<()>>>,
}

#[derive(Clone)]
struct Fetched {
    at: Ts,
    keys: Option<Arc<KeySet>>,
    /// Why the last fetch failed.
    failure: Option<Arc<str>>,
}

impl ClientKeys {
    pub(in crate::service) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            registered: Cache::builder()
                .max_capacity(1_000)
                .time_to_idle(Duration::from_hours(1))
                .build(),
            turns: Cache::builder()
                .max_capacity(1_000)
                .time_to_idle(Duration::from_mins(10))
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

    /// The keys at that address, fetched unless that was done, or failed, within `fresh`. One fetch at a time
    /// serves every request that waits for it.
    async fn fetched(
        &self,
        address: &str,
        now: Ts,
        fresh: Duration,
    ) -> Result<Arc<KeySet>, String> {
        let turn = self
            .turns
            .get_with_by_ref(address, async { Arc::default() })
            .await;
        let _turn = turn.lock().await;
        let known = self.fetched.get(address).await;
        let recent = |known: &Fetched| {
            let wait = if known.failure.is_none() {
                fresh
            } else {
                REFETCH_EVERY
            };
            now.since(known.at) < wait
        };
        let known = match known {
            Some(known) if recent(&known) => known,
            known => {
                self.fetch(address, now, known.and_then(|known| known.keys))
                    .await
            }
        };
        match (known.keys, known.failure) {
            (Some(keys), _) => Ok(keys),
            (None, failure) => Err(failure
                .as_deref()
                .unwrap_or("the keys are unknown")
                .to_owned()),
        }
    }

    /// Fetches; when that fails, the keys from before go on.
    async fn fetch(&self, address: &str, now: Ts, before: Option<Arc<KeySet>>) -> Fetched {
        let keys = match self.fetcher.json(address).await {
            Ok(jwks) => KeySet::from_jwks(&jwks).map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        let fetched = match keys {
            Ok(keys) => Fetched {
                at: now,
                keys: Some(Arc::new(keys)),
                failure: None,
            },
            Err(error) => {
                tracing::warn!(address, %error, "the keys of a client cannot be fetched");
                Fetched {
                    at: now,
                    keys: before,
                    failure: Some(error.into()),
                }
            }
        };
        self.fetched
            .insert(address.to_owned(), fetched.clone())
            .await;
        fetched
    }
}
