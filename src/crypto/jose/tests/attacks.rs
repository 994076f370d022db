//! Tokens that must not verify, named by attack.

use super::*;

#[test]
fn none_and_hmac_are_refused_whatever_is_allowed_rfc8725_3_1() {
    let rsa = key(Rs256);
    let keys = set(&[&rsa]);
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS1", "rs256",
    ] {
        let header = json!({"alg": alg, "kid": rsa.kid()});
        let signed = format!("{}.e30", b64::encode(header.to_string().as_bytes()));
        for signature in [String::new(), "AA".to_owned(), b64::encode(&[0; 32])] {
            let error = keys
                .verify(&format!("{signed}.{signature}"), ALL)
                .unwrap_err();
            assert_eq!(error, JoseError::AlgNotAllowed, "{alg}");
        }
    }
    for header in [json!({}), json!({"alg": null}), json!({"alg": ["RS256"]})] {
        let jwt = forge(&rsa, &header, "{}");
        assert_eq!(keys.verify(&jwt, ALL), Err(JoseError::AlgNotAllowed));
    }
}

#[test]
fn the_public_key_is_no_hmac_secret_rfc8725_2_1() {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let rsa = key(Rs256);
    let modulus = rsa.public_jwk()["n"].as_str().unwrap().to_owned();
    for alg in ["HS256", "RS256"] {
        let header = json!({"alg": alg, "kid": rsa.kid()});
        let signed = format!("{}.e30", b64::encode(header.to_string().as_bytes()));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(modulus.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let jwt = format!("{signed}.{}", b64::encode(&mac.finalize().into_bytes()));
        assert!(set(&[&rsa]).verify(&jwt, ALL).is_err(), "{alg}");
    }
}

#[test]
fn the_algorithm_belongs_to_the_key_and_must_be_allowed() {
    let (rsa, ec) = (key(Rs256), key(Es256));
    let keys = set(&[&rsa, &ec]);
    let jwt = ec.sign("JWT", &json!({})).unwrap();
    assert!(keys.verify(&jwt, &[Rs256, Es256]).is_ok());
    assert_eq!(keys.verify(&jwt, &[Rs256]), Err(JoseError::AlgNotAllowed));
    assert_eq!(keys.verify(&jwt, &[]), Err(JoseError::AlgNotAllowed));
    // Our RS256 key is not a PS256 key, although both are RSA.
    for alg in [Ps256, Es256, EdDsa] {
        let jwt = forge(&rsa, &json!({"alg": alg, "kid": rsa.kid()}), "{}");
        let error = keys.verify(&jwt, ALL).unwrap_err();
        assert!(
            matches!(error, JoseError::AlgMismatch | JoseError::BadSignature),
            "{alg}: {error}"
        );
    }
}

#[test]
fn an_all_zero_ecdsa_signature_is_refused_cve_2022_21449() {
    let ec = key(Es256);
    let signed = format!("{}.e30", b64::encode(header(&ec).to_string().as_bytes()));
    let genuine = ec.sign_bytes(signed.as_bytes()).unwrap();
    let (mut r_zero, mut s_zero) = (genuine.clone(), genuine.clone());
    r_zero[..32].fill(0);
    s_zero[32..].fill(0);
    // The group order n is zero too, modulo n.
    let order = b64::decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap();
    let of_order = [order.clone(), order].concat();
    for signature in [
        vec![0; 64],
        r_zero,
        s_zero,
        of_order,
        vec![],
        vec![0; 63],
        vec![0; 65],
        vec![0xff; 64],
    ] {
        let jwt = format!("{signed}.{}", b64::encode(&signature));
        assert_eq!(set(&[&ec]).verify(&jwt, ALL), Err(JoseError::BadSignature));
    }
}

#[test]
fn every_changed_letter_is_refused() {
    for alg in [Es256, EdDsa] {
        let key = key(alg);
        let jwt = key.sign("JWT", &json!({"sub": "alice"})).unwrap();
        let keys = set(&[&key]);
        for at in 0..jwt.len() {
            for letter in ["A", "Q", "_", "=", ".", "+", " ", "\n"] {
                if &jwt[at..=at] != letter {
                    let tampered = format!("{}{letter}{}", &jwt[..at], &jwt[at + 1..]);
                    assert!(keys.verify(&tampered, ALL).is_err(), "{tampered}");
                }
            }
        }
    }
}

#[test]
fn second_spellings_of_one_token_are_refused() {
    let key = key(EdDsa);
    let keys = set(&[&key]);
    let jwt = key.sign("JWT", &json!({"sub": "alice"})).unwrap();
    // 64 bytes end in a letter with four unused bits.
    let last = jwt.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let spelling = format!("{}{other}", &jwt[..jwt.len() - 1]);
        assert_eq!(
            keys.verify(&spelling, ALL).is_ok(),
            other == last,
            "{other}"
        );
    }
    for spelling in [
        format!("{jwt}="),
        format!("{jwt}=="),
        format!(" {jwt}"),
        format!("{jwt}\n"),
        format!("{jwt}."),
        format!(".{jwt}"),
        jwt.replacen('.', "..", 1),
    ] {
        assert!(keys.verify(&spelling, ALL).is_err(), "{spelling}");
    }
}

#[test]
fn what_is_not_a_compact_jws_of_objects_is_malformed() {
    let key = key(EdDsa);
    let keys = set(&[&key]);
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "{}",
        "e30.e30.",
        "é.é.é",
    ] {
        let error = keys.verify(text, ALL).unwrap_err();
        assert!(
            matches!(error, JoseError::Malformed(_) | JoseError::AlgNotAllowed),
            "{text}: {error}"
        );
    }
    for payload in [
        "",
        "null",
        "[]",
        "\"sub\"",
        "1",
        "{",
        "{\"a\":1,\"a\":2}",
        "{}x",
    ] {
        let jwt = forge(&key, &header(&key), payload);
        assert!(
            matches!(keys.verify(&jwt, ALL), Err(JoseError::Malformed(_))),
            "{payload}"
        );
    }
    let long = key
        .sign("JWT", &json!({"x": "y".repeat(MAX_JWT_BYTES)}))
        .unwrap();
    assert_eq!(keys.verify(&long, ALL), Err(JoseError::TooLong));
    assert_eq!(unverified_claims(&long), None);
}

#[test]
fn duplicate_header_members_are_refused_rfc7515_4() {
    let key = key(EdDsa);
    let header = format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{}"}}"#, key.kid());
    let signed = format!("{}.e30", b64::encode(header.as_bytes()));
    let signature = key.sign_bytes(signed.as_bytes()).unwrap();
    let jwt = format!("{signed}.{}", b64::encode(&signature));
    assert!(matches!(
        set(&[&key]).verify(&jwt, ALL),
        Err(JoseError::Malformed(_))
    ));
}

#[test]
fn any_critical_header_is_refused_rfc7515_4_1_11() {
    let key = key(EdDsa);
    for crit in [
        json!(["b64"]),
        json!(["exp"]),
        json!([]),
        json!(null),
        json!("b64"),
    ] {
        let mut header = header(&key);
        header["crit"] = crit;
        header["b64"] = false.into();
        let jwt = forge(&key, &header, "{}");
        assert_eq!(
            set(&[&key]).verify(&jwt, ALL),
            Err(JoseError::CriticalHeader)
        );
    }
}

#[test]
fn keys_inside_a_token_are_never_used_rfc8725_3_10() {
    let (ours, theirs) = (key(Es256), key(Es256));
    let keys = set(&[&ours]);
    for (name, value) in [
        ("jwk", theirs.public_jwk()),
        ("jku", json!("https://attacker.test/jwks")),
        ("x5u", json!("https://attacker.test/cert")),
        ("x5c", json!(["AAAA"])),
    ] {
        let mut header = header(&ours);
        header[name] = value.clone();
        let jwt = forge(&theirs, &header, "{}");
        assert_eq!(
            keys.verify(&jwt, ALL),
            Err(JoseError::BadSignature),
            "{name}"
        );
        header.as_object_mut().unwrap().remove("kid");
        let jwt = forge(&theirs, &header, "{}");
        assert_eq!(keys.verify(&jwt, ALL), Err(JoseError::UnknownKid), "{name}");
        // They do no harm in a genuine token.
        let jwt = forge(&ours, &header, "{}");
        assert!(keys.verify(&jwt, ALL).is_ok(), "{name}");
    }
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let (ours, theirs) = (key(Es256), key(Es256));
    let keys = set(&[&ours]);
    for kid in [
        theirs.kid(),
        "",
        "../../../../dev/null",
        "' OR '1'='1",
        "kid\0",
        "https://attacker.test/",
    ] {
        let jwt = forge(&theirs, &json!({"alg": "ES256", "kid": kid}), "{}");
        assert_eq!(keys.verify(&jwt, ALL), Err(JoseError::UnknownKid), "{kid}");
        // Not even our own key verifies under a name it does not have.
        let jwt = forge(&ours, &json!({"alg": "ES256", "kid": kid}), "{}");
        assert_eq!(keys.verify(&jwt, ALL), Err(JoseError::UnknownKid), "{kid}");
    }
    for kid in [json!(null), json!(1), json!([ours.kid()]), json!({})] {
        let jwt = forge(&ours, &json!({"alg": "ES256", "kid": kid}), "{}");
        assert!(matches!(
            keys.verify(&jwt, ALL),
            Err(JoseError::Malformed(_))
        ));
    }
    let jwt = forge(&theirs, &header(&ours), "{}");
    assert_eq!(keys.verify(&jwt, ALL), Err(JoseError::BadSignature));
}

#[test]
fn without_a_kid_the_keys_of_the_algorithm_are_tried_up_to_a_bound() {
    let signers: Vec<SigningKey> = (0..9).map(|_| key(Es256)).collect();
    let keys = KeySet::from_signing_keys(&signers);
    for (at, signer) in signers.iter().enumerate() {
        let jwt = forge(signer, &json!({"alg": "ES256"}), "{}");
        assert_eq!(keys.verify(&jwt, ALL).is_ok(), at < 8, "{at}");
    }
    assert_eq!(
        keys.verify(&forge(&key(EdDsa), &json!({"alg": "EdDSA"}), "{}"), ALL),
        Err(JoseError::UnknownKid)
    );
}
