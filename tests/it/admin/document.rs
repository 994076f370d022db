//! The OpenAPI document, for tests that go through every operation in it.

use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value};

use crate::support::client::Answer;
use crate::support::server::Server;

/// `/v1/openapi.json`.
pub(super) struct Document(Value);

/// A method on a path.
pub(super) struct Operation {
    pub(super) method: Method,
    /// The path, with the names of its parameters in braces.
    pub(super) path: String,
    /// `operationId`
    pub(super) id: String,
    parameters: Vec<Value>,
    /// The media type and the smallest body that the schema allows.
    body: Option<(String, Value)>,
    answer: Value,
}

const ID: &str = "00000000-0000-4000-8000-000000000000";

impl Document {
    pub(super) async fn read(server: &Server) -> Self {
        Self(
            Answer::to(server.http().get(server.url("/v1/openapi.json")))
                .await
                .json(),
        )
    }

    /// Every operation; there are some of every method.
    pub(super) fn operations(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                all.push(self.operation(path, method, described));
            }
        }
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ] {
            assert!(all.iter().any(|it| it.method == method), "no {method}");
        }
        all
    }

    /// The values that a parameter of an operation may have.
    pub(super) fn allowed(&self, operation: &str, parameter: &str) -> Vec<String> {
        let all = self.operations();
        let operation = all.iter().find(|it| it.id == operation).unwrap();
        let parameter = operation
            .parameters
            .iter()
            .find(|it| it["name"] == parameter)
            .unwrap();
        let values = parameter["schema"]["enum"].as_array().unwrap().iter();
        values
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    fn operation(&self, path: &str, method: &str, described: &Value) -> Operation {
        let parameters = described["parameters"].as_array().unwrap().iter();
        let content = described["requestBody"]["content"].as_object();
        let body = content.and_then(|content| content.iter().next());
        let answers = described["responses"].as_object().unwrap();
        let (_, done) = answers
            .iter()
            .find(|(status, _)| status.starts_with('2'))
            .unwrap();
        Operation {
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            id: described["operationId"].as_str().unwrap().to_owned(),
            parameters: parameters.map(|it| self.resolved(it).clone()).collect(),
            body: body.map(|(kind, body)| (kind.clone(), self.smallest(&body["schema"]))),
            answer: self
                .resolved(&done["content"]["application/json"]["schema"])
                .clone(),
        }
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        self.0
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap()
    }

    /// The smallest value that a schema allows.
    fn smallest(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        if let Some(only) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return only.clone();
        }
        if let Some(first) = schema["oneOf"].get(0).or_else(|| schema["anyOf"].get(0)) {
            return self.smallest(first);
        }
        match schema["type"].as_str() {
            Some("object") => {
                let required = schema["required"].as_array().into_iter().flatten();
                let named = required.map(|it| it.as_str().unwrap().to_owned());
                let members = named.map(|name| {
                    let value = self.smallest(&schema["properties"][&name]);
                    (name, value)
                });
                Value::Object(members.collect::<Map<_, _>>())
            }
            Some("string") if schema["format"] == "uuid" => ID.into(),
            Some("string") => "something".into(),
            other => panic!("what is the smallest {other:?}: {schema}"),
        }
    }
}

impl Operation {
    /// Whether `If-Match` guards it.
    pub(super) fn is_guarded(&self) -> bool {
        self.parameters.iter().any(|it| it["name"] == "If-Match")
    }

    /// Whether it answers a page of a list.
    pub(super) fn is_list(&self) -> bool {
        let members = &self.answer["properties"];
        ["data", "has_more", "next_cursor"]
            .iter()
            .all(|name| members.get(name).is_some())
    }

    /// The path and query of a thing that is not there.
    pub(super) fn address(&self) -> String {
        let mut address = self.path.clone();
        let mut joint = '?';
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap();
            match parameter["in"].as_str().unwrap() {
                "path" => {
                    let is_id = parameter["schema"].to_string().contains("Id\"");
                    let value = if is_id { ID } else { "something" };
                    address = address.replace(&format!("{{{name}}}"), value);
                }
                "query" if parameter["required"] == true => {
                    address = format!("{address}{joint}{name}=something");
                    joint = '&';
                }
                _ => {}
            }
        }
        assert!(!address.contains('{'), "{address}");
        address
    }

    /// The smallest request that the document allows, without a token.
    pub(super) fn request(&self, server: &Server) -> RequestBuilder {
        let url = server.url(&self.address());
        let request = server.http().request(self.method.clone(), url);
        match &self.body {
            Some((kind, body)) => request.header("content-type", kind).body(body.to_string()),
            None => request,
        }
    }
}
