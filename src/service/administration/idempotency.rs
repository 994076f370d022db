//! Requests that may be repeated (draft-ietf-httpapi-idempotency-key-header): the answer is written with the act.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::crypto::digest::{same, sha256};
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::{Mac, Sealer};
use crate::crypto::secret::KeyedDigest;
use crate::store::error::StoreError;
use crate::store::idempotency::StoredAnswer;

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// The requests that are being worked on, and the seal of stored answers.
pub struct Idempotency {
    pub(super) sealer: Sealer,
    requests: Mac,
    running: Arc<Mutex<HashSet<[u8; 32]>>>,
    turns: Arc<Semaphore>,
}

/// How long an act waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A caller's key, and the request that it came with.
#[derive(Clone, Debug)]
pub struct RequestKey {
    /// The digest of the key.
    pub key: [u8; 32],
    /// The digest of everything in the request that matters. It stays in memory: a body may hold a password, so what is
    /// stored is [`Idempotency::digest`].
    pub request: [u8; 32],
}

impl RequestKey {
    /// The key of a request with these parts.
    #[must_use]
    pub fn new(key: &str, parts: &[&[u8]]) -> Self {
        let mut request = Vec::new();
        for part in parts {
            request.extend(part.len().to_be_bytes());
            request.extend(*part);
        }
        Self {
            key: sha256(key.as_bytes()),
            request: sha256(&request),
        }
    }
}

/// What the answer to a caller's key is sealed for.
pub(super) fn sealed_for(caller: &str, key: &RequestKey) -> Vec<u8> {
    [caller.as_bytes(), &key.key, &key.request].concat()
}

/// A request that is being worked on, until this is dropped.
pub(super) struct Running {
    all: Arc<Mutex<HashSet<[u8; 32]>>>,
    one: [u8; 32],
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.one);
    }
}

impl Idempotency {
    pub(in crate::service) fn new(master: &MasterKey) -> Self {
        Self {
            sealer: Sealer::new(master, "idempotency"),
            requests: Mac::new(master, "idempotency_request"),
            running: Arc::default(),
            turns: Arc::new(Semaphore::new(1)),
        }
    }

    /// What is stored of a request: a tag under the master key, so that reading the database is not enough to try
    /// guesses.
    pub(super) fn digest(&self, caller: &str, key: &RequestKey) -> KeyedDigest {
        let parts: [&[u8]; 3] = [caller.as_bytes(), &key.key, &key.request];
        self.requests.digest(&parts)
    }

    /// Whether that answer was given to this very request. Versions before 14 of the schema stored the digest itself,
    /// which is still accepted: what they answered is kept for a day. Such a version, beside this one, refuses to
    /// repeat what this one did (422) and does not do it again.
    pub(super) fn is_same(&self, caller: &str, key: &RequestKey, stored: &StoredAnswer) -> bool {
        let is_keyed = stored.request == self.digest(caller, key);
        is_keyed || same(stored.request.as_bytes(), &key.request)
    }

    /// The turn to act: one in a process, until it is dropped.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let busy =
            || StoreError::Unavailable("other acts of administrators are running".to_owned());
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Begins to work on a request; `None` while another one with the same key is being worked on here. What another
    /// instance works on is claimed in the store ([`crate::store::db::Tx::claim_key`]).
    pub(super) fn begin(&self, caller: &str, key: &RequestKey) -> Option<Running> {
        let one = sha256(&[caller.as_bytes(), &key.key].concat());
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(one).then(|| Running {
            all: Arc::clone(&self.running),
            one,
        })
    }
}
