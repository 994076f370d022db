//! The tables of configuration keys and client settings, made from the code that reads them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::config::KEYS;
use crate::spec::client_metadata::ClientMetadata;

const BEGIN: &str = "<!-- generated: make manual -->\n\n";
const END: &str = "\n<!-- end -->";

#[test]
fn the_configuration_lists_every_key() {
    let table = configuration();
    assert_eq!(table.lines().count(), KEYS.len() + 2);
    assert!(
        table.contains("| `redis_url` |  | URL | `SIGNET_REDIS_URL`, `SIGNET_REDIS_URL_FILE` |"),
        "{table}"
    );
    is_current("configuration", &table);
}

#[test]
fn the_client_settings_list_every_member() {
    let table = client_settings();
    for row in [
        "| `redirect_uris` | list of strings |",
        "| `require_pkce` | boolean |",
        "| `default_max_age` | integer |",
        "| `application_type` | `web`, `native` |",
        "`private_key_jwt`",
    ] {
        assert!(table.contains(row), "{row} in {table}");
    }
    assert!(
        !table.contains("|  |") && !table.contains("| any |"),
        "{table}"
    );
    is_current("client-settings", &table);
}

/// Compares the table in a page with what it should be, or writes it there.
fn is_current(page: &str, table: &str) {
    let path = format!("{}/templates/manual/{page}.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END.trim_start()).unwrap();
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else {
        assert!(
            text == expected,
            "the table in {path} is not what the code says; write it anew with: make manual"
        );
    }
}

fn configuration() -> String {
    let mut table =
        "| key | default | unit | environment | what |\n|---|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let default = match key.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let variable = key.variable();
        let file = if key.secret {
            format!(", `{variable}_FILE`")
        } else {
            String::new()
        };
        writeln!(
            table,
            "| `{}` | {default} | {} | `{variable}`{file} | {} |",
            key.name, key.unit, key.doc
        )
        .unwrap();
    }
    table
}

fn client_settings() -> String {
    let schema = schemars::schema_for!(ClientMetadata);
    let schema = schema.as_value();
    let mut table = "| setting | value | what |\n|---|---|---|\n".to_owned();
    for (name, member) in schema["properties"].as_object().unwrap() {
        let what = member["description"].as_str().unwrap().replace('\n', " ");
        writeln!(table, "| `{name}` | {} | {what} |", value(schema, member)).unwrap();
    }
    table
}

/// What a member may be, in words.
fn value(root: &Value, schema: &Value) -> String {
    if let Some(pointer) = schema["$ref"].as_str() {
        return value(root, root.pointer(&pointer[1..]).unwrap());
    }
    let listed = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(listed) = listed {
        let one = |schema: &Value| value(root, schema);
        let values = listed.iter().filter(|schema| schema["type"] != "null");
        return values.map(one).collect::<Vec<_>>().join(", ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(Value::as_str);
        return values
            .map(|it| format!("`{it}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    match schema["type"].as_str().or(schema["type"][0].as_str()) {
        Some("array") => match value(root, &schema["items"]).as_str() {
            "string" => "list of strings".to_owned(),
            items => format!("list of {items}"),
        },
        Some("object") | None => "table".to_owned(),
        Some(kind) => kind.to_owned(),
    }
}
