//! Schemas and descriptions in words.

use serde_json::Value;

use crate::web::pages::{Piece, Prose};

/// A value's text; empty if it has none.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A description cut at its empty lines.
pub(super) fn paragraphs(description: &Value) -> Vec<Prose> {
    let description = description.as_str().unwrap_or_default();
    let parts = description.split("\n\n").filter(|it| !it.trim().is_empty());
    parts.map(pieces).collect()
}

/// A description of one paragraph.
pub(super) fn prose(description: &Value) -> Prose {
    pieces(description.as_str().unwrap_or_default())
}

/// Text with `` `code` `` and `[links](https://…)`, the two that descriptions use of Markdown.
fn pieces(mut rest: &str) -> Prose {
    let mut pieces = Vec::new();
    while let Some(at) = rest.find(['`', '[']) {
        let (before, marked) = rest.split_at(at);
        let found = code_at(marked).or_else(|| link_at(marked));
        let (piece, after) = found.unwrap_or_else(|| {
            // A bracket that is only a bracket.
            let end = marked.chars().next().map_or(0, char::len_utf8);
            let (bracket, after) = marked.split_at(end);
            (plain(bracket), after)
        });
        pieces.push(plain(before));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(plain(rest));
    pieces.retain(|piece| *piece != plain(""));
    pieces
}

fn code_at(marked: &str) -> Option<(Piece, &str)> {
    let (word, after) = marked.strip_prefix('`')?.split_once('`')?;
    Some((Piece::Code(word.to_owned()), after))
}

fn link_at(marked: &str) -> Option<(Piece, &str)> {
    let (words, rest) = marked.strip_prefix('[')?.split_once("](")?;
    let (href, after) = rest.split_once(')')?;
    let fits = href.starts_with("https://") && !words.contains(['[', ']']);
    let link = Piece::Link {
        href: href.to_owned(),
        text: words.to_owned(),
    };
    fits.then_some((link, after))
}

fn plain(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

/// What kind of value a schema describes, in words; a pattern is for programs.
pub(super) fn kind(schema: &Value) -> Prose {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return vec![Piece::Link {
            href: format!("#schema-{name}"),
            text: name.to_owned(),
        }];
    }
    let mut kind = match alternatives(schema) {
        Some(several) => joined(several),
        None => single(schema),
    };
    let limits = limits(schema);
    if !limits.is_empty() {
        kind.push(plain(format!(", {}", limits.join(", "))));
    }
    match &schema["default"] {
        Value::Null => {}
        default => {
            kind.push(plain(", by default "));
            kind.push(Piece::Code(default.to_string()));
        }
    }
    kind
}

fn joined(mut several: Vec<Prose>) -> Prose {
    let last = several.pop();
    let mut all = Prose::new();
    for (at, one) in several.into_iter().enumerate() {
        if at > 0 {
            all.push(plain(", "));
        }
        all.extend(one);
    }
    if !all.is_empty() {
        all.push(plain(" or "));
    }
    all.extend(last.into_iter().flatten());
    all
}

/// The kinds of which a value has one; each is named once.
fn alternatives(schema: &Value) -> Option<Vec<Prose>> {
    let listed = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    let kinds: Vec<Prose> = match (listed, &schema["type"], &schema["enum"]) {
        (_, _, Value::Array(values)) => values.iter().map(|it| vec![constant(it)]).collect(),
        (Some(schemas), _, _) => schemas.iter().map(kind).collect(),
        (None, Value::Array(types), _) => types
            .iter()
            .map(|it| typed(it.as_str().unwrap_or_default(), schema))
            .collect(),
        _ => return None,
    };
    // `null` comes last, and once: a nullable member of a patch says it twice.
    let (nothing, mut rest): (Vec<_>, Vec<_>) = kinds
        .into_iter()
        .map(|mut kind| {
            let or_null = [plain(" or "), Piece::Code("null".to_owned())];
            let nullable = kind.ends_with(&or_null);
            if nullable {
                kind.truncate(kind.len() - or_null.len());
            }
            (kind, nullable)
        })
        .flat_map(|(kind, nullable)| {
            let nothing = nullable.then(|| vec![Piece::Code("null".to_owned())]);
            [Some(kind), nothing].into_iter().flatten()
        })
        .partition(|kind| *kind == [Piece::Code("null".to_owned())]);
    rest.extend(nothing.into_iter().next());
    Some(rest)
}

fn single(schema: &Value) -> Prose {
    match (&schema["const"], schema["type"].as_str()) {
        (Value::Null, Some(name)) => typed(name, schema),
        (Value::Null, None) => vec![plain("any value")],
        (value, _) => vec![constant(value)],
    }
}

fn constant(value: &Value) -> Piece {
    Piece::Code(text(value))
}

fn typed(name: &str, schema: &Value) -> Prose {
    match name {
        "null" => vec![Piece::Code("null".to_owned())],
        "array" if schema["items"].is_object() => {
            let mut kind = kind(&schema["items"]);
            kind.insert(0, plain("array of "));
            kind
        }
        "object" if schema["additionalProperties"].is_object() => {
            let mut kind = kind(&schema["additionalProperties"]);
            kind.insert(0, plain("object of "));
            kind
        }
        "string" => vec![plain(match schema["format"].as_str() {
            Some("uuid") => "string, a UUID",
            Some("date-time") => "string, RFC 3339",
            Some("uri") => "string, a URI",
            Some(_) | None => "string",
        })],
        other => vec![plain(other)],
    }
}

fn limits(schema: &Value) -> Vec<String> {
    let between = |least: &str, most: &str, what: &str| match (
        schema[least].as_u64().filter(|it| *it > 0),
        schema[most].as_u64(),
    ) {
        (Some(least), Some(most)) if least == most => Some(format!("{least}{what}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{what}")),
        (Some(1), None) if what == " characters" => Some("not empty".to_owned()),
        (Some(least), None) => Some(format!("at least {least}{what}")),
        (None, Some(most)) => Some(format!("at most {most}{what}")),
        (None, None) => None,
    };
    [
        between("minLength", "maxLength", " characters"),
        between("minItems", "maxItems", " items"),
        between("minProperties", "maxProperties", " members"),
        between("minimum", "maximum", ""),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(prose: &[Piece]) -> String {
        let words = prose.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Code(text) => format!("`{text}`"),
            Piece::Link { href, text } => format!("[{text}]({href})"),
        });
        words.collect()
    }

    #[test]
    fn descriptions_keep_every_word_and_mark_code_and_links() {
        for text in [
            "Needs `signet:a`, see [RFC 1](https://example.test/1).",
            "a [bracket], a ` tick and `one` more [x](javascript:alert(1))",
            "`",
            "[",
            "",
            "ü [`x`](https://a.test)",
        ] {
            assert_eq!(words(&pieces(text)), text);
        }
        let links = pieces("[x](javascript:alert(1)) [y](https://y.test)");
        let links = links.iter().filter(|it| matches!(it, Piece::Link { .. }));
        assert_eq!(links.count(), 1, "only https is a link");
    }

    #[test]
    fn kinds_say_what_is_accepted() {
        for (schema, expected) in [
            (
                json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
                "string, 1 to 255 characters",
            ),
            (json!({ "type": ["string", "null"] }), "string or `null`"),
            (
                json!({ "anyOf": [{ "type": ["string", "null"] }, { "type": "null" }] }),
                "string or `null`",
            ),
            (
                json!({ "anyOf": [{ "$ref": "#/components/schemas/A" }, { "type": "null" }] }),
                "[A](#schema-A) or `null`",
            ),
            (
                json!({ "type": "array", "items": { "$ref": "#/x/A" } }),
                "array of [A](#schema-A)",
            ),
            (json!({ "enum": ["a", "b", "c"] }), "`a`, `b` or `c`"),
            (
                json!({ "type": "boolean", "default": false }),
                "boolean, by default `false`",
            ),
            (json!({ "type": "integer", "minimum": 0 }), "integer"),
            (
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                "object of string",
            ),
            (json!({ "type": "string", "pattern": "^a$" }), "string"),
            (json!(true), "any value"),
        ] {
            assert_eq!(words(&kind(&schema)), expected, "{schema}");
        }
    }
}
