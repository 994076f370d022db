//! The reference, from a small document.

use serde_json::{Value, json};

use super::*;
use crate::web::reference::read;

/// A document with that text wherever people read it.
pub(super) fn document(text: &str) -> Value {
    let member = json!({ "type": "string", "description": text, "minLength": 1 });
    json!({
        "info": { "version": "1.0", "description": text },
        "servers": [{ "url": "https://id.example.test/" }],
        "tags": [{ "name": "signing_things" }],
        "paths": {
            "/v1/things/{name}": {
                "put": {
                    "operationId": "put_thing",
                    "tags": ["signing_things"],
                    "summary": text,
                    "description": format!("{text}\n\nNeeds the permission `signet:things.write`."),
                    "parameters": [
                        { "name": "name", "in": "path", "required": true, "description": text, "schema": member },
                        { "$ref": "#/components/parameters/Key" },
                    ],
                    "requestBody": { "content": { "application/json": { "schema": {
                        "type": "object",
                        "title": "NewThing",
                        "required": ["label"],
                        "properties": { "label": member, "colour": { "$ref": "#/components/schemas/Colour" } },
                    } } } },
                    "responses": {
                        "200": {
                            "description": text,
                            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } },
                        },
                        "422": { "$ref": "#/components/responses/Problem", "description": text },
                    },
                },
            },
        },
        "components": {
            "parameters": { "Key": { "name": "Key", "in": "header", "schema": { "type": "string", "pattern": text } } },
            "responses": { "Problem": {
                "description": "What is wrong.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
            "schemas": {
                "Colour": { "oneOf": [{ "const": text, "description": text }], "description": text },
                "Problem": { "type": "object", "properties": { "code": { "type": "string" } } },
                "Thing": { "type": "object", "properties": { "label": { "type": ["string", "null"], "description": text } } },
            },
        },
    })
}

pub(super) fn drawn(layout: Layout, text: &str, query: &str) -> String {
    let reference = read(&document(text));
    html(&ReferencePage {
        layout,
        reference: &reference,
        query,
        found: reference.find(""),
    })
}

pub(super) fn drawn_group(layout: Layout, document: &Value) -> String {
    let reference = read(document);
    html(&ReferenceGroupPage {
        layout,
        reference: &reference,
        group: &reference.groups[0],
    })
}

fn words(document: &Html, selector: &str) -> String {
    one(document, selector).text().collect()
}

#[test]
fn the_reference_says_all_of_an_operation() {
    let html = drawn_group(Layout::new("Signet", "API"), &document("What it `is`."));
    let document = Html::parse_document(&html);
    let operation = words(&document, "#put_thing");
    for expected in [
        "PUT",
        "/v1/things/{name}",
        "signet:things.write",
        "path: string, not empty",
        "required",
        "application/json",
        "200",
        "422",
        "curl --request PUT",
        "\"https://id.example.test/v1/things/${name}\"",
        r#"--data '{"label":"<label>"}'"#,
        "HTTP/1.1 200\n\n{",
    ] {
        assert!(operation.contains(expected), "{expected}: {operation}");
    }
    assert!(!html.contains("pattern"), "patterns are for programs");
    assert_eq!(words(&document, "h1"), "Signing things");
    let html = drawn(Layout::new("Signet", "API"), "What it `is`.", "thing");
    let document = Html::parse_document(&html);
    assert_eq!(words(&document, "#in-signing_things"), "Signing things");
}

#[test]
fn the_overview_says_what_refusals_mean() {
    let html = drawn(Layout::new("Signet", "API"), "What it `is`.", "");
    let document = Html::parse_document(&html);
    assert!(words(&document, "#status-422").contains("What it is."));
    for link in all(&document, "a[href^='#']") {
        one(&document, link.attr("href").unwrap_or_default());
    }
}

#[test]
fn every_link_of_the_reference_leads_somewhere() {
    let html = drawn_group(Layout::new("Signet", "API"), &document("text"));
    let document = Html::parse_document(&html);
    let links = all(&document, "a[href^='#']");
    assert!(links.len() > 2, "{}", links.len());
    for link in links {
        let target = link.attr("href").unwrap_or_default();
        one(&document, target);
    }
    let side = all(&document, "nav a");
    let links: Vec<_> = side.iter().filter_map(|link| link.attr("href")).collect();
    assert_eq!(links, ["/v1", "/v1/reference/signing_things#put_thing"]);
}

#[test]
fn operations_are_found_by_every_word() {
    let reference = read(&document("Paint it"));
    let found = |query: &str| reference.find(query).len();
    for query in [
        "",
        "  ",
        "PAINT",
        "it paint",
        "things.write",
        "put /v1/things",
        "colour",
    ] {
        assert_eq!(found(query), 1, "{query}");
    }
    for query in ["delete", "paint delete", "post /v1/things"] {
        assert_eq!(found(query), 0, "{query}");
    }
}

#[test]
fn an_example_cannot_leave_its_quotes() {
    let mut document = document("text");
    let label = &mut document["paths"]["/v1/things/{name}"]["put"]["requestBody"]["content"]["application/json"]
        ["schema"]["properties"]["label"];
    label["examples"] = json!(["it's; rm -rf"]);
    let html = drawn_group(Layout::new("Signet", "API"), &document);
    let operation = words(&Html::parse_document(&html), "#put_thing");
    assert!(operation.contains(r"it'\''s; rm -rf"), "{operation}");
}
