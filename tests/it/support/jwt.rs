//! Reads and verifies tokens with the cryptography of the `openidconnect` crate, which shares none with Signet.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};
use serde_json::Value;

use super::client::Answer;
use super::server::Server;

/// A decoded compact JWS.
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Jwt {
    /// Splits and decodes without looking at the signature.
    pub(crate) fn decode(token: &str) -> Self {
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts.len(), 3, "not a compact JWS: {token}");
        let part = |index: usize| serde_json::from_slice(&bytes(parts[index])).unwrap();
        Self {
            header: part(0),
            claims: part(1),
        }
    }
}

impl Server {
    pub(crate) async fn jwks(&self) -> Vec<Value> {
        let answer = Answer::to(self.http().get(self.url("/jwks"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["keys"].as_array().expect("keys").clone()
    }

    /// Verifies the signature with the published key that the token names.
    pub(crate) async fn verified(&self, token: &str) -> Jwt {
        let jwt = Jwt::decode(token);
        let keys = self.jwks().await;
        let key = keys
            .iter()
            .find(|key| key["kid"] == jwt.header["kid"])
            .unwrap_or_else(|| panic!("{} is signed with an unpublished key", jwt.header));
        assert_eq!(key["alg"], jwt.header["alg"]);
        let key: CoreJsonWebKey = serde_json::from_value(key.clone()).unwrap();
        let alg: CoreJwsSigningAlgorithm =
            serde_json::from_value(jwt.header["alg"].clone()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        key.verify_signature(&alg, signed.as_bytes(), &bytes(signature))
            .expect("the signature does not verify");
        jwt
    }
}

pub(crate) fn bytes(part: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .unwrap_or_else(|error| panic!("{error} in {part}"))
}

/// The token with its claims exchanged, under the old signature.
pub(crate) fn forged(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<_> = token.split('.').collect();
    let mut claims = Jwt::decode(token).claims;
    change(&mut claims);
    format!(
        "{}.{}.{}",
        parts[0],
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()),
        parts[2]
    )
}
