//! The key ring: which keys sign, which verify, and their rotation.

mod life;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use thiserror::Error;

use crate::config::Config;
use crate::crypto::jose::{JoseError, KeySet, SigningKey, Verified};
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::Sealer;
use crate::domain::audit::Event;
use crate::domain::client::MAX_ACCESS_TOKEN_LIFETIME;
use crate::domain::signing_key::{KeyDates, KeyState, state};
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::signing_keys::StoredKey;

/// The algorithms that have a key from the start: those of clients that name none.
const ALWAYS: [SigningAlg; 2] = [SigningAlg::Rs256, SigningAlg::Es256];

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
    /// How often the keys were asked for anew, and the last of these that a finished read has answered.
    asked: AtomicU64,
    answered: tokio::sync::Mutex<u64>,
    /// When it was last looked for keys that nothing needs.
    looked_for_unused: Mutex<Option<Ts>>,
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
    /// No client and no resource server needs a key of that algorithm.
    #[error(
        "no client and no resource server needs a {0} key; one is made when the first is registered with {0}"
    )]
    NotNeeded(SigningAlg),
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
            asked: AtomicU64::new(0),
            answered: tokio::sync::Mutex::new(0),
            looked_for_unused: Mutex::new(None),
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

    /// Whether the algorithms that every site needs have a key that signs.
    #[must_use]
    pub fn is_ready(&self, now: Ts) -> bool {
        let ring = self.ring();
        let mut always = ALWAYS.into_iter();
        always.all(|alg| ring.active(alg, now).is_ok())
    }

    /// The public keys by a read that began after this was called; one read serves all that wait for it. So a key is in
    /// `/jwks` of every instance as soon as the act that made it is answered.
    pub async fn published(&self, now: Ts) -> Result<Bytes, KeyError> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered < mine {
            let upto = self.asked.load(Ordering::SeqCst);
            self.reload(now).await?;
            *answered = upto;
        }
        Ok(self.ring().jwks())
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

    /// The key that signs with `alg`. One that another instance made a moment ago is looked for.
    pub async fn signing(&self, alg: SigningAlg, now: Ts) -> Result<Arc<SigningKey>, KeyError> {
        if let Ok(key) = self.ring().active(alg, now) {
            return Ok(Arc::clone(key));
        }
        self.published(now).await?;
        self.ring().active(alg, now).map(Arc::clone)
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
            .filter(|loaded| loaded.dates.unused_since.is_none())
            .max_by_key(|loaded| loaded.dates.number)
            .map(|loaded| &loaded.key)
            .ok_or(KeyError::NoActiveKey(alg))
    }

    /// Whether an algorithm has a key that something needs.
    fn is_kept(&self, alg: SigningAlg) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|loaded| loaded.dates.alg == alg && loaded.dates.unused_since.is_none())
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
