//! What turns bytes into a signature.
//!
//! Signing is most of what a token costs, and AWS-LC signs faster than the OpenSSL behind josekit; it is in the
//! binary for TLS anyway. What is signed here is verified by josekit, so the two check each other in every test.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
};
use josekit::jws::{JwsSigner, PS256};

use super::JoseError;
use crate::spec::alg::SigningAlg;

/// A private key, ready to sign. Shared by all threads; signing takes no lock.
pub(super) enum Signer {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
    /// Its keys have an identifier of their own (RFC 4055 §3.1), which AWS-LC does not read.
    Ps256(Box<dyn JwsSigner>),
}

impl Signer {
    /// A signer with the private key of this PKCS #8 document.
    pub(super) fn from_pkcs8(alg: SigningAlg, pkcs8: &[u8]) -> Result<Self, JoseError> {
        match alg {
            SigningAlg::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                .map(Self::Es256)
                .map_err(bad),
            SigningAlg::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rs256).map_err(bad),
            SigningAlg::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8)
                .map(Self::EdDsa)
                .map_err(bad),
            SigningAlg::Ps256 => PS256
                .signer_from_der(pkcs8)
                .map(|signer| Self::Ps256(Box::new(signer)))
                .map_err(bad),
        }
    }

    /// The signature as a JWS carries it ([RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3)).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let rng = SystemRandom::new();
        match self {
            Self::Es256(key) => Ok(key.sign(&rng, message).map_err(cannot)?.as_ref().to_vec()),
            Self::EdDsa(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, message, &mut signature)
                    .map_err(cannot)?;
                Ok(signature)
            }
            Self::Ps256(signer) => signer.sign(message).map_err(cannot),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn bad(error: impl ToString) -> JoseError {
    JoseError::BadKey(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn cannot(error: impl ToString) -> JoseError {
    JoseError::Sign(error.to_string())
}
