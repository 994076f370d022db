//! From the OpenAPI document to the page.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::example;
use super::kinds::{kind, paragraphs, prose, text};
use crate::web::pages::{Body, Group, Member, Operation, Prose, Reference, Schema};

/// The methods in the order in which they are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// An OpenAPI document.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(&'a Value);

impl<'a> Document<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self(document)
    }

    pub(super) fn reference(self) -> Reference {
        let info = &self.0["info"];
        Reference {
            version: text(&info["version"]),
            about: paragraphs(&info["description"]),
            token_example: example::token(&self.server()),
            groups: self.groups(),
            refusals: self.refusals(),
            problem: self.schemas(&self.0["components"]["responses"]),
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
        named.map(|name| self.group(name)).collect()
    }

    fn group(self, name: String) -> Group {
        let mut operations = Vec::new();
        let mut taken = Vec::new();
        for (method, path, operation) in self.each_operation() {
            if operation["tags"][0] == name {
                operations.push(self.operation(method, path, operation));
                taken.extend([&operation["parameters"], &operation["requestBody"]]);
                taken.extend(answers(operation).map(|(_, answer)| answer));
            }
        }
        let mut schemas: Vec<_> = taken.iter().flat_map(|it| self.schemas(it)).collect();
        schemas.sort_by(|one, other| one.name.cmp(&other.name));
        schemas.dedup_by(|one, other| one.name == other.name);
        Group {
            name,
            operations,
            schemas,
        }
    }

    fn each_operation(self) -> impl Iterator<Item = (&'static str, &'a str, &'a Value)> {
        members(&self.0["paths"]).flat_map(|(path, methods)| {
            let methods = METHODS.into_iter().map(move |it| (it, &methods[it]));
            let there = methods.filter(|(_, operation)| operation.is_object());
            there.map(move |(method, operation)| (method, path.as_str(), operation))
        })
    }

    fn operation(self, method: &str, path: &str, operation: &'a Value) -> Operation {
        let method = method.to_uppercase();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|it| parameter(self.resolve(it)));
        let refusals = members(&operation["responses"]).filter(|(status, _)| is_refusal(status));
        let answers: Vec<_> = answers(operation).collect();
        let first = answers.first();
        let answer_example = first.map_or_else(String::new, |(status, answer)| {
            example::answer(self, status, answer, operation)
        });
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
            refusals: refusals.map(|(status, _)| status.clone()).collect(),
            example: example::call(self, &method, path, operation),
            answer_example,
            words: searched(&method, path, operation),
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
                if is_refusal(status) {
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

    /// The schemas to which `value` refers, and those to which they refer.
    fn schemas(self, value: &'a Value) -> Vec<Schema> {
        let mut names = BTreeSet::new();
        self.refer(value, &mut names);
        let all = &self.0["components"]["schemas"];
        let schemas = names.into_iter().map(|name| self.schema(name, &all[name]));
        schemas.collect()
    }

    fn refer(self, value: &'a Value, names: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                let pointer = object.get("$ref").and_then(Value::as_str);
                let name = pointer.and_then(|it| it.strip_prefix("#/components/schemas/"));
                if name.is_some_and(|name| names.insert(name)) {
                    self.refer(self.resolve(value), names);
                }
                object.values().for_each(|member| self.refer(member, names));
            }
            Value::Array(items) => items.iter().for_each(|item| self.refer(item, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
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

/// The answers of success, by status.
fn answers(operation: &Value) -> impl Iterator<Item = (&String, &Value)> {
    members(&operation["responses"]).filter(|(status, _)| !is_refusal(status))
}

fn is_refusal(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// Everything by which a reader may look for an operation, in small letters.
fn searched(method: &str, path: &str, operation: &Value) -> String {
    let mut words = vec![method.to_owned(), path.to_owned()];
    words.extend(["operationId", "summary", "description"].map(|it| text(&operation[it])));
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    words.extend(parameters.map(|it| text(&it["name"])));
    let contents = members(&operation["requestBody"]["content"]);
    let bodies = contents.flat_map(|(_, content)| members(&content["schema"]["properties"]));
    words.extend(bodies.map(|(name, _)| name.clone()));
    words.join(" ").to_lowercase()
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
