//! Headers that guard a request: the version that the caller saw, and the key under which it may be repeated.

use axum::http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderName, Method};

use super::problem::Problem;
use crate::service::administration::RequestKey;

/// The header of requests that may be repeated.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(name).iter();
    let unreadable = || Problem::invalid(name.as_str(), "expected one value of visible ASCII");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|value| Some(value.to_owned()))
            .map_err(|_| unreadable()),
        (Some(_), Some(_)) => Err(unreadable()),
    }
}

/// The entity tags of which one must be current; `*` stands for whatever is there.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<String>>, Problem> {
    let Some(given) = text(headers, &IF_MATCH)? else {
        return Ok(None);
    };
    if given == "*" {
        return Ok(Some(vec![given]));
    }
    let tags = entity_tags(&given).ok_or_else(|| {
        let problem = Problem::invalid("If-Match", "expected an entity tag in its quotes, or *");
        problem.hint("send the ETag of what you read, as it was answered")
    })?;
    Ok(Some(tags))
}

/// Whether the caller has what is current (`If-None-Match`, RFC 9110 §13.1.2). What cannot be read says nothing.
pub(super) fn is_among(current: Option<&str>, headers: &HeaderMap) -> bool {
    let (Some(current), Ok(Some(given))) = (current, text(headers, &IF_NONE_MATCH)) else {
        return false;
    };
    // Weakly compared (§8.8.3.2): a proxy that packs an answer makes its tag weak.
    let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
    let tags = entity_tags(&given).unwrap_or_default();
    given == "*" || tags.iter().any(|tag| opaque(tag) == opaque(current))
}

/// One entity tag or more (RFC 9110 §8.8.3), which may have commas in their quotes.
fn entity_tags(mut rest: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start();
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (opaque, after) = opaque.split_once('"')?;
        if !opaque.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (tag, _) = rest.split_at_checked(rest.len() - after.len())?;
        tags.push(tag.to_owned());
        let after = after.trim_start();
        if after.is_empty() {
            return Some(tags);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// Longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// The key of a request that may be repeated, with what else is in that request.
pub(super) fn request_key(
    method: &Method,
    uri: &axum::http::Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<RequestKey>, Problem> {
    let Some(given) = text(headers, &IDEMPOTENCY_KEY)? else {
        return Ok(None);
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    // The draft writes it as a structured string, most clients as it is.
    let key = given
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&given);
    let visible = given.bytes().all(|byte| byte.is_ascii_graphic());
    if !(1..=MAX_KEY).contains(&key.len()) || !visible {
        let detail = "expected 1 to 255 bytes of visible ASCII without spaces";
        let problem = Problem::invalid("Idempotency-Key", detail);
        return Err(problem.hint("a random UUID is a good one"));
    }
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let if_match = text(headers, &IF_MATCH)?.unwrap_or_default();
    let parts = [
        method.as_str().as_bytes(),
        target.as_bytes(),
        if_match.as_bytes(),
        body,
    ];
    Ok(Some(RequestKey::new(key, &parts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_has_is_compared_weakly_rfc9110_13_1_2() {
        let has = |given: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, given.parse().unwrap())]);
            is_among(Some(r#""a""#), &headers)
        };
        for current in [r#""a""#, r#"W/"a""#, r#""b", W/"a""#, "*"] {
            assert!(has(current), "{current}");
        }
        for other in [r#""b""#, "a", "", r#""a"#, r#""b,"a""#] {
            assert!(!has(other), "{other}");
        }
        assert!(!is_among(None, &HeaderMap::new()));
    }

    #[test]
    fn entity_tags_are_read_with_their_quotes_rfc9110_8_8_3() {
        let read = |text| entity_tags(text);
        let tags = |tags: &[&str]| Some(tags.iter().map(|&tag| tag.to_owned()).collect());
        assert_eq!(read(r#""a""#), tags(&[r#""a""#]));
        assert_eq!(
            read(r#""a,b" ,  W/"c", """#),
            tags(&[r#""a,b""#, r#"W/"c""#, r#""""#])
        );
        for malformed in [
            "",
            "a",
            "0",
            r#"""#,
            r#""a"#,
            r#""a","#,
            r#""a" "b""#,
            r#""a b""#,
            r#"w/"a""#,
            "*, *",
        ] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
    }
}
