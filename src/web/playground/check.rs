//! What an application must check before it believes an answer.

use serde_json::{Map, Value};

use super::shown::instant;
use crate::crypto::digest::same;
use crate::crypto::jose::{KeySet, at_hash};
use crate::spec::alg::SigningAlg;
use crate::spec::params::Params;
use crate::spec::time::Ts;
use crate::web::pages::Check;

/// What the application knows before it looks at an ID token.
pub(super) struct Expected<'a> {
    /// The provider it asked.
    pub(super) issuer: &'a str,
    /// Who it is.
    pub(super) client_id: &'a str,
    /// The `nonce` it sent; an ID token from a refresh need not repeat it.
    pub(super) nonce: Option<&'a str>,
    /// Who was signed in before.
    pub(super) subject: Option<&'a str>,
    /// The access token that came along.
    pub(super) access_token: &'a str,
    /// The present.
    pub(super) now: Ts,
}

/// Checks the authorization response: `state` (RFC 6749 §10.12) and `iss` (RFC 9207 §2.4).
pub(super) fn authorization_response(
    query: &Params,
    state: Option<&str>,
    issuer: &str,
) -> Vec<Check> {
    vec![
        returned_state(query, state),
        equal(
            "iss",
            query.find("iss"),
            issuer,
            "The answer comes from the provider that was asked.",
        ),
    ]
}

/// Checks that the browser comes back from where this application sent it.
pub(super) fn returned_state(query: &Params, state: Option<&str>) -> Check {
    let (passed, detail) = match (query.find("state"), state) {
        _ if query.count("state") > 1 => (false, "It came more than once."),
        (Some(came), Some(sent)) if same(came.as_bytes(), sent.as_bytes()) => (
            true,
            "It is the value that this application gave this browser.",
        ),
        (Some(_), Some(_)) => (
            false,
            "It is not the value that this application gave this browser.",
        ),
        (None, _) => (false, "It is missing."),
        (Some(_), None) => (
            false,
            "This browser waits for no answer: none was asked for, or it is too late, or it was used.",
        ),
    };
    check("state", passed, detail)
}

/// Checks an ID token (OpenID Connect Core §3.1.3.7, and §12.2 for one that came with a refresh). The subject comes
/// back only if everything is as it must be.
pub(super) fn id_token(
    jwt: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
) -> (Vec<Check>, Option<String>) {
    let verified = match keys.verify(jwt, &SigningAlg::ALL) {
        Ok(verified) => verified,
        // Nothing that it says may be looked at.
        Err(error) => return (vec![check("signature", false, format!("{error}."))], None),
    };
    let header = |name| verified.header.get(name).and_then(Value::as_str);
    let claims = &verified.claims;
    let claim = |name| claims.get(name).and_then(Value::as_str);
    let alg = header("alg").unwrap_or_default();
    let key = header("kid").map_or_else(String::new, |kid| format!(", {kid}"));
    let mut checks = vec![
        check(
            "signature",
            true,
            format!("{alg}; it verifies with a key from /jwks{key}."),
        ),
        equal(
            "iss",
            claim("iss"),
            expected.issuer,
            "It was issued by the provider that was asked.",
        ),
        audience(claims, expected.client_id),
        expiry(claims, expected.now),
    ];
    if let Some(nonce) = expected.nonce {
        let meaning = "It belongs to this very sign-in.";
        checks.push(equal("nonce", claim("nonce"), nonce, meaning));
    }
    if let Some(subject) = expected.subject {
        let meaning = "It is about the same person as before.";
        checks.push(equal("sub", claim("sub"), subject, meaning));
    }
    if let Ok(alg) = alg.parse() {
        let hash = at_hash(alg, expected.access_token);
        let meaning = "It was made together with this access token.";
        checks.push(equal("at_hash", claim("at_hash"), &hash, meaning));
    }
    let subject = claim("sub")
        .filter(|_| all_passed(&checks))
        .map(str::to_owned);
    (checks, subject)
}

/// Checks that `/userinfo` speaks of the person in the ID token (OpenID Connect Core §5.3.2).
pub(super) fn user_info(claims: &Map<String, Value>, subject: &str) -> Check {
    let meaning = "It is about the person in the ID token.";
    let came = claims.get("sub").and_then(Value::as_str);
    equal("sub", came, subject, meaning)
}

/// Whether nothing failed.
pub(super) fn all_passed(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.passed)
}

fn audience(claims: &Map<String, Value>, client_id: &str) -> Check {
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(many)) => many.iter().any(|one| one == client_id),
        Some(_) | None => false,
    };
    let azp = claims.get("azp").and_then(Value::as_str);
    if !named {
        check(
            "aud",
            false,
            "It was issued to somebody else, or it does not say to whom.",
        )
    } else if azp.is_some_and(|azp| azp != client_id) {
        check("azp", false, "It was asked for by another application.")
    } else {
        check("aud", true, "It was issued to this application.")
    }
}

fn expiry(claims: &Map<String, Value>, now: Ts) -> Check {
    match claims.get("exp").and_then(Value::as_i64) {
        Some(exp) => check(
            "exp",
            now < Ts::from_secs(exp),
            format!("{}.", instant(exp, now)),
        ),
        None => check("exp", false, "It is missing."),
    }
}

fn equal(name: &str, came: Option<&str>, wanted: &str, meaning: &str) -> Check {
    match came {
        Some(came) if same(came.as_bytes(), wanted.as_bytes()) => check(name, true, meaning),
        Some(came) => check(
            name,
            false,
            format!(
                "It is “{}” where “{wanted}” was expected.",
                super::diary::clip(came, 100)
            ),
        ),
        None => check(name, false, "It is missing."),
    }
}

fn check(name: &str, passed: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        passed,
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::jose::SigningKey;

    const ISSUER: &str = "http://localhost:8080";

    fn expected<'a>() -> Expected<'a> {
        Expected {
            issuer: ISSUER,
            client_id: "playground",
            nonce: Some("n"),
            subject: None,
            access_token: "at",
            now: Ts::from_secs(100),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "sub": "s", "aud": "playground", "exp": 101, "nonce": "n",
            "at_hash": at_hash(SigningAlg::Es256, "at"),
        })
    }

    fn failed(claims: &Value, expected: &Expected<'_>) -> Vec<String> {
        let key = SigningKey::generate(SigningAlg::Es256).unwrap();
        let jwt = key.sign("JWT", claims).unwrap();
        let (checks, subject) = id_token(&jwt, &KeySet::from_signing_keys([&key]), expected);
        assert_eq!(subject.is_some(), all_passed(&checks));
        let failed = checks.into_iter().filter(|check| !check.passed);
        failed.map(|check| check.name).collect()
    }

    #[test]
    fn an_id_token_as_it_must_be_passes_openid_core_3_1_3_7() {
        assert!(failed(&claims(), &expected()).is_empty());
        let mut many = claims();
        many["aud"] = json!(["playground", "other"]);
        many["azp"] = json!("playground");
        assert!(failed(&many, &expected()).is_empty());
    }

    #[test]
    fn every_claim_that_is_wrong_or_missing_is_named() {
        for (name, wrong) in [
            ("iss", json!("http://localhost:8081")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("exp", json!(100)),
            ("exp", json!("101")),
            ("nonce", json!("m")),
            ("at_hash", json!(at_hash(SigningAlg::Es256, "other"))),
        ] {
            let mut changed = claims();
            changed[name] = wrong;
            assert_eq!(failed(&changed, &expected()), [name]);
            changed.as_object_mut().unwrap().remove(name);
            assert_eq!(failed(&changed, &expected()), [name]);
        }
        let mut azp = claims();
        azp["azp"] = json!("other");
        assert_eq!(failed(&azp, &expected()), ["azp"]);
        let other = Expected {
            subject: Some("t"),
            nonce: None,
            ..expected()
        };
        assert_eq!(failed(&claims(), &other), ["sub"]);
    }

    #[test]
    fn a_token_of_another_key_is_not_read_any_further() {
        let key = SigningKey::generate(SigningAlg::Es256).unwrap();
        let other = SigningKey::generate(SigningAlg::Es256).unwrap();
        let jwt = key.sign("JWT", &claims()).unwrap();
        for jwt in [jwt.as_str(), "", "a.b.c"] {
            let keys = KeySet::from_signing_keys([&other]);
            let (checks, subject) = id_token(jwt, &keys, &expected());
            assert_eq!(checks.len(), 1);
            assert_eq!(checks[0].name, "signature");
            assert!(!checks[0].passed && subject.is_none());
        }
    }

    #[test]
    fn an_answer_of_another_request_or_provider_is_noticed_rfc9207_2_4() {
        let checked = |query: &str, state| {
            let query = Params::parse(query.as_bytes()).unwrap();
            let checks = authorization_response(&query, state, ISSUER);
            let failed = checks.into_iter().filter(|check| !check.passed);
            failed.map(|check| check.name).collect::<Vec<_>>()
        };
        let good = "state=s&iss=http://localhost:8080";
        assert!(checked(good, Some("s")).is_empty());
        assert_eq!(checked(good, Some("t")), ["state"]);
        assert_eq!(checked(good, None), ["state"]);
        assert_eq!(checked("iss=http://localhost:8080", None), ["state"]);
        assert_eq!(checked("state=s&iss=http://evil", Some("s")), ["iss"]);
        assert_eq!(checked("state=s", Some("s")), ["iss"]);
        assert_eq!(checked("state=s&state=s", Some("s")), ["state", "iss"]);
    }
}
