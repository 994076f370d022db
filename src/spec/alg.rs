//! The signature algorithms Signet speaks ([RFC 7518 §3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1)).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A JWS signature algorithm. There is no HMAC and no `none` here, so neither can be configured,
/// advertised or accepted by mistake
/// ([RFC 8725 §3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum SigningAlg {
    /// RSASSA-PKCS1-v1_5 with SHA-256, the one every OpenID relying party must have
    /// ([OpenID Connect Core §15.1](https://openid.net/specs/openid-connect-core-1_0.html#ServerMTI)).
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PSS with SHA-256 and MGF1 with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// Ed25519 ([RFC 8037 §3.1](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// The name is not one of the algorithms in [`SigningAlg::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown signature algorithm; known are RS256, ES256, PS256 and EdDSA")]
pub struct UnknownAlg;

impl SigningAlg {
    /// Every algorithm, in the order in which metadata lists them.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Es256, Self::Ps256, Self::EdDsa];

    /// The JOSE name, as it stands in an `alg` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SigningAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlg {
    type Err = UnknownAlg;

    /// JOSE names are case-sensitive ([RFC 7515 §4.1.1](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.1)).
    fn from_str(name: &str) -> Result<Self, UnknownAlg> {
        Self::ALL
            .into_iter()
            .find(|alg| alg.as_str() == name)
            .ok_or(UnknownAlg)
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn names_round_trip_through_text_and_serde() {
        for alg in SigningAlg::ALL {
            assert_eq!(alg.as_str().parse(), Ok(alg));
            let json = serde_json::to_string(&alg).unwrap();
            assert_eq!(json, format!("\"{alg}\""));
            assert_eq!(serde_json::from_str::<SigningAlg>(&json).unwrap(), alg);
        }
    }

    #[test]
    fn none_hmac_and_other_spellings_are_unknown_rfc8725_3_1() {
        for name in ["none", "HS256", "es256", "ES384", "", "EDDSA", "RS256 "] {
            assert_eq!(name.parse::<SigningAlg>(), Err(UnknownAlg), "{name}");
        }
    }
}
