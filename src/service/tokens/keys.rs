//! The key ring: which keys sign, which verify, and their rotation.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use thiserror::Error;

use crate::config::Config;
use crate::crypto::jose::{JoseError, KeySet, SigningKey, Verified};
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::Sealer;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME;
use crate::domain::signing_key::{KeyDates, KeyState, state};
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::signing_keys::StoredKey;

/// How often instances look for keys that others made; the shortest useful lead of a key.
pub const REFRESH_EVERY: Duration = Duration::from_secs(10);

/// The signing keys of this provider.
pub struct KeyRing {
    store: Store,
    sealer: Sealer,
    rotation_interval: Duration,
    publish_lead: Duration,
    longest_token: Duration,
    ring: RwLock<Arc<Ring>>,
    reloading: tokio::sync::Mutex<Option<Ts>>,
}

/// The keys as they stood when they were last read.
#[derive(Default)]
pub struct Ring {
    keys: Vec<LoadedKey>,
    verifying: Option<KeySet>,
    jwks: Bytes,
}

struct LoadedKey {
    dates: KeyDates,
    key: Arc<SigningKey>,
}

/// One key as an operator sees it.
#[derive(Clone, Debug)]
pub struct KeyReport {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Algorithm.
    pub alg: SigningAlg,
    /// Where it stands.
    pub state: KeyState,
    /// When it begins to sign.
    pub activates_at: Ts,
}

/// What can go wrong with keys.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key itself.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// A private key that this master key does not open.
    #[error("signing key {kid} cannot be opened with this master key")]
    Sealed {
        /// Which.
        kid: String,
    },
    /// No key of that algorithm signs yet.
    #[error("no {0} key is active yet")]
    NoActiveKey(SigningAlg),
    /// The task that makes keys died.
    #[error("making a key failed: {0}")]
    Generation(String),
}

impl KeyRing {
    pub(in crate::service) fn new(store: Store, master: &MasterKey, config: &Config) -> Self {
        Self {
            store,
            sealer: Sealer::new(master, "signing-keys"),
            rotation_interval: config.key_rotation_interval,
            publish_lead: config.key_publish_lead,
            longest_token: MAX_ACCESS_TOKEN_LIFETIME.max(config.id_token_lifetime)
                + Duration::from_mins(1),
            ring: RwLock::new(Arc::default()),
            reloading: tokio::sync::Mutex::new(None),
        }
    }

    /// The keys as last read.
    #[must_use]
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys there are.
    pub async fn load(&self, now: Ts) -> Result<(), KeyError> {
        self.reload(now).await
    }

    /// Makes every algorithm have a key, and the ring loaded. Several starting instances may race for it.
    pub async fn ensure(&self, now: Ts) -> Result<(), KeyError> {
        self.reload(now).await?;
        for alg in SigningAlg::ALL {
            if !self
                .ring()
                .keys
                .iter()
                .any(|loaded| loaded.dates.alg == alg)
            {
                self.create(alg, 1, now, now).await?;
            }
        }
        self.reload(now).await
    }

    /// Whether every algorithm has a key that signs.
    #[must_use]
    pub fn is_ready(&self, now: Ts) -> bool {
        let ring = self.ring();
        SigningAlg::ALL
            .into_iter()
            .all(|alg| ring.active(alg, now).is_ok())
    }

    /// One turn of looking after the keys: makes the first ones where there are none, rotates what is due and reads
    /// what other instances made.
    pub async fn look_after(&self, now: Ts) -> Result<(), KeyError> {
        if !self.is_ready(now) {
            self.ensure(now).await?;
        }
        self.rotate_if_due(now).await
    }

    /// Makes the next key of each algorithm whose active key is old; then reads what others made.
    pub async fn rotate_if_due(&self, now: Ts) -> Result<(), KeyError> {
        self.reload(now).await?;
        for alg in SigningAlg::ALL {
            let newest = self
                .ring()
                .keys
                .iter()
                .filter(|loaded| loaded.dates.alg == alg)
                .map(|loaded| loaded.dates.clone())
                .max_by_key(|d| d.number);
            let Some(newest) = newest else { continue };
            let lead = self.publish_lead;
            let due = newest
                .activates_at
                .plus(self.rotation_interval.saturating_sub(lead));
            if now >= due && now >= newest.activates_at {
                self.create(alg, newest.number + 1, now, now.plus(lead))
                    .await?;
            }
        }
        self.reload(now).await?;
        self.forget_gone(now).await
    }

    /// Every key that is not gone.
    pub async fn report(&self, now: Ts) -> Result<Vec<KeyReport>, KeyError> {
        self.reload(now).await?;
        let ring = self.ring();
        let dates = ring.dates();
        Ok(ring
            .keys
            .iter()
            .map(|loaded| KeyReport {
                kid: loaded.key.kid().to_owned(),
                alg: loaded.dates.alg,
                state: state(&loaded.dates, &dates, now, self.longest_token),
                activates_at: loaded.dates.activates_at,
            })
            .collect())
    }

    /// Checks a JWT that Signet signed itself. A key that another instance made a moment ago is looked for.
    pub async fn verify(&self, jwt: &str, now: Ts) -> Result<Verified, KeyError> {
        match self.ring().verify(jwt) {
            Err(JoseError::UnknownKid) if self.reload_once(now).await? => {
                Ok(self.ring().verify(jwt)?)
            }
            other => Ok(other?),
        }
    }

    /// Reads the keys again, unless that was done within the last second: garbage must not cause reads.
    async fn reload_once(&self, now: Ts) -> Result<bool, KeyError> {
        let mut last = self.reloading.lock().await;
        if last.is_some_and(|at| now.since(at) < Duration::from_secs(1)) {
            return Ok(false);
        }
        *last = Some(now);
        self.reload(now).await?;
        Ok(true)
    }

    async fn reload(&self, now: Ts) -> Result<(), KeyError> {
        let stored = self.store.list_signing_keys().await?;
        let known = self.ring();
        let all: Vec<KeyDates> = stored.iter().map(|key| key.dates.clone()).collect();
        let mut keys = Vec::new();
        for row in stored {
            if state(&row.dates, &all, now, self.longest_token) == KeyState::Gone {
                continue;
            }
            let key = match known.keys.iter().find(|loaded| loaded.key.kid() == row.kid) {
                Some(loaded) => Arc::clone(&loaded.key),
                None => Arc::new(self.open(&row)?),
            };
            keys.push(LoadedKey {
                dates: row.dates,
                key,
            });
        }
        let jwks = json!({ "keys": keys.iter().map(|loaded| loaded.key.public_jwk()).collect::<Vec<Value>>() });
        let verifying = KeySet::from_signing_keys(keys.iter().map(|loaded| loaded.key.as_ref()));
        let ring = Ring {
            keys,
            verifying: Some(verifying),
            jwks: Bytes::from(jwks.to_string()),
        };
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    fn open(&self, row: &StoredKey) -> Result<SigningKey, KeyError> {
        let opened = self
            .sealer
            .open(row.kid.as_bytes(), &row.sealed)
            .ok_or_else(|| KeyError::Sealed {
                kid: row.kid.clone(),
            })?;
        let der = zeroize::Zeroizing::new(opened);
        Ok(SigningKey::from_pkcs8_der(row.dates.alg, &der)?)
    }

    /// The next key of an algorithm, ready to be stored.
    pub async fn make_next(
        &self,
        alg: SigningAlg,
        lead: Duration,
        now: Ts,
    ) -> Result<StoredKey, KeyError> {
        self.reload(now).await?;
        let number = self.newest_number(alg) + 1;
        self.make(alg, number, now, now.plus(lead)).await
    }

    fn newest_number(&self, alg: SigningAlg) -> i64 {
        let ring = self.ring();
        let of_alg = ring.keys.iter().filter(|loaded| loaded.dates.alg == alg);
        of_alg.map(|loaded| loaded.dates.number).max().unwrap_or(0)
    }

    async fn make(
        &self,
        alg: SigningAlg,
        number: i64,
        now: Ts,
        activates_at: Ts,
    ) -> Result<StoredKey, KeyError> {
        // RSA takes a good part of a second, which no request should wait for.
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(alg))
            .await
            .map_err(|error| KeyError::Generation(error.to_string()))??;
        let sealed = self.sealer.seal(key.kid().as_bytes(), &key.to_pkcs8_der());
        let dates = KeyDates {
            alg,
            number,
            activates_at,
        };
        Ok(StoredKey {
            dates,
            kid: key.kid().to_owned(),
            sealed,
            created_at: now,
        })
    }

    async fn create(
        &self,
        alg: SigningAlg,
        number: i64,
        now: Ts,
        activates_at: Ts,
    ) -> Result<(), KeyError> {
        let stored = self.make(alg, number, now, activates_at).await?;
        let mut tx = self.store.db().begin().await?;
        if tx.insert_signing_key(&stored).await? {
            let event = Event::new(EventType::KeyRotated, &Origin::system(), now);
            tx.record_event(&about(event, &stored)).await?;
            tx.commit().await?;
            tracing::info!(key.id = %stored.kid, key.alg = %alg, "made {alg} signing key {}, which signs from {}", stored.kid, activates_at.rfc3339());
        }
        Ok(())
    }

    async fn forget_gone(&self, now: Ts) -> Result<(), KeyError> {
        let stored = self.store.list_signing_keys().await?;
        let all: Vec<KeyDates> = stored.iter().map(|key| key.dates.clone()).collect();
        for row in stored {
            if state(&row.dates, &all, now, self.longest_token) == KeyState::Gone {
                let mut tx = self.store.db().begin().await?;
                let (alg, number) = (row.dates.alg, row.dates.number);
                if !tx.delete_signing_key(alg, number).await? {
                    // Another instance did, and said so.
                    continue;
                }
                let event = Event::new(EventType::KeyDeleted, &Origin::system(), now);
                tx.record_event(&event.target("signing_key", &row.kid))
                    .await?;
                tx.commit().await?;
                tracing::info!(key.id = %row.kid, "signing key {} is gone: its last token has expired", row.kid);
            }
        }
        Ok(())
    }
}

/// What the audit trail says of a new key.
pub(in crate::service) fn about(event: Event, key: &StoredKey) -> Event {
    event
        .target("signing_key", &key.kid)
        .detail("alg", key.dates.alg.as_str())
        .detail("activates_at", key.dates.activates_at.rfc3339())
}

impl Ring {
    /// The key that signs with `alg` at `now`.
    pub fn active(&self, alg: SigningAlg, now: Ts) -> Result<&Arc<SigningKey>, KeyError> {
        self.keys
            .iter()
            .filter(|loaded| loaded.dates.alg == alg && loaded.dates.activates_at <= now)
            .max_by_key(|loaded| loaded.dates.number)
            .map(|loaded| &loaded.key)
            .ok_or(KeyError::NoActiveKey(alg))
    }

    /// The public keys as a JWK Set (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    fn verify(&self, jwt: &str) -> Result<Verified, JoseError> {
        match &self.verifying {
            Some(keys) => keys.verify(jwt, &SigningAlg::ALL),
            None => Err(JoseError::UnknownKid),
        }
    }

    fn dates(&self) -> Vec<KeyDates> {
        self.keys
            .iter()
            .map(|loaded| loaded.dates.clone())
            .collect()
    }
}
