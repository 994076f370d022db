//! Keys: what is published, stored, named and refused.

use super::*;
use crate::crypto::jose::key_set::MAX_KEYS;

#[test]
fn stored_keys_do_not_open_as_another_algorithm() {
    for (alg, as_alg) in [
        (Es256, EdDsa),
        (EdDsa, Es256),
        (Es256, Rs256),
        (Rs256, Es256),
        (Rs256, EdDsa),
    ] {
        let der = key(alg).to_pkcs8_der();
        assert!(
            SigningKey::from_pkcs8_der(as_alg, &der).is_err(),
            "{alg} as {as_alg}"
        );
        assert!(SigningKey::from_pkcs8_der(alg, &der[..der.len() - 1]).is_err());
        assert!(SigningKey::from_pkcs8_der(alg, b"").is_err());
    }
}

#[test]
fn nothing_private_is_published_or_shown() {
    for alg in SigningAlg::ALL {
        let key = key(alg);
        let jwk = key.public_jwk();
        let mut names: Vec<&str> = jwk
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        let expected: &[&str] = match alg {
            Rs256 | Ps256 => &["alg", "e", "kid", "kty", "n", "use"],
            Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(names, expected);
        assert_eq!(jwk["use"], "sig");
        assert_eq!(jwk["alg"], alg.as_str());
        let shown = format!("{key:?}");
        assert_eq!(
            shown,
            format!("SigningKey {{ alg: {alg:?}, kid: {:?}, .. }}", key.kid())
        );
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs_rfc7638_3_1_rfc8037_a_3() {
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    });
    assert_eq!(
        thumbprint(&rsa).unwrap(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
    });
    assert_eq!(
        thumbprint(&ed25519).unwrap(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn an_rsa_key_without_alg_serves_both_rsa_algorithms() {
    let pss = key(Ps256);
    let mut jwk = pss.public_jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let keys = KeySet::from_jwks(&json!({"keys": [jwk]})).unwrap();
    let jwt = pss.sign("JWT", &json!({})).unwrap();
    assert!(keys.verify(&jwt, &[Ps256]).is_ok());
    assert_eq!(keys.verify(&jwt, &[Rs256]), Err(JoseError::AlgNotAllowed));
    assert_eq!(keys.keys()[0].algs().collect::<Vec<_>>(), [Rs256, Ps256]);
}

#[test]
fn keys_that_cannot_verify_are_ignored_beside_one_that_can_rfc7517_5() {
    let good = key(Es256);
    let jwt = good.sign("JWT", &json!({})).unwrap();
    let with = |name: &str, value: Value| {
        let mut jwk = good.public_jwk();
        jwk[name] = value;
        jwk
    };
    let modulus = |bytes: usize| b64::encode(&vec![0xb5; bytes]);
    let small = modulus(128);
    let even = json!({"kty": "RSA", "n": modulus(256), "e": "AQAA"});
    let one = json!({"kty": "RSA", "n": modulus(256), "e": "AQ"});
    for unusable in [
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "RSA", "n": small, "e": "AQAB"}),
        json!({"kty": "RSA", "n": modulus(1500), "e": "AQAB"}),
        even,
        one,
        with("use", json!("enc")),
        with("use", json!(1)),
        with("key_ops", json!(["sign"])),
        with("key_ops", json!("verify")),
        with("alg", json!("ES384")),
        with("alg", json!("RS256")),
        with("alg", json!("none")),
        with("crv", json!("P-384")),
        with("crv", json!("secp256k1")),
        with("kty", json!("OKP")),
        with("kid", json!(7)),
        with("kid", json!("k".repeat(257))),
        with("x", json!("AA")),
        with("x", json!(1)),
        // A point that is not on the curve.
        with("x", json!(b64::encode(&[1; 32]))),
        json!({}),
        json!(null),
        json!([]),
        json!("key"),
    ] {
        assert!(PublicKey::from_jwk(&unusable).is_err(), "{unusable}");
        let alone = KeySet::from_jwks(&json!({"keys": [unusable]}));
        assert!(matches!(alone, Err(JoseError::BadKeySet(_))), "{unusable}");
        let keys = KeySet::from_jwks(&json!({"keys": [unusable, good.public_jwk()]})).unwrap();
        assert_eq!(keys.keys().len(), 1, "{unusable}");
        assert!(keys.verify(&jwt, ALL).is_ok());
    }
    let error = PublicKey::from_jwk(&json!({"kty": "RSA", "n": small, "e": "AQAB"})).unwrap_err();
    assert!(
        error.to_string().contains("2048 to 8192 bits, not 1024"),
        "{error}"
    );
}

#[test]
fn a_key_set_is_bounded_and_may_be_empty() {
    let key = key(EdDsa).public_jwk();
    let of = |count: usize| json!({"keys": vec![key.clone(); count]});
    assert!(KeySet::from_jwks(&of(0)).unwrap().keys().is_empty());
    assert_eq!(
        KeySet::from_jwks(&of(MAX_KEYS)).unwrap().keys().len(),
        MAX_KEYS
    );
    assert!(KeySet::from_jwks(&of(MAX_KEYS + 1)).is_err());
    for jwks in [json!({}), json!({"keys": {}}), json!([]), json!(null)] {
        assert!(matches!(
            KeySet::from_jwks(&jwks),
            Err(JoseError::BadKeySet(_))
        ));
    }
}

#[test]
fn leading_zeros_of_a_modulus_do_not_matter() {
    let rsa = key(Rs256);
    let mut jwk = rsa.public_jwk();
    let mut modulus = vec![0];
    modulus.extend(b64::decode(jwk["n"].as_str().unwrap()).unwrap());
    jwk["n"] = b64::encode(&modulus).into();
    assert_eq!(thumbprint(&jwk).unwrap(), rsa.kid());
    let keys = KeySet::from_jwks(&json!({"keys": [jwk]})).unwrap();
    assert!(
        keys.verify(&rsa.sign("JWT", &json!({})).unwrap(), ALL)
            .is_ok()
    );
}
