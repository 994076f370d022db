//! Wire text made readable: indented, decoded, explained.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::crypto::b64;
use crate::spec::time::Ts;
use crate::web::pages::{Decoded, Step, meaning_of_claim};

/// The tokens and claims in the response of a step.
pub(super) fn decoded(step: &Step, now: Ts) -> Vec<Decoded> {
    let body = step.response.as_ref().map_or("", |it| it.body.as_str());
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(body) else {
        return Vec::new();
    };
    let tokens: Vec<Decoded> = [("ID token", "id_token"), ("Access token", "access_token")]
        .into_iter()
        .filter_map(|(name, member)| jwt(name, members.get(member)?.as_str()?, now))
        .collect();
    if tokens.is_empty() && members.contains_key("sub") {
        return vec![Decoded {
            name: "Claims".to_owned(),
            explained: explained(&members, now),
            ..Decoded::default()
        }];
    }
    tokens
}

/// The parts of a JWT as it says them itself; whether they are true is the checks' business.
fn jwt(name: &str, text: &str, now: Ts) -> Option<Decoded> {
    let mut parts = text.split('.').map(|part| {
        let bytes = b64::decode(part)?;
        String::from_utf8(bytes).ok()
    });
    let (header, payload) = (parts.next()??, parts.next()??);
    let claims: Map<String, Value> = serde_json::from_str(&payload).ok()?;
    Some(Decoded {
        name: name.to_owned(),
        header_json: indent(&header),
        payload_json: indent(&payload),
        explained: explained(&claims, now),
    })
}

fn explained(claims: &Map<String, Value>, now: Ts) -> Vec<(String, String, String)> {
    ORDER
        .iter()
        .filter_map(|name| Some((*name, claims.get(*name)?)))
        .map(|(name, value)| {
            let meaning = meaning_of_claim(name).to_owned();
            (name.to_owned(), claim_value(name, value, now), meaning)
        })
        .collect()
}

fn claim_value(name: &str, value: &Value, now: Ts) -> String {
    match (name, value) {
        ("exp" | "iat" | "nbf" | "auth_time" | "updated_at", Value::Number(number)) => number
            .as_i64()
            .map_or_else(|| number.to_string(), |secs| instant(secs, now)),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => {
            let texts: Vec<String> = items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map_or_else(|| item.to_string(), str::to_owned)
                })
                .collect();
            texts.join(", ")
        }
        (_, other) => other.to_string(),
    }
}

/// A `NumericDate` for people.
pub(super) fn instant(secs: i64, now: Ts) -> String {
    let at = Ts::from_secs(secs);
    let written = at.rfc3339().replace('T', " ").replace('Z', " UTC");
    // Both in whole seconds, or five minutes would be shown as four.
    let now = Ts::from_secs(now.secs());
    let (ahead, behind) = (at.since(now).as_secs(), now.since(at).as_secs());
    if ahead > 0 {
        format!("{written} (in {})", span(ahead))
    } else if behind > 0 {
        format!("{written} ({} ago)", span(behind))
    } else {
        format!("{written} (now)")
    }
}

fn span(secs: u64) -> String {
    let (count, unit) = match secs {
        0..120 => (secs, "second"),
        120..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// JSON on several lines, with members, numbers and strings exactly as they came; other text as it stands.
pub(super) fn indent(json: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut escaped = false;
    let mut in_string = false;
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_string {
            in_string = escaped || letter != '"';
            escaped = letter == '\\' && !escaped;
            out.push(letter);
            continue;
        }
        match letter {
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(closing) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(closing);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                in_string = true;
                out.push(letter);
            }
            _ if letter.is_ascii_whitespace() => {}
            _ => out.push(letter),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// The claims that have a meaning, the most telling first.
const ORDER: [&str; 29] = [
    "active",
    "iss",
    "sub",
    "aud",
    "azp",
    "client_id",
    "scope",
    "token_type",
    "exp",
    "iat",
    "nbf",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "at_hash",
    "c_hash",
    "jti",
    "grant_id",
    "ver",
    "roles",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "email",
    "email_verified",
    "updated_at",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::web::pages::Reply;

    const NOW: Ts = Ts::from_secs(1_000_000);

    fn answered(body: &str) -> Vec<Decoded> {
        let response = Some(Reply {
            body: body.to_owned(),
            ..Reply::default()
        });
        let step = Step {
            response,
            ..Step::default()
        };
        decoded(&step, NOW)
    }

    #[test]
    fn tokens_in_a_response_are_decoded_and_explained() {
        let part = |value: Value| b64::encode(value.to_string().as_bytes());
        let jwt = format!(
            "{}.{}.c2ln",
            part(json!({"alg": "ES256"})),
            part(json!({"sub": "s", "exp": 1_000_300, "amr": ["pwd", "otp"], "unknown": 1}))
        );
        let body = json!({"access_token": "opaque", "id_token": jwt}).to_string();
        let found = answered(&body);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "ID token");
        assert_eq!(found[0].header_json, "{\n  \"alg\": \"ES256\"\n}");
        let shown: Vec<(&str, &str)> = found[0]
            .explained
            .iter()
            .map(|(name, value, meaning)| {
                assert!(!meaning.is_empty());
                (name.as_str(), value.as_str())
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("sub", "s"),
                ("exp", "1970-01-12 13:51:40 UTC (in 5 minutes)"),
                ("amr", "pwd, otp")
            ]
        );
    }

    #[test]
    fn plain_claims_are_explained_and_anything_else_is_left_alone() {
        assert_eq!(answered(r#"{"sub":"s"}"#)[0].name, "Claims");
        for body in ["", "[]", "{}", "<p>", r#"{"id_token":"a.b.c"}"#, "{\"sub\""] {
            assert!(answered(body).is_empty(), "{body}");
        }
    }

    #[test]
    fn every_listed_claim_has_a_meaning() {
        for name in ORDER {
            assert!(!meaning_of_claim(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn times_are_told_from_now() {
        assert_eq!(instant(1_000_000, NOW), "1970-01-12 13:46:40 UTC (now)");
        assert!(instant(1_000_001, NOW).ends_with("(in 1 second)"));
        assert!(instant(1_000_300, Ts(1_000_000_999_999)).ends_with("(in 5 minutes)"));
        assert!(instant(0, NOW).ends_with("(11 days ago)"));
        assert!(instant(i64::MAX, NOW).contains("(in "));
    }

    #[test]
    fn json_keeps_its_order_and_spelling() {
        assert_eq!(
            indent(r#"{"z":1.50,"a":[ ],"b":{"c":"x\"{,:"},"d":[1,2]}"#),
            "{\n  \"z\": 1.50,\n  \"a\": [],\n  \"b\": {\n    \"c\": \"x\\\"{,:\"\n  },\n  \"d\": [\n    1,\n    2\n  ]\n}"
        );
        assert_eq!(indent("<p>: {"), "<p>: {");
    }

    proptest! {
        #[test]
        fn indenting_changes_no_meaning(text in "\\PC{0,40}", number: i64) {
            let value = json!({"a": [text.clone(), {"b": number}, []], text: {}});
            let back: Value = serde_json::from_str(&indent(&value.to_string())).unwrap();
            prop_assert_eq!(back, value);
        }

        #[test]
        fn any_text_is_shown_without_a_panic(text in "\\PC{0,80}") {
            let _ = answered(&text);
            let _ = indent(&text);
        }
    }
}
