//! The description of the API ([OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.1.html)), made from its operations.

use axum::http::Method;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::api::{Operation, Shape};
use super::inputs::generator;
use super::problem::ProblemBody;
use crate::spec::scope::Scope;

/// The document.
pub(super) fn document(issuer: &str, operations: &[Operation]) -> Value {
    let mut generator = generator();
    let problem = generator.subschema_for::<ProblemBody>();
    let mut paths: Map<String, Value> = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for operation in operations {
        if !tags.contains(&operation.about.tag) {
            tags.push(operation.about.tag);
        }
        let shape = (operation.shape)(&mut generator);
        let described = describe(operation, shape);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            let method = operation.method.as_str().to_lowercase();
            path.insert(method, described);
        }
    }
    let schemas = generator.take_definitions(true);
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|name| json!({ "name": name }))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Signet administration API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Errors are problem details (RFC 9457). Lists are read a page at a time with `cursor` and \
                `limit`. `PATCH` is a JSON Merge Patch (RFC 7396), guarded by `If-Match` if it is sent. Send an \
                `Idempotency-Key` with every request that you may have to repeat.",
        },
        "servers": [{ "url": issuer }],
        "tags": tags,
        "security": [{ "token": [Scope::ADMIN] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "What is wrong, and how to mend it.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": "For 24 hours, a repeated request with the same key gets the same answer and has no further effect.",
                    "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
                },
                "IfMatch": {
                    "name": "If-Match",
                    "in": "header",
                    "description": "The ETag that you read; the answer is 412 if it has changed since.",
                    "schema": { "type": "string", "pattern": "^(\\*|(W/)?\"[!#-~]*\"(, *(W/)?\"[!#-~]*\")*)$" },
                },
                "IfNoneMatch": {
                    "name": "If-None-Match",
                    "in": "header",
                    "description": "The ETag that you have; the answer is 304 if it is still current.",
                    "schema": { "type": "string" },
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": format!("An access token with the scope {}.", Scope::ADMIN),
                },
            },
        },
    })
}

fn describe(operation: &Operation, shape: Shape) -> Value {
    let about = &operation.about;
    let mut parameters = parameters(&shape.path, "path");
    parameters.extend(parameters_of_query(&shape));
    let writes = operation.method != Method::GET;
    let header = if writes {
        "IdempotencyKey"
    } else {
        "IfNoneMatch"
    };
    parameters.push(json!({ "$ref": format!("#/components/parameters/{header}") }));
    if about.guarded {
        parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
    }
    let permission = if about.by_organization {
        format!(
            "Needs the permission `signet:{}`, for what belongs to an organization at least for that organization.",
            about.action
        )
    } else {
        format!("Needs the permission `signet:{}`.", about.action)
    };
    let mut described = json!({
        "operationId": about.id,
        "tags": [about.tag],
        "summary": about.summary,
        "description": format!("{}\n\n{permission}", about.details).trim(),
        "parameters": parameters,
        "responses": responses(operation, &shape.answer),
    });
    if let (Some((media_type, schema)), Some(described)) = (shape.body, described.as_object_mut()) {
        described.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": { media_type: { "schema": schema } } }),
        );
    }
    described
}

fn parameters_of_query(shape: &Shape) -> Vec<Value> {
    parameters(&shape.query, "query")
}

fn parameters(schema: &Schema, place: &str) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let described = properties.into_iter().flatten().map(|(name, schema)| {
        let must = required.is_some_and(|required| required.iter().any(|other| other == name));
        json!({
            "name": name,
            "in": place,
            "required": must || place == "path",
            "description": schema.get("description").cloned().unwrap_or_else(|| json!("")),
            "schema": without_null(schema),
        })
    });
    described.collect()
}

/// A parameter that is left away is not null.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.remove("description");
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(any)) = object.get_mut("anyOf") {
            any.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
        }
    }
    schema
}

fn responses(operation: &Operation, answer: &Schema) -> Value {
    let mut responses = Map::new();
    let success = if operation.status == 204 {
        json!({ "description": "Done." })
    } else {
        json!({
            "description": "The answer.",
            "headers": {
                "ETag": { "description": "The version, for `If-Match`.", "schema": { "type": "string" } },
            },
            "content": { "application/json": { "schema": answer } },
        })
    };
    responses.insert(operation.status.to_string(), success);
    if operation.method == Method::GET {
        let unchanged = json!({ "description": "The version in `If-None-Match` is current." });
        responses.insert("304".to_owned(), unchanged);
    }
    for (status, meaning) in REFUSALS {
        if may_refuse(operation, status) {
            let problem =
                json!({ "$ref": "#/components/responses/Problem", "description": meaning });
            responses.insert(status.to_owned(), problem);
        }
    }
    Value::Object(responses)
}

/// What each status of a refusal means.
const REFUSALS: [(&str, &str); 11] = [
    (
        "400",
        "The request cannot be read: a parameter, a header or the body is malformed or unknown.",
    ),
    ("401", "The access token is missing or invalid."),
    (
        "403",
        "The caller lacks a permission, or the token lacks the scope.",
    ),
    ("404", "There is no such thing."),
    (
        "409",
        "The request conflicts with the stored state, or a request with this `Idempotency-Key` is still running.",
    ),
    (
        "412",
        "It has changed since the caller read it (`If-Match`).",
    ),
    ("413", "The body is too large."),
    ("415", "The body is of another media type."),
    (
        "422",
        "A member has a value that is not accepted, or refers to something that is not there; or the \
             `Idempotency-Key` was used for another request.",
    ),
    (
        "429",
        "Too many requests: `Retry-After` says how long to wait.",
    ),
    (
        "503",
        "The server cannot do this now. Send the same request again later.",
    ),
];

fn may_refuse(operation: &Operation, status: &str) -> bool {
    match status {
        "404" => operation.path.contains('{') || operation.about.named_in_body,
        "412" => operation.about.guarded,
        "409" | "413" | "415" | "422" => operation.method != Method::GET,
        _ => true,
    }
}
