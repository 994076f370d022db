//! Calls to copy into a shell, and the answers to them.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::read::{Document, contains, members};
use crate::spec::scope::Scope;

/// How to get a token.
pub(super) fn token(server: &str) -> String {
    format!(
        "TOKEN=$(curl --silent --user \"$CLIENT_ID:$CLIENT_SECRET\" \\\n  \
         --data 'grant_type=client_credentials&scope={}' \\\n  {server}/token | jq -r .access_token)",
        Scope::ADMIN
    )
}

/// How to call an operation. The parameters of its path are variables of the shell, as the token is.
pub(super) fn call<'a>(
    document: Document<'a>,
    method: &str,
    path: &str,
    operation: &'a Value,
) -> String {
    let path = path.replace('{', "${");
    let mut lines = vec![match method {
        "GET" => "curl".to_owned(),
        method => format!("curl --request {method}"),
    }];
    lines.push("--header \"Authorization: Bearer $TOKEN\"".to_owned());
    if let Some((media_type, content)) = members(&operation["requestBody"]["content"]).next() {
        lines.push(format!("--header 'Content-Type: {media_type}'"));
        let body = sample(document, operation).body(&content["schema"]);
        lines.push(format!(
            "--data '{}'",
            written(&body).replace('\'', "'\\''")
        ));
    }
    let wanted = operation["parameters"].as_array().into_iter().flatten();
    let wanted = wanted.filter(|it| it["in"] == "query" && it["required"] == true);
    let query: Vec<String> = wanted
        .filter_map(|it| it["name"].as_str())
        .map(|name| format!("{name}=${{{name}}}"))
        .collect();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    lines.push(format!("\"{}{path}{query}\"", document.server()));
    lines.join(" \\\n  ")
}

/// What is answered to an operation: the status line, and the body if there is one.
pub(super) fn answer<'a>(
    document: Document<'a>,
    status: &str,
    answer: &'a Value,
    operation: &'a Value,
) -> String {
    let schema = &answer["content"]["application/json"]["schema"];
    let status = format!("HTTP/1.1 {status}");
    if schema.is_null() {
        return status;
    }
    let body = sample(document, operation).value(schema, "", 0);
    format!("{status}\n\n{}", written(&body))
}

/// JSON on one line if it is short.
fn written(body: &Value) -> String {
    let line = body.to_string();
    if line.len() <= 60 {
        line
    } else {
        format!("{body:#}")
    }
}

fn sample<'a>(document: Document<'a>, operation: &'a Value) -> Sample<'a> {
    Sample {
        document,
        tag: operation["tags"][0].as_str().unwrap_or_default(),
    }
}

/// Makes values that fit schemas: the schema's own example, or one of [`VALUES`], or whatever has the right type.
#[derive(Clone, Copy)]
struct Sample<'a> {
    document: Document<'a>,
    /// The group of the operation.
    tag: &'a str,
}

/// Deeper than this no schema goes.
const DEPTH: u8 = 6;

impl<'a> Sample<'a> {
    /// A body: the members that must be there, or else one that is worth changing.
    fn body(self, schema: &'a Value) -> Value {
        let schema = self.document.resolve(schema);
        let must = |(name, _): &(&String, &Value)| contains(&schema["required"], name);
        let mut chosen: Vec<_> = members(&schema["properties"]).filter(must).collect();
        if chosen.is_empty() {
            let mut properties = members(&schema["properties"]);
            let first = properties.next();
            let known = members(&schema["properties"]).find(|(name, _)| self.known(name).is_some());
            chosen.extend(known.or(first));
        }
        self.object(chosen, 0)
    }

    fn value(self, schema: &'a Value, name: &str, depth: u8) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        let reference = schema["$ref"].as_str().unwrap_or_default();
        let whole = &VALUES[reference.rsplit('/').next().unwrap_or_default()];
        if !reference.is_empty() && !whole.is_null() {
            return whole.clone();
        }
        let schema = self.document.resolve(schema);
        let own = [
            &schema["examples"][0],
            &schema["example"],
            &schema["const"],
            &schema["enum"][0],
        ];
        if let Some(own) = own.into_iter().find(|it| !it.is_null()) {
            return own.clone();
        }
        if let Some(known) = self.known(name) {
            return known.clone();
        }
        let listed = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
        if let Some(first) = listed.and_then(|listed| listed.first()) {
            return self.value(first, name, depth + 1);
        }
        match schema["type"].as_str().or(schema["type"][0].as_str()) {
            Some("object") => {
                let shown = members(&schema["properties"]).filter(|(name, _)| {
                    contains(&schema["required"], name) || self.known(name).is_some()
                });
                self.object(shown.collect(), depth)
            }
            Some("array") => json!([self.value(&schema["items"], "", depth + 1)]),
            Some("boolean") => json!(true),
            Some("integer" | "number") => {
                json!(schema["minimum"].as_u64().unwrap_or_default().max(1))
            }
            _ => match schema["format"].as_str() {
                Some("date-time") => json!("2030-01-01T00:00:00Z"),
                Some("uuid") => json!("01a21937-1c2a-7b9b-8ad9-408b1218e8a3"),
                Some(_) | None => date_or_placeholder(name),
            },
        }
    }

    fn object(self, chosen: Vec<(&'a String, &'a Value)>, depth: u8) -> Value {
        let object: Map<String, Value> = chosen
            .into_iter()
            .map(|(name, member)| (name.clone(), self.value(member, name, depth + 1)))
            .collect();
        Value::Object(object)
    }

    /// The value that a member of that name usually has.
    fn known(self, name: &str) -> Option<&'static Value> {
        [self.tag, ""]
            .into_iter()
            .find_map(|group| VALUES.get(group)?.get(name))
    }
}

/// Times are texts whose names end alike.
fn date_or_placeholder(name: &str) -> Value {
    if name.ends_with("_at") || matches!(name, "until" | "auth_time") {
        json!("2026-01-01T09:30:00Z")
    } else {
        json!(format!("<{name}>"))
    }
}

/// Values by the group of the operation and the member's name; the group "" is for all of them. A schema's name stands
/// for a whole value.
static VALUES: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../templates/reference/examples.json"))
        .unwrap_or_default()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_json() {
        assert_eq!(VALUES["users"]["name"], "Alice Example");
    }
}
