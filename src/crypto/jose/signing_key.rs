//! Our own keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use josekit::jwk::KeyPair;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::{ES256, EdDSA, PS256, RS256};
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::signer::Signer;
use super::{JoseError, PublicKey, thumbprint};
use crate::crypto::b64;
use crate::spec::alg::SigningAlg;

/// A private key with its signer built once. Shared by all threads; signing takes no lock.
pub struct SigningKey {
    alg: SigningAlg,
    kid: String,
    signer: Signer,
    pkcs8: Zeroizing<Vec<u8>>,
    public_jwk: Value,
    public_key: PublicKey,
}

impl SigningKey {
    /// Makes a new key: RSA with 2048 bits, P-256 or Ed25519. RSA takes some 100 ms of processor
    /// time, so keep it off the threads that serve.
    pub fn generate(alg: SigningAlg) -> Result<Self, JoseError> {
        match alg {
            SigningAlg::Rs256 => Self::new(alg, &RS256.generate_key_pair(2048).map_err(bad)?),
            SigningAlg::Ps256 => Self::new(alg, &PS256.generate_key_pair(2048).map_err(bad)?),
            SigningAlg::Es256 => Self::new(alg, &ES256.generate_key_pair().map_err(bad)?),
            SigningAlg::EdDsa => Self::new(
                alg,
                &EdDSA.generate_key_pair(EdCurve::Ed25519).map_err(bad)?,
            ),
        }
    }

    /// Reads what [`SigningKey::to_pkcs8_der`] wrote, for the same algorithm.
    pub fn from_pkcs8_der(alg: SigningAlg, der: &[u8]) -> Result<Self, JoseError> {
        match alg {
            SigningAlg::Rs256 => Self::new(alg, &RS256.key_pair_from_der(der).map_err(bad)?),
            SigningAlg::Ps256 => Self::new(alg, &PS256.key_pair_from_der(der).map_err(bad)?),
            SigningAlg::Es256 => Self::new(alg, &ES256.key_pair_from_der(der).map_err(bad)?),
            SigningAlg::EdDsa => Self::new(alg, &EdDSA.key_pair_from_der(der).map_err(bad)?),
        }
    }

    /// The Ed25519 key of a seed of 32 bytes, so that a key can follow from the master key
    /// ([RFC 8410 §7](https://www.rfc-editor.org/rfc/rfc8410#section-7)).
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Result<Self, JoseError> {
        // PrivateKeyInfo, version 0, id-Ed25519, and the seed as an octet string in an octet string.
        const HEAD: [u8; 16] = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        let mut der = Zeroizing::new(HEAD.to_vec());
        der.extend_from_slice(seed);
        Self::from_pkcs8_der(SigningAlg::EdDsa, &der)
    }

    /// The private key as PKCS #8 ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)), to be
    /// sealed before it is stored.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The key's name: its RFC 7638 thumbprint, so the same key has the same name everywhere.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    #[cfg(test)]
    pub fn alg(&self) -> SigningAlg {
        self.alg
    }

    /// The public key as published, with `kid`, `use` and `alg`; without any private member.
    pub fn public_jwk(&self) -> Value {
        self.public_jwk.clone()
    }

    /// The public half, to verify our own tokens.
    pub fn public_key(&self) -> PublicKey {
        self.public_key.clone()
    }

    /// Signs `claims` as a compact JWS with the header `{"typ","alg","kid"}`.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let header = Header {
            typ,
            alg: self.alg.as_str(),
            kid: &self.kid,
        };
        let header = serde_json::to_vec(&header).map_err(cannot)?;
        let payload = serde_json::to_vec(claims).map_err(cannot)?;
        // The longest signature is 256 bytes of RSA.
        let letters = (header.len() + payload.len() + 256) / 3 * 4 + 16;
        let mut jwt = String::with_capacity(letters);
        b64::encode_into(&header, &mut jwt);
        jwt.push('.');
        b64::encode_into(&payload, &mut jwt);
        let signature = self.signer.sign(jwt.as_bytes())?;
        jwt.push('.');
        b64::encode_into(&signature, &mut jwt);
        Ok(jwt)
    }

    /// A bare signature, for tests that forge headers.
    #[cfg(test)]
    pub(super) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        self.signer.sign(message)
    }

    fn new(alg: SigningAlg, pair: &impl KeyPair) -> Result<Self, JoseError> {
        let public = Value::Object(pair.to_jwk_public_key().into());
        let kid = thumbprint(&public)?;
        let public_jwk = published(&public, alg, &kid);
        let public_key = PublicKey::from_jwk(&public_jwk)?;
        let pkcs8 = pkcs8(pair)?;
        Ok(Self {
            alg,
            kid,
            signer: Signer::from_pkcs8(alg, &pkcs8)?,
            pkcs8,
            public_jwk,
            public_key,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("alg", &self.alg)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'jwt> {
    typ: &'jwt str,
    alg: &'jwt str,
    kid: &'jwt str,
}

/// Copies the members of a public key by name: what is not listed is never published.
fn published(jwk: &Value, alg: SigningAlg, kid: &str) -> Value {
    let mut members: Map<String, Value> = ["kty", "crv", "n", "e", "x", "y"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), jwk.get(name)?.clone())))
        .collect();
    members.insert("kid".to_owned(), kid.into());
    members.insert("use".to_owned(), "sig".into());
    members.insert("alg".to_owned(), alg.as_str().into());
    Value::Object(members)
}

/// josekit's DER is PKCS #1 or SEC 1, depending on the key; only its PEM is always PKCS #8.
fn pkcs8(pair: &impl KeyPair) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let pem = Zeroizing::new(pair.to_pem_private_key());
    let pem = std::str::from_utf8(&pem).map_err(bad)?;
    let mut body = Zeroizing::new(String::with_capacity(pem.len()));
    for line in pem.lines().filter(|line| !line.starts_with("-----")) {
        body.push_str(line);
    }
    STANDARD
        .decode(body.as_str())
        .map(Zeroizing::new)
        .map_err(bad)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn bad(error: impl ToString) -> JoseError {
    JoseError::BadKey(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn cannot(error: impl ToString) -> JoseError {
    JoseError::Sign(error.to_string())
}
