//! Public keys as JSON Web Keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use josekit::jwk::Jwk;
use josekit::jws::{ES256, EdDSA, JwsVerifier, PS256, RS256};
use serde_json::{Map, Value, json};

use super::JoseError;
use crate::crypto::{b64, digest};
use crate::spec::alg::SigningAlg;

/// A key that verifies signatures. Its verifiers are built once.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kid: Option<String>,
    /// One for each algorithm the key may be used with: the one its `alg` names, or those of its
    /// type. The algorithm is pinned here and never taken from a token.
    verifiers: Vec<(SigningAlg, Box<dyn JwsVerifier>)>,
}

impl PublicKey {
    /// Reads a JWK. Private members are dropped before anything else sees them.
    ///
    /// Refused are: keys whose `use` or `key_ops` exclude verifying, unknown `kty`, `crv` and
    /// `alg`, points that are not on the curve, and RSA keys below 2048 or above 8192 bits
    /// ([RFC 7518 §3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
    pub fn from_jwk(jwk: &Value) -> Result<Self, JoseError> {
        let members = jwk.as_object().ok_or_else(|| bad("it is not an object"))?;
        for_verifying(members)?;
        let public = PublicMembers::read(members)?;
        let algs = public.algs(members)?;
        let jwk = public.to_jwk()?;
        let verifiers = algs
            .into_iter()
            .map(|alg| Ok((alg, verifier(alg, &jwk)?)))
            .collect::<Result<_, JoseError>>()?;
        Ok(Self {
            kid: members.get("kid").map(kid).transpose()?,
            verifiers,
        })
    }

    /// The `kid`, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms this key may verify.
    #[cfg(test)]
    pub fn algs(&self) -> impl Iterator<Item = SigningAlg> {
        self.verifiers.iter().map(|(alg, _)| *alg)
    }

    /// The verifier for `alg`, unless the key is not for it.
    pub(super) fn verifier(&self, alg: SigningAlg) -> Option<&dyn JwsVerifier> {
        self.verifiers
            .iter()
            .find(|(of, _)| *of == alg)
            .map(|(_, verifier)| verifier.as_ref())
    }
}

/// The SHA-256 thumbprint of a public or private JWK
/// ([RFC 7638 §3](https://www.rfc-editor.org/rfc/rfc7638#section-3)); refuses what
/// [`PublicKey::from_jwk`] could never read.
pub fn thumbprint(jwk: &Value) -> Result<String, JoseError> {
    let members = jwk.as_object().ok_or_else(|| bad("it is not an object"))?;
    Ok(PublicMembers::read(members)?.thumbprint())
}

/// The members that make a public key, in one canonical spelling. Nothing else of a JWK reaches
/// the library.
enum PublicMembers {
    Rsa { n: String, e: String },
    P256 { x: String, y: String },
    Ed25519 { x: String },
}

impl PublicMembers {
    fn read(members: &Map<String, Value>) -> Result<Self, JoseError> {
        match (
            text(members, "kty")?,
            members.get("crv").and_then(Value::as_str),
        ) {
            ("RSA", _) => {
                let modulus = unsigned(members, "n")?;
                let exponent = unsigned(members, "e")?;
                check_rsa(&modulus, &exponent)?;
                Ok(Self::Rsa {
                    n: b64::encode(&modulus),
                    e: b64::encode(&exponent),
                })
            }
            ("EC", Some("P-256")) => Ok(Self::P256 {
                x: of_32_bytes(members, "x")?,
                y: of_32_bytes(members, "y")?,
            }),
            ("OKP", Some("Ed25519")) => Ok(Self::Ed25519 {
                x: of_32_bytes(members, "x")?,
            }),
            _ => Err(bad(
                "only RSA, EC with P-256 and OKP with Ed25519 are known",
            )),
        }
    }

    /// What the key may be used with: its own `alg`, or whatever its type allows.
    fn algs(&self, members: &Map<String, Value>) -> Result<Vec<SigningAlg>, JoseError> {
        let possible = match self {
            Self::Rsa { .. } => vec![SigningAlg::Rs256, SigningAlg::Ps256],
            Self::P256 { .. } => vec![SigningAlg::Es256],
            Self::Ed25519 { .. } => vec![SigningAlg::EdDsa],
        };
        let Some(alg) = members.get("alg") else {
            return Ok(possible);
        };
        possible
            .into_iter()
            .find(|possible| alg.as_str() == Some(possible.as_str()))
            .map(|alg| vec![alg])
            .ok_or_else(|| bad("its alg is unknown or does not fit its type"))
    }

    fn to_jwk(&self) -> Result<Jwk, JoseError> {
        let members = match self {
            Self::Rsa { n, e } => json!({"kty": "RSA", "n": n, "e": e}),
            Self::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            Self::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        };
        let members = members.as_object().cloned().unwrap_or_default();
        Jwk::from_map(members).map_err(|error| bad(&error.to_string()))
    }

    /// The required members in lexicographic order without white space. Every value is base64url,
    /// so nothing needs escaping.
    fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        };
        digest::sha256_b64(canonical.as_bytes())
    }
}

fn verifier(alg: SigningAlg, jwk: &Jwk) -> Result<Box<dyn JwsVerifier>, JoseError> {
    let verifier: Result<Box<dyn JwsVerifier>, _> = match alg {
        SigningAlg::Rs256 => RS256.verifier_from_jwk(jwk).map(|it| Box::new(it) as _),
        SigningAlg::Ps256 => PS256.verifier_from_jwk(jwk).map(|it| Box::new(it) as _),
        SigningAlg::Es256 => ES256.verifier_from_jwk(jwk).map(|it| Box::new(it) as _),
        SigningAlg::EdDsa => EdDSA.verifier_from_jwk(jwk).map(|it| Box::new(it) as _),
    };
    verifier.map_err(|error| bad(&error.to_string()))
}

/// `use` and `key_ops` must allow verifying
/// ([RFC 7517 §4.2](https://www.rfc-editor.org/rfc/rfc7517#section-4.2)).
fn for_verifying(members: &Map<String, Value>) -> Result<(), JoseError> {
    if members.get("use").is_some_and(|usage| usage != "sig") {
        return Err(bad("its use is not sig"));
    }
    let verifies = |operations: &Value| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    if members.get("key_ops").is_some_and(|ops| !verifies(ops)) {
        return Err(bad("its key_ops do not contain verify"));
    }
    Ok(())
}

/// The upper bound keeps a hostile key from making every verification expensive; the exponent's
/// bound is what OpenSSL accepts for large moduli.
fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), JoseError> {
    let bits = modulus.len() * 8
        - modulus
            .first()
            .map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(bad(&format!(
            "an RSA key must have 2048 to 8192 bits, not {bits}"
        )));
    }
    let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    if !odd || exponent == [1] || exponent.len() > 8 {
        return Err(bad("its RSA exponent is unusable"));
    }
    Ok(())
}

fn kid(kid: &Value) -> Result<String, JoseError> {
    kid.as_str()
        .filter(|kid| kid.len() <= 256)
        .map(str::to_owned)
        .ok_or_else(|| bad("its kid is not a string of at most 256 bytes"))
}

fn text<'jwk>(members: &'jwk Map<String, Value>, name: &str) -> Result<&'jwk str, JoseError> {
    members
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| bad(&format!("{name} is missing")))
}

fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JoseError> {
    b64::decode(text(members, name)?).ok_or_else(|| bad(&format!("{name} is not base64url")))
}

/// A number without the leading zeros that some software writes.
fn unsigned(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JoseError> {
    let bytes = bytes(members, name)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

/// A coordinate or key of exactly 32 bytes, so that `x` and `y` cannot trade bytes
/// ([RFC 7518 §6.2.1.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2)).
fn of_32_bytes(members: &Map<String, Value>, name: &str) -> Result<String, JoseError> {
    let bytes = bytes(members, name)?;
    if bytes.len() != 32 {
        return Err(bad(&format!(
            "{name} must be 32 bytes long, not {}",
            bytes.len()
        )));
    }
    Ok(b64::encode(&bytes))
}

fn bad(why: &str) -> JoseError {
    JoseError::BadKey(why.to_owned())
}
