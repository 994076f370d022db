//! From the OpenAPI document to the page.

use serde_json::{Map, Value};

use super::example;
use super::kinds::{kind, paragraphs, prose, text};
use crate::web::pages::{Body, Group, Layout, Member, Operation, Prose, ReferencePage, Schema};

/// The methods in the order in which they are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// An OpenAPI document.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(&'a Value);

impl<'a> Document<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self(document)
    }

    pub(super) fn page(self, layout: Layout) -> ReferencePage {
        let info = &self.0["info"];
        ReferencePage {
            layout,
            version: text(&info["version"]),
            about: paragraphs(&info["description"]),
            token_example: example::token(&self.server()),
            groups: self.groups(),
            refusals: self.refusals(),
            schemas: self.schemas(),
        }
    }

    /// What a reference into the document leads to; what is no reference is itself.
    pub(super) fn resolve(self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.0.pointer(pointer))
            .unwrap_or(value)
    }

    pub(super) fn server(self) -> String {
        let server = text(&self.0["servers"][0]["url"]);
        server.trim_end_matches('/').to_owned()
    }

    fn groups(self) -> Vec<Group> {
        let tags = self.0["tags"].as_array().into_iter().flatten();
        let named = tags.map(|tag| text(&tag["name"]));
        named
            .map(|name| Group {
                operations: self.operations(&name),
                name,
            })
            .collect()
    }

    fn each_operation(self) -> impl Iterator<Item = (&'static str, &'a str, &'a Value)> {
        members(&self.0["paths"]).flat_map(|(path, methods)| {
            let methods = METHODS.into_iter().map(move |it| (it, &methods[it]));
            let there = methods.filter(|(_, operation)| operation.is_object());
            there.map(move |(method, operation)| (method, path.as_str(), operation))
        })
    }

    fn operations(self, tag: &str) -> Vec<Operation> {
        self.each_operation()
            .filter(|(_, _, operation)| operation["tags"][0] == tag)
            .map(|(method, path, operation)| self.operation(method, path, operation))
            .collect()
    }

    fn operation(self, method: &str, path: &str, operation: &'a Value) -> Operation {
        let method = method.to_uppercase();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|it| parameter(self.resolve(it)));
        let (answers, refusals): (Vec<_>, Vec<_>) = members(&operation["responses"])
            .partition(|(status, _)| status.starts_with(['2', '3']));
        let answers = answers.into_iter().map(|(status, answer)| {
            let content = &answer["content"]["application/json"]["schema"];
            let kind = if content.is_null() {
                Prose::new()
            } else {
                kind(content)
            };
            (status.clone(), prose(&answer["description"]), kind)
        });
        Operation {
            id: text(&operation["operationId"]),
            summary: text(&operation["summary"]),
            description: paragraphs(&operation["description"]),
            parameters: parameters.collect(),
            body: self.body(operation),
            answers: answers.collect(),
            refusals: refusals
                .into_iter()
                .map(|(status, _)| status.clone())
                .collect(),
            example: example::call(self, &method, path, operation),
            path: path.to_owned(),
            method,
        }
    }

    fn body(self, operation: &'a Value) -> Option<Body> {
        let (media_type, content) = members(&operation["requestBody"]["content"]).next()?;
        let schema = &content["schema"];
        Some(Body {
            media_type: media_type.clone(),
            kind: kind(schema),
            members: if schema["$ref"].is_string() {
                Vec::new()
            } else {
                self.members(schema)
            },
        })
    }

    /// What each status of a refusal means, in the words of the first operation that has it.
    fn refusals(self) -> Vec<(String, Prose)> {
        let mut found = Map::new();
        for (_, _, operation) in self.each_operation() {
            for (status, answer) in members(&operation["responses"]) {
                if status.starts_with(['4', '5']) {
                    let said = answer.get("description");
                    let said = said.unwrap_or_else(|| &self.resolve(answer)["description"]);
                    found.entry(status).or_insert_with(|| said.clone());
                }
            }
        }
        let mut refusals: Vec<_> = found
            .iter()
            .map(|(status, said)| (status.clone(), prose(said)))
            .collect();
        refusals.sort_by(|one, other| one.0.cmp(&other.0));
        refusals
    }

    fn schemas(self) -> Vec<Schema> {
        let schemas = members(&self.0["components"]["schemas"]);
        let mut schemas: Vec<Schema> = schemas
            .map(|(name, schema)| self.schema(name, schema))
            .collect();
        schemas.sort_by(|one, other| one.name.cmp(&other.name));
        schemas
    }

    fn schema(self, name: &str, schema: &'a Value) -> Schema {
        let members = self.members(schema);
        let values = schema["oneOf"].as_array().into_iter().flatten();
        let values = values.filter(|value| !value["const"].is_null());
        let values: Vec<_> = values
            .map(|value| (text(&value["const"]), prose(&value["description"])))
            .collect();
        let plain = members.is_empty() && values.is_empty();
        Schema {
            name: name.to_owned(),
            description: paragraphs(&schema["description"]),
            kind: if plain { kind(schema) } else { Prose::new() },
            members,
            values,
        }
    }

    fn members(self, schema: &'a Value) -> Vec<Member> {
        let required = &schema["required"];
        let members = members(&schema["properties"]).map(|(name, member)| Member {
            name: name.clone(),
            place: String::new(),
            required: contains(required, name),
            kind: kind(member),
            description: self.description(member),
        });
        members.collect()
    }

    /// What a member means; a schema that it refers to speaks for it if it says nothing itself.
    fn description(self, member: &'a Value) -> Prose {
        let own = &member["description"];
        if own.is_string() {
            prose(own)
        } else {
            prose(&self.resolve(member)["description"])
        }
    }
}

fn parameter(parameter: &Value) -> Member {
    Member {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        required: parameter["required"] == true,
        kind: kind(&parameter["schema"]),
        description: prose(&parameter["description"]),
    }
}

/// The members of an object.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Whether an array of names has this one.
pub(super) fn contains(names: &Value, name: &str) -> bool {
    names
        .as_array()
        .is_some_and(|names| names.iter().any(|it| it == name))
}
