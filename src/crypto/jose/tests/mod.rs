mod attacks;
mod keys;

use serde_json::json;

use super::*;
use SigningAlg::{EdDsa, Es256, Ps256, Rs256};

const ALL: &[SigningAlg] = &SigningAlg::ALL;

fn key(alg: SigningAlg) -> SigningKey {
    SigningKey::generate(alg).unwrap()
}

fn set(keys: &[&SigningKey]) -> KeySet {
    KeySet::from_signing_keys(keys.iter().copied())
}

/// A token signed like ours, with a header of the test's choosing.
fn forge(key: &SigningKey, header: &Value, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        b64::encode(header.to_string().as_bytes()),
        b64::encode(payload.as_bytes())
    );
    let signature = key.sign_bytes(signed.as_bytes()).unwrap();
    format!("{signed}.{}", b64::encode(&signature))
}

fn header(key: &SigningKey) -> Value {
    json!({"alg": key.alg(), "kid": key.kid()})
}

#[test]
fn every_algorithm_signs_and_verifies_and_survives_storage() {
    for alg in SigningAlg::ALL {
        let key = key(alg);
        let claims = json!({"iss": "https://issuer.test", "n": 1});
        let jwt = key.sign("at+jwt", &claims).unwrap();
        let verified = set(&[&key]).verify(&jwt, &[alg]).unwrap();
        assert_eq!(Value::Object(verified.claims.clone()), claims);
        assert_eq!(
            Value::Object(verified.header.clone()),
            json!({"typ": "at+jwt", "alg": alg.as_str(), "kid": key.kid()})
        );
        assert_eq!(verified.typ(), Some("at+jwt"));
        assert!(verified.is_typ("AT+jwt") && !verified.is_typ("jwt"));

        let restored = SigningKey::from_pkcs8_der(alg, &key.to_pkcs8_der()).unwrap();
        assert_eq!(restored.kid(), key.kid());
        assert_eq!(restored.public_jwk(), key.public_jwk());
        assert_eq!(restored.to_pkcs8_der(), key.to_pkcs8_der());
        let again = restored.sign("JWT", &claims).unwrap();
        assert!(set(&[&key]).verify(&again, &[alg]).is_ok());

        let jwks = json!({"keys": [key.public_jwk()]});
        assert!(KeySet::from_jwks(&jwks).unwrap().verify(&jwt, ALL).is_ok());
        assert_eq!(thumbprint(&key.public_jwk()).unwrap(), key.kid());
    }
}

#[test]
fn the_es256_example_verifies_rfc7515_a_3() {
    let jwks = json!({"keys": [{
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
    }]});
    let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = KeySet::from_jwks(&jwks).unwrap();
    let verified = keys.verify(jwt, &[Es256]).unwrap();
    assert_eq!(verified.claims["iss"], "joe");
    assert_eq!(verified.typ(), None);
    let shown = format!("{keys:?}");
    assert!(!shown.contains("jpsQ"), "the private member is gone");
}

#[test]
fn typ_is_compared_as_a_media_type_rfc7515_4_1_9() {
    let verified = |typ: Value| Verified {
        header: json!({"typ": typ}).as_object().unwrap().clone(),
        claims: Map::new(),
    };
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        assert!(verified(typ.into()).is_typ("at+jwt"), "{typ}");
    }
    for typ in [
        json!("JWT"),
        json!("application/"),
        json!("text/at+jwt"),
        json!(""),
        json!(1),
        json!("applicatioé/at+jwt"),
    ] {
        assert!(!verified(typ.clone()).is_typ("at+jwt"), "{typ}");
    }
}

#[test]
fn at_hash_is_the_left_half_oidc_core_3_1_3_6() {
    // The example of OpenID Connect Core, appendix A.3.
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    for alg in [Rs256, Es256, Ps256] {
        assert_eq!(at_hash(alg, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
    assert_eq!(b64::decode(&at_hash(EdDsa, token)).unwrap().len(), 32);
}

#[test]
fn unverified_claims_reads_claims_and_nothing_else() {
    let jwt = key(EdDsa).sign("JWT", &json!({"iss": "client"})).unwrap();
    assert_eq!(unverified_claims(&jwt).unwrap()["iss"], "client");
    for text in ["", "a.b", "a.b.c", &format!("{jwt}.x"), "e30.W10.x"] {
        assert_eq!(unverified_claims(text), None, "{text}");
    }
}

#[test]
fn keys_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<SigningKey>();
    shared::<KeySet>();
    let key = key(Es256);
    let keys = set(&[&key]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let jwt = key.sign("JWT", &json!({"a": 1})).unwrap();
                    keys.verify(&jwt, &[Es256]).unwrap();
                }
            });
        }
    });
}

/// `cargo test --release --lib -- --ignored --nocapture microseconds`
#[test]
#[ignore = "a measurement, not a check"]
fn microseconds_per_operation() {
    fn time(mut operation: impl FnMut()) -> f64 {
        const ROUNDS: u32 = 2000;
        (0..5)
            .map(|_| {
                let start = std::time::Instant::now();
                (0..ROUNDS).for_each(|_| operation());
                start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
            })
            .fold(f64::INFINITY, f64::min)
    }
    let claims = json!({
        "iss": "https://issuer.example.test", "sub": "5c1c1e0a-94a7-4a08-a4ac-4e8a70a6a6c6",
        "aud": "https://api.example.test", "client_id": "web", "scope": "openid profile email",
        "iat": 1_700_000_000, "exp": 1_700_000_300, "jti": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_w"
    });
    for alg in SigningAlg::ALL {
        let key = key(alg);
        let keys = set(&[&key]);
        let jwt = key.sign("at+jwt", &claims).unwrap();
        let sign = time(|| drop(key.sign("at+jwt", &claims).unwrap()));
        let verify = time(|| drop(keys.verify(&jwt, &[alg]).unwrap()));
        eprintln!("{alg}: sign {sign:.1} µs, verify {verify:.1} µs");
    }
}
