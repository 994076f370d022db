//! Forged and confused tokens (RFC 8725).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use josekit::jwk::KeyPair as _;
use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jws::{ES256, HS256, JwsHeader};
use josekit::jwt::{self, JwtPayload};
use serde_json::{Value, json};

use crate::support::client::WEB;
use crate::support::engines::on_every_engine;
use crate::support::jwt::Jwt;
use crate::support::server::Server;

on_every_engine! {
    async fn unsigned_tokens_are_refused_rfc8725_2_1(server: Server) {
        let token = server.signed_in(&WEB, "openid").await.access_token();
        let claims = token.split('.').nth(1).unwrap();
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let header = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "at+jwt" }).to_string());
            refused(&server, &format!("{header}.{claims}.")).await;
            refused(&server, &format!("{header}.{claims}.{}", token.split('.').nth(2).unwrap())).await;
        }
    }

    async fn a_public_key_is_no_hmac_secret_rfc8725_2_1(server: Server) {
        let token = Jwt::decode(&server.signed_in(&WEB, "openid").await.access_token());
        for key in server.jwks().await {
            for secret in [key.to_string(), key["n"].to_string(), key["x"].to_string()].into_iter().filter(|key| key.len() >= 32) {
                let signer = HS256.signer_from_bytes(secret.into_bytes()).unwrap();
                refused(&server, &signed(&token, &[("alg", "HS256")], &signer)).await;
            }
        }
    }

    async fn a_key_in_the_header_is_not_used_rfc8725_3_10(server: Server) {
        let token = Jwt::decode(&server.signed_in(&WEB, "openid").await.access_token());
        let pair = EcKeyPair::generate(EcCurve::P256).unwrap();
        let signer = ES256.signer_from_pem(pair.to_pem_private_key()).unwrap();
        refused(&server, &signed(&token, &[], &signer)).await;
        refused(&server, &signed(&token, &[("jku", "https://attacker.example.test/jwks")], &signer)).await;
        refused(&server, &signed(&token, &[("kid", "../../../../dev/null")], &signer)).await;
        refused(&server, &signed(&token, &[("kid", "' OR 1=1 --")], &signer)).await;
        let mut header = JwsHeader::new();
        header.set_token_type("at+jwt");
        header.set_jwk(pair.to_jwk_public_key());
        refused(&server, &jwt::encode_with_signer(&payload(&token), &header, &signer).unwrap()).await;
    }

    async fn a_zero_signature_is_refused_cve_2022_21449(server: Server) {
        let token = server.signed_in(&WEB, "openid").await.access_token();
        let (signed, _) = token.rsplit_once('.').unwrap();
        for length in [0, 1, 63, 64, 65, 128] {
            refused(&server, &format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(vec![0; length]))).await;
        }
    }

    async fn another_spelling_of_a_token_is_another_token_rfc7515_2(server: Server) {
        let token = server.signed_in(&WEB, "openid").await.access_token();
        for other in [format!("{token}="), format!("{token}."), format!(".{token}"), token.replacen('.', "=.", 1)] {
            server.assert_inactive(&other).await;
        }
    }

    async fn one_kind_of_token_is_not_another_rfc8725_2_8(server: Server) {
        let signed_in = server.signed_in(&WEB, "openid offline_access").await;
        for token in [signed_in.id_token(), signed_in.refresh_token(), signed_in.code] {
            assert_eq!(server.userinfo(&token).await.status, 401);
        }
    }
}

async fn refused(server: &Server, token: &str) {
    server.assert_inactive(token).await;
    assert_eq!(server.userinfo(token).await.status, 401, "{token}");
}

/// The claims and the header of a genuine token, some header members exchanged, under the attacker's key.
fn signed(token: &Jwt, header: &[(&str, &str)], signer: &dyn josekit::jws::JwsSigner) -> String {
    let Value::Object(mut members) = token.header.clone() else {
        unreachable!()
    };
    for (name, value) in header {
        members.insert((*name).to_owned(), (*value).into());
    }
    jwt::encode_with_signer(
        &payload(token),
        &JwsHeader::from_map(members).unwrap(),
        signer,
    )
    .unwrap()
}

fn payload(token: &Jwt) -> JwtPayload {
    let Value::Object(claims) = token.claims.clone() else {
        unreachable!()
    };
    JwtPayload::from_map(claims).unwrap()
}
