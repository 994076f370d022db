//! Signed JSON Web Tokens: the only place that knows josekit and AWS-LC.
//!
//! Compact serialisation and asymmetric signatures only. There is no HMAC, no `none` and no
//! encryption here, keys are never taken from a token, and the algorithm is a property of the key
//! ([RFC 8725 §3](https://www.rfc-editor.org/rfc/rfc8725#section-3)).

mod json;
mod jwk;
mod key_set;
mod signer;
mod signing_key;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha512};

use super::{b64, digest};
use crate::spec::alg::SigningAlg;

pub use self::jwk::{PublicKey, thumbprint};
pub use self::key_set::{KeySet, MAX_JWT_BYTES, Verified};
pub use self::signing_key::SigningKey;

/// Why a token or a key was refused. The text names no secret and may be shown to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Longer than [`MAX_JWT_BYTES`].
    #[error("the JWT is longer than {MAX_JWT_BYTES} bytes")]
    TooLong,
    /// Not a compact JWS of three base64url parts with JSON objects inside.
    #[error("the JWT is malformed: {0}")]
    Malformed(&'static str),
    /// The `alg` header is not one the caller accepts.
    #[error("the JWT is signed with an algorithm that is not accepted here")]
    AlgNotAllowed,
    /// The header has `crit`; no extension is understood here
    /// ([RFC 7515 §4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)).
    #[error("the JWT has a critical header parameter that is not understood")]
    CriticalHeader,
    /// No key of the set fits: the token names a `kid` that is not there, or names none and no key
    /// verifies it. A caller that fetches keys may fetch them again, at a bounded rate.
    #[error("no key is known for this JWT")]
    UnknownKid,
    /// The key with this `kid` is not for this algorithm.
    #[error("the key of this JWT is for another algorithm")]
    AlgMismatch,
    /// The signature does not verify.
    #[error("the signature of the JWT does not verify")]
    BadSignature,
    /// A key cannot be used; the text says why.
    #[error("the key cannot be used: {0}")]
    BadKey(String),
    /// A JWK Set is malformed, too large or holds no key that can verify signatures.
    #[error("the JWK Set cannot be used: {0}")]
    BadKeySet(String),
    /// Signing failed inside the library, or the claims do not serialise to JSON.
    #[error("cannot sign: {0}")]
    Sign(String),
}

/// `at_hash`: the left half of the hash of an access token, with the hash of the ID token's
/// algorithm ([OpenID Connect Core §3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
/// Ed25519 hashes with SHA-512.
pub fn at_hash(alg: SigningAlg, access_token: &str) -> String {
    match alg {
        SigningAlg::Rs256 | SigningAlg::Es256 | SigningAlg::Ps256 => {
            left_half(&digest::sha256(access_token.as_bytes()))
        }
        SigningAlg::EdDsa => left_half(&Sha512::digest(access_token.as_bytes())),
    }
}

/// The claims of a JWT **whose signature is not verified**: good for finding out which client
/// claims to have made an assertion, so that its keys can be looked up, and for nothing else.
pub fn unverified_claims(jwt: &str) -> Option<Map<String, Value>> {
    if jwt.len() > MAX_JWT_BYTES {
        return None;
    }
    let mut parts = jwt.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    json::object(&b64::decode(payload)?)
}

fn left_half(hash: &[u8]) -> String {
    let (left, _) = hash.split_at(hash.len() / 2);
    b64::encode(left)
}

#[cfg(test)]
mod tests;
