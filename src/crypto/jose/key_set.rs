//! Verifying JWTs with a set of public keys.

use serde_json::{Map, Value};

use super::{JoseError, PublicKey, SigningKey, json};
use crate::crypto::b64;
use crate::spec::alg::SigningAlg;

/// Longer tokens are refused unread.
pub const MAX_JWT_BYTES: usize = 48 * 1024;

/// A JWK Set may hold no more keys.
pub const MAX_KEYS: usize = 64;

/// Without a `kid` so many keys are tried, so that a token cannot buy many verifications.
/// OpenID Connect Core §10.1 requires a `kid` as soon as there is more than one key.
const MAX_TRIED: usize = 8;

/// Public keys of one party, with verifiers built once.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// A JWT whose signature has been verified. Its claims have not been checked yet: issuer,
/// audience, times and type are the caller's to check.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The JOSE header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl Verified {
    /// The `typ` header as it stands.
    pub fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// Whether the `typ` header is `expected` (such as `at+jwt`): without regard to case, and with
    /// or without `application/`
    /// ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
    pub fn is_typ(&self, expected: &str) -> bool {
        const PREFIX: &str = "application/";
        self.typ().is_some_and(|typ| {
            let short = match typ.split_at_checked(PREFIX.len()) {
                Some((prefix, short)) if prefix.eq_ignore_ascii_case(PREFIX) => short,
                Some(_) | None => typ,
            };
            short.eq_ignore_ascii_case(expected)
        })
    }
}

impl KeySet {
    /// A set of these keys.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys }
    }

    /// The public halves of our own keys.
    pub fn from_signing_keys<'key>(keys: impl IntoIterator<Item = &'key SigningKey>) -> Self {
        Self::new(keys.into_iter().map(SigningKey::public_key).collect())
    }

    /// Reads a JWK Set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)) of at most
    /// [`MAX_KEYS`] keys. Keys that cannot verify here are ignored, as the RFC asks, unless none
    /// remains: then the error says what was wrong with the last of them.
    pub fn from_jwks(jwks: &Value) -> Result<Self, JoseError> {
        let bad = |why: String| JoseError::BadKeySet(why);
        let jwks = jwks
            .get("keys")
            .and_then(Value::as_array)
            .ok_or_else(|| bad("it has no array called keys".to_owned()))?;
        if jwks.len() > MAX_KEYS {
            return Err(bad(format!("it has more than {MAX_KEYS} keys")));
        }
        let mut keys = Vec::new();
        let mut refused = None;
        for jwk in jwks {
            match PublicKey::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(why) => refused = Some(why),
            }
        }
        match refused {
            Some(why) if keys.is_empty() => {
                Err(bad(format!("none of its keys verifies signatures; {why}")))
            }
            Some(_) | None => Ok(Self { keys }),
        }
    }

    /// The keys.
    #[cfg(test)]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Verifies a compact JWS with one of the `allowed` algorithms and returns what it says.
    ///
    /// The token chooses neither key nor algorithm: `kid` only selects among the keys of this set,
    /// `alg` must be allowed *and* fit the key, and `jwk`, `jku`, `x5c` and `x5u` are never looked
    /// at ([RFC 8725 §3.1, §3.10](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
    pub fn verify(&self, jwt: &str, allowed: &[SigningAlg]) -> Result<Verified, JoseError> {
        use JoseError::Malformed;
        if jwt.len() > MAX_JWT_BYTES {
            return Err(JoseError::TooLong);
        }
        let (signed, signature) = jwt.rsplit_once('.').ok_or(NOT_COMPACT)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_COMPACT)?;
        if payload.contains('.') {
            return Err(NOT_COMPACT);
        }
        let header = b64::decode(header)
            .and_then(|header| json::object(&header))
            .ok_or(Malformed("its header is not base64url of a JSON object"))?;
        let signature =
            b64::decode(signature).ok_or(Malformed("its signature is not base64url"))?;
        let alg = algorithm(&header, allowed)?;
        self.check(&header, alg, signed.as_bytes(), &signature)?;
        // Only now is the payload worth parsing: its author is known.
        let claims = b64::decode(payload)
            .and_then(|payload| json::object(&payload))
            .ok_or(Malformed("its payload is not base64url of a JSON object"))?;
        Ok(Verified { header, claims })
    }

    fn check(
        &self,
        header: &Map<String, Value>,
        alg: SigningAlg,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), JoseError> {
        if alg == SigningAlg::Es256 && !plausible_ecdsa(signature) {
            return Err(JoseError::BadSignature);
        }
        let verifies = |key: &PublicKey| {
            key.verifier(alg)
                .is_some_and(|verifier| verifier.verify(signed, signature).is_ok())
        };
        let Some(kid) = header.get("kid") else {
            return self
                .keys
                .iter()
                .filter(|key| key.verifier(alg).is_some())
                .take(MAX_TRIED)
                .any(verifies)
                .then_some(())
                .ok_or(JoseError::UnknownKid);
        };
        let kid = kid
            .as_str()
            .ok_or(JoseError::Malformed("its kid is not a string"))?;
        // Keys of different types may share a kid (RFC 7517 §4.5).
        let named: Vec<&PublicKey> = self
            .keys
            .iter()
            .filter(|key| key.kid() == Some(kid))
            .take(MAX_TRIED)
            .collect();
        if named.is_empty() {
            return Err(JoseError::UnknownKid);
        }
        if named.iter().all(|key| key.verifier(alg).is_none()) {
            return Err(JoseError::AlgMismatch);
        }
        named
            .into_iter()
            .any(verifies)
            .then_some(())
            .ok_or(JoseError::BadSignature)
    }
}

/// The algorithm a header names, if it may be used here at all.
fn algorithm(header: &Map<String, Value>, allowed: &[SigningAlg]) -> Result<SigningAlg, JoseError> {
    // RFC 7515 §4.1.11: an extension that is not understood makes the token invalid; none is.
    if header.contains_key("crit") {
        return Err(JoseError::CriticalHeader);
    }
    header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|alg| alg.parse().ok())
        .filter(|alg| allowed.contains(alg))
        .ok_or(JoseError::AlgNotAllowed)
}

/// Whether `r` and `s` are not zero. OpenSSL checks it too; libraries that did not took an
/// all-zero signature for everyone's (CVE-2022-21449).
fn plausible_ecdsa(signature: &[u8]) -> bool {
    signature.len() == 64
        && signature
            .chunks_exact(32)
            .all(|half| half.iter().any(|byte| *byte != 0))
}

const NOT_COMPACT: JoseError = JoseError::Malformed("it does not have three parts");
