//! Signed statements about the chain: checkpoints, and the base that retention leaves.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::b64;
use crate::crypto::jose::{JoseError, KeySet, SigningKey};
use crate::crypto::master_key::MasterKey;
use crate::domain::audit::Link;
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;
use zeroize::Zeroizing;

const CHECKPOINT: &str = "audit-checkpoint+jwt";
const BASE: &str = "audit-base+jwt";

/// The key that signs them, which follows from the master key.
pub(super) struct Statements {
    key: SigningKey,
    verifying: KeySet,
}

/// What a statement says: where the chain stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Statement {
    /// The checkpoint's number; in a base, that of the first checkpoint after it.
    pub(super) number: i64,
    /// Which event.
    pub(super) position: i64,
    /// The hash up to there, in base64url.
    hash: String,
    /// When it was signed, as RFC 3339 text.
    time: String,
}

impl Statement {
    pub(super) fn new(number: i64, link: Link, at: Ts) -> Self {
        Self {
            number,
            position: link.position,
            hash: b64::encode(&link.hash),
            time: at.rfc3339_micros(),
        }
    }

    /// The place it speaks of, if the hash is one.
    pub(super) fn link(&self) -> Option<Link> {
        let hash = b64::decode(&self.hash)?.try_into().ok()?;
        Some(Link {
            position: self.position,
            hash,
        })
    }
}

impl Statements {
    pub(super) fn new(master: &MasterKey) -> Result<Self, JoseError> {
        let seed = Zeroizing::new(master.derive("sign/audit"));
        let key = SigningKey::ed25519_from_seed(&seed)?;
        let verifying = KeySet::from_signing_keys([&key]);
        Ok(Self { key, verifying })
    }

    pub(super) fn public_jwk(&self) -> Value {
        self.key.public_jwk()
    }

    pub(super) fn sign_checkpoint(&self, statement: &Statement) -> Result<String, JoseError> {
        self.key.sign(CHECKPOINT, statement)
    }

    pub(super) fn sign_base(&self, statement: &Statement) -> Result<String, JoseError> {
        self.key.sign(BASE, statement)
    }

    pub(super) fn read_checkpoint(&self, jws: &str) -> Option<Statement> {
        self.read(CHECKPOINT, jws)
    }

    pub(super) fn read_base(&self, jws: &str) -> Option<Statement> {
        self.read(BASE, jws)
    }

    /// What it says, if this key signed it as that.
    fn read(&self, typ: &str, jws: &str) -> Option<Statement> {
        let verified = self.verifying.verify(jws, &[SigningAlg::EdDsa]).ok()?;
        if !verified.is_typ(typ) {
            return None;
        }
        serde_json::from_value(Value::Object(verified.claims)).ok()
    }
}
