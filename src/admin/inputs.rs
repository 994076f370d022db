//! What a request brings, read by the types that say what is expected.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::spec::members::read;

/// The names that an operation knows. What is sent under another one is a mistake that deserves an answer.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Of the query's parameters.
    pub(super) query: Names,
    /// Of the body's members.
    pub(super) body: Names,
}

impl Known {
    /// What these types know.
    pub(super) fn of<Q: JsonSchema, B: Body>() -> Self {
        Self {
            query: Names::of::<Q>(),
            body: B::names(),
        }
    }
}

/// Names of parameters or members.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The properties of `T`.
    pub(super) fn of<T: JsonSchema>() -> Self {
        let schema = T::json_schema(&mut generator());
        let properties = schema.get("properties").and_then(Value::as_object);
        Self(
            properties
                .map(|it| it.keys().cloned().collect())
                .unwrap_or_default(),
        )
    }

    /// Refuses a name that is not among them.
    pub(super) fn check<'a>(
        &self,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Result<(), Problem> {
        match names.find(|name| !self.0.iter().any(|known| known == name)) {
            None => Ok(()),
            Some(name) => Err(Problem::unknown_name(
                name,
                self.0.iter().map(String::as_str),
            )),
        }
    }
}

/// Nothing is expected.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub(super) struct Nothing {}

/// One thing of a collection whose things have names.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByName {
    /// Its name.
    pub(super) name: String,
}

/// The body of a `PATCH`: a JSON Merge Patch ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)) of a `T`.
#[derive(Clone, Debug)]
pub(super) struct Patch<T> {
    members: Map<String, Value>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned + Serialize + JsonSchema> Patch<T> {
    /// Whether it says anything of that member.
    pub(super) fn names(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// What `now` becomes.
    pub(super) fn onto(&self, now: &T) -> Result<T, Problem> {
        let mut value = serde_json::to_value(now).map_err(|error| {
            tracing::error!(%error, "answered 500: what is there cannot be written as JSON");
            Problem::internal()
        })?;
        merge(&mut value, &Value::Object(self.members.clone()));
        match value {
            Value::Object(members) => typed(members),
            _ => typed(Map::new()),
        }
    }
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else {
        return;
    };
    for (name, value) in members {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// A body that an operation takes.
pub(super) trait Body: Sized {
    /// The names that it knows.
    fn names() -> Names;

    /// Reads it.
    fn read(headers: &HeaderMap, bytes: &[u8], known: &Names) -> Result<Self, Problem>;

    /// Its media type and schema, for the OpenAPI document.
    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)>;
}

impl Body for Nothing {
    fn names() -> Names {
        Names::default()
    }

    fn read(_: &HeaderMap, bytes: &[u8], _: &Names) -> Result<Self, Problem> {
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        if blank || serde_json::from_slice::<Self>(bytes).is_ok() {
            return Ok(Self {});
        }
        Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            "this operation takes no body",
        ))
    }

    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        None
    }
}

impl<T: DeserializeOwned + JsonSchema> Body for Patch<T> {
    fn names() -> Names {
        Names::of::<T>()
    }

    fn read(headers: &HeaderMap, bytes: &[u8], known: &Names) -> Result<Self, Problem> {
        let members = object(headers, bytes, &["application/merge-patch+json", JSON])?;
        known.check(members.keys().map(String::as_str))?;
        Ok(Self {
            members,
            of: std::marker::PhantomData,
        })
    }

    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        let mut schema = closed::<T>(generator);
        if let Some(object) = schema.as_object_mut() {
            let required = object.remove("required").unwrap_or_default();
            object.remove("title");
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (name, property) in properties {
                    // What must be there cannot be taken away.
                    let stays = required
                        .as_array()
                        .is_some_and(|it| it.contains(&json!(name)));
                    if !stays && !may_be_null(property) {
                        *property = or_null(property.take());
                    }
                }
            }
        }
        Some(("application/merge-patch+json", schema))
    }
}

/// A body that is one JSON object of type `T`.
#[derive(Clone, Debug)]
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned + JsonSchema> Body for Json<T> {
    fn names() -> Names {
        Names::of::<T>()
    }

    fn read(headers: &HeaderMap, bytes: &[u8], known: &Names) -> Result<Self, Problem> {
        let members = object(headers, bytes, &[JSON])?;
        known.check(members.keys().map(String::as_str))?;
        typed(members).map(Self)
    }

    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some((JSON, closed::<T>(generator)))
    }
}

/// The schema of a body, whose members are all known. It stands where it is used: what is answered is described by the
/// same type, and may have further members some day.
pub(super) fn closed<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), json!(T::schema_name()));
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

fn may_be_null(schema: &Value) -> bool {
    let any = schema["anyOf"].as_array().into_iter().flatten();
    let types = schema["type"].as_array().into_iter().flatten();
    types.into_iter().any(|kind| kind == "null") || any.into_iter().any(|one| one["type"] == "null")
}

/// The schema or null, which takes the member away; what is said of the member stays beside the two.
fn or_null(mut schema: Value) -> Value {
    let description = schema
        .as_object_mut()
        .and_then(|it| it.remove("description"));
    let mut either = json!({ "anyOf": [schema, { "type": "null" }] });
    if let (Some(description), Some(object)) = (description, either.as_object_mut()) {
        object.insert("description".to_owned(), description);
    }
    either
}

const JSON: &str = "application/json";

/// The members of a body that is one JSON object.
pub(super) fn object(
    headers: &HeaderMap,
    bytes: &[u8],
    types: &[&str],
) -> Result<Map<String, Value>, Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    let fits = essence.is_some_and(|essence| {
        let essence = essence.trim();
        types
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
    });
    if !fits {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("expected the Content-Type {}", types.join(" or ")),
        )
        .param("Content-Type"));
    }
    let invalid = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail);
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => match members.iter().find(|(_, value)| has_nul(value)) {
            Some((name, _)) => Err(Problem::unprocessable(name, NUL)),
            None => Ok(members),
        },
        Ok(_) => Err(invalid("the body must be a JSON object".to_owned())),
        Err(error) => Err(invalid(format!("the body is not JSON: {error}"))),
    }
}

const NUL: &str = "expected text without the character U+0000";

/// PostgreSQL stores no NUL in texts, so none is accepted.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A JSON object as the type that is expected of it; every member that does not fit is named.
pub(super) fn typed<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Problem> {
    read(members).map_err(Problem::rejected)
}

/// The parameters of the path, as [`pairs`] writes them.
pub(super) fn path<T: DeserializeOwned>(pairs: &str) -> Result<T, Problem> {
    from_pairs::<T>(pairs).map_err(|problem| {
        // A name that cannot exist does not exist.
        problem.with_status(StatusCode::NOT_FOUND, "not_found")
    })
}

/// The parameters of the query: each known, and at most once.
pub(super) fn query<T: DeserializeOwned>(query: &str, known: &Names) -> Result<T, Problem> {
    each_once(query, known)?;
    from_pairs(query)
}

fn each_once(query: &str, known: &Names) -> Result<(), Problem> {
    let names: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    known.check(names.iter().map(String::as_str))?;
    for (at, name) in names.iter().enumerate() {
        if names.iter().skip(at + 1).any(|other| other == name) {
            return Err(Problem::invalid(
                name,
                "this parameter was sent more than once",
            ));
        }
    }
    Ok(())
}

fn from_pairs<T: DeserializeOwned>(pairs: &str) -> Result<T, Problem> {
    let mut parsed = url::form_urlencoded::parse(pairs.as_bytes());
    if let Some((name, _)) = parsed.find(|(_, value)| value.contains('\0')) {
        return Err(Problem::invalid(name.replace('\0', ""), NUL));
    }
    let parsed = url::form_urlencoded::parse(pairs.as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(parsed);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        Problem::invalid(path, error.inner().to_string())
    })
}

/// Names with their values, form encoded.
pub(super) fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut serializer = url::form_urlencoded::Serializer::new(String::new());
    serializer.extend_pairs(pairs);
    serializer.finish()
}

/// How schemas are written: references into the OpenAPI document's components.
pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_does_what_rfc7396_appendix_a_says() {
        for (target, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut value: Value = serde_json::from_str(target).unwrap();
            merge(&mut value, &serde_json::from_str(patch).unwrap());
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(value, expected, "{target} {patch}");
        }
    }
}
