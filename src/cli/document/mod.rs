//! The document that `signet apply -f` makes true.
//!
//! Client fields are the registration names of [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2) and OpenID
//! Connect Dynamic Client Registration 1.0 §2. A field that is absent has its default, but a person's is left as it is
//! ([`crate::service::administration::document::Document`]). Every list is read in the same way, by the type of its
//! rows; whether a value makes sense is the service's to say, with the entry's line at hand.

mod form;
mod rows;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::service::administration::KindName;
use crate::service::administration::document::Document;
use crate::spec::members::Rejected;
use form::{Entry, Form};
use rows::Rows;

/// What a document wants, and where it says so.
#[derive(Debug, Default)]
pub struct Written {
    /// What it wants.
    pub document: Document,
    lines: BTreeMap<(KindName, String), usize>,
}

impl Written {
    /// The line where an item begins.
    #[must_use]
    pub fn line(&self, kind: KindName, name: &str) -> Option<usize> {
        self.lines.get(&(kind, name.to_owned())).copied()
    }

    /// Reads a document; `file_name` is for messages only.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, DocumentError> {
        let mut form = Form::new(text, file_name);
        let entries = form.check();
        if form.has_problems() {
            return Err(form.into_error());
        }
        let mut written = Self::default();
        for entry in entries {
            match read(&mut written.document, &entry) {
                Ok(title) => {
                    let place = (entry.rows.kind, title);
                    written.lines.insert(place, entry.line);
                }
                Err(rejected) => {
                    for Rejected { field, problem } in rejected {
                        form.reject(&entry, &field, &problem);
                    }
                }
            }
        }
        if form.has_problems() {
            return Err(form.into_error());
        }
        Ok(written)
    }
}

/// Reads one entry; what it is called in reports.
fn read(document: &mut Document, entry: &Entry<'_>) -> Result<String, Vec<Rejected>> {
    let mut members = Map::new();
    let mut rejected = Vec::new();
    for (name, value) in &entry.table {
        let name = name.get_ref().to_string();
        match values::json(&name, value.get_ref()) {
            Ok(value) => {
                members.insert(name, value);
            }
            Err(problem) => rejected.push(Rejected {
                field: name,
                problem,
            }),
        }
    }
    let Rows { key, read, .. } = entry.rows;
    let name = match members.remove(key) {
        Some(Value::String(name)) => name,
        other => {
            let problem = format!(
                "invalid type: {}, expected a string",
                values::shape(other.as_ref())
            );
            rejected.push(Rejected {
                field: key.to_owned(),
                problem,
            });
            return Err(rejected);
        }
    };
    match read(document, name, members) {
        Ok(title) if rejected.is_empty() => Ok(title),
        Ok(_) => Err(rejected),
        Err(more) => {
            rejected.extend(more);
            Err(rejected)
        }
    }
}

/// Everything that is wrong with a document; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// One sentence per problem, with file and line.
    pub problems: Vec<String>,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the document cannot be applied:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for DocumentError {}
