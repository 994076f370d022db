//! Calls to copy into a shell.

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
        let body = value(document, &content["schema"], "", 0).to_string();
        lines.push(format!("--data '{}'", body.replace('\'', "'\\''")));
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

/// Deeper than this no schema goes.
const DEPTH: u8 = 6;

/// A value that fits a schema.
fn value<'a>(document: Document<'a>, schema: &'a Value, name: &str, depth: u8) -> Value {
    if depth > DEPTH {
        return Value::Null;
    }
    let schema = document.resolve(schema);
    for known in [
        &schema["examples"][0],
        &schema["example"],
        &schema["const"],
        &schema["enum"][0],
    ] {
        if !known.is_null() {
            return known.clone();
        }
    }
    let listed = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(first) = listed.and_then(|listed| listed.first()) {
        return value(document, first, name, depth + 1);
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match kind {
        Some("object") => object(document, schema, depth),
        Some("array") => json!([value(document, &schema["items"], name, depth + 1)]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(schema["minimum"].as_u64().unwrap_or_default().max(1)),
        _ => match schema["format"].as_str() {
            Some("date-time") => json!("2030-01-01T00:00:00Z"),
            Some(_) | None => json!(format!("<{name}>")),
        },
    }
}

/// The members that must be there, or else the first, so that something is said.
fn object<'a>(document: Document<'a>, schema: &'a Value, depth: u8) -> Value {
    let required =
        members(&schema["properties"]).filter(|(name, _)| contains(&schema["required"], name));
    let mut chosen: Vec<_> = required.collect();
    if chosen.is_empty() {
        chosen.extend(members(&schema["properties"]).next());
    }
    let object: Map<String, Value> = chosen
        .into_iter()
        .map(|(name, member)| (name.clone(), value(document, member, name, depth + 1)))
        .collect();
    Value::Object(object)
}
