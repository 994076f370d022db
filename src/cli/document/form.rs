//! The form of a document: what serde would say late, one at a time and without a hint.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::DocumentError;
use super::rows::{self, ASSIGNMENT, Rows};
use crate::config::parse::nearest;

/// One entry of a list.
pub(super) struct Entry<'a> {
    pub(super) rows: Rows,
    pub(super) line: usize,
    pub(super) table: DeTable<'a>,
}

pub(super) struct Form<'a> {
    text: &'a str,
    file_name: &'a str,
    /// Where lines end: a document may have many entries.
    breaks: Vec<usize>,
    /// Byte offsets and messages.
    problems: Vec<(usize, String)>,
}

impl<'a> Form<'a> {
    pub(super) fn new(text: &'a str, file_name: &'a str) -> Self {
        Self {
            text,
            file_name,
            breaks: text.match_indices('\n').map(|(at, _)| at).collect(),
            problems: Vec::new(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.breaks.partition_point(|at| *at < offset)
    }

    /// A message with its place in front.
    fn at(&self, offset: usize, message: &str) -> String {
        format!("{} line {}: {message}", self.file_name, self.line(offset))
    }

    /// All problems that were noted, from top to bottom.
    pub(super) fn into_error(mut self) -> DocumentError {
        self.problems.sort_by_key(|(offset, _)| *offset);
        let problems = self.problems.into_iter();
        DocumentError {
            problems: problems.map(|(_, problem)| problem).collect(),
        }
    }

    /// Notes a member that cannot be read: one of another type where it stands, another value where its entry begins.
    pub(super) fn reject(&mut self, entry: &Entry<'_>, field: &str, problem: &str) {
        let Rows { kind, key, .. } = entry.rows;
        let place = entry.table.get(field).map(Spanned::span);
        let place = place.filter(|_| TYPES.iter().any(|of| problem.starts_with(of)));
        let line = place.map_or(entry.line, |place| self.line(place.start));
        let name = entry
            .table
            .get(key)
            .and_then(|name| name.get_ref().as_str());
        let name = name.filter(|_| field != key);
        let whose = name.map_or(String::new(), |name| format!("{kind} {name:?}: "));
        let problem = format!("{} line {line}: {whose}{field}: {problem}", self.file_name);
        self.problems.push((line, problem));
    }

    /// Whether anything was noted.
    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Looks at every key and every name, and notes all problems.
    pub(super) fn check(&mut self) -> Vec<Entry<'a>> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let offset = error.span().unwrap_or_default().start;
            self.problem(offset, &format!("not valid TOML: {}", error.message()));
        }
        let mut all = Vec::new();
        if !errors.is_empty() {
            return all;
        }
        let mut root = root.into_inner();
        let kinds = rows::all();
        let lists: Vec<String> = kinds.iter().map(|rows| rows.list.to_owned()).collect();
        self.known(&root, &lists, "");
        for rows in kinds {
            let Some((_, value)) = root.remove_entry(rows.list) else {
                continue;
            };
            let start = value.span().start;
            let DeValue::Array(entries) = value.into_inner() else {
                let problem = format!("{}: expected entries such as [[{0}]]", rows.list);
                self.problem(start, &problem);
                continue;
            };
            let members = (rows.members)();
            let mut named = HashMap::new();
            for entry in entries {
                let start = entry.span().start;
                let DeValue::Table(table) = entry.into_inner() else {
                    let problem = format!("{}: expected entries such as [[{0}]]", rows.list);
                    self.problem(start, &problem);
                    continue;
                };
                self.entry(&rows, &members, start, &table, &mut named);
                all.push(Entry {
                    rows,
                    line: self.line(start),
                    table,
                });
            }
        }
        all
    }

    fn entry(
        &mut self,
        kind: &Rows,
        members: &[String],
        start: usize,
        table: &DeTable<'_>,
        named: &mut HashMap<String, usize>,
    ) {
        let known: Vec<String> = members
            .iter()
            .cloned()
            .chain([kind.key.to_owned()])
            .collect();
        self.known(table, &known, &format!(" in [[{}]]", kind.list));
        if let Some(address) = table
            .get("address")
            .and_then(|value| value.get_ref().as_table())
            && kind.list == "users"
        {
            self.known(address, &rows::address_members(), " in address");
        }
        if kind.list == "users" || kind.list == "groups" {
            self.assignments(table);
        }
        if let Some((one, other)) = kind.exclusive
            && let (true, Some((key, _))) = (table.contains_key(one), table.get_key_value(other))
        {
            self.problem(
                key.span().start,
                &format!("only one of `{one}` and `{other}` may be set"),
            );
        }
        match table
            .get(kind.key)
            .map(|value| (value.span().start, value.get_ref().as_str()))
        {
            None => self.problem(
                start,
                &format!("an entry of [[{}]] has no `{}`", kind.list, kind.key),
            ),
            Some((at, Some(name))) if name.trim().is_empty() => {
                self.problem(at, &format!("`{}` is empty", kind.key));
            }
            Some((at, Some(name))) => {
                let within = kind
                    .within
                    .and_then(|field| table.get(field)?.get_ref().as_str());
                let within = within.unwrap_or_default();
                let folded = if kind.ignore_case {
                    name.to_lowercase()
                } else {
                    format!("{within}\0{name}")
                };
                if let Some(first) = named.insert(folded, at) {
                    let first = self.line(first);
                    self.problem(
                        at,
                        &format!(
                            "`{}` {name:?} is there twice, first in line {first}",
                            kind.key
                        ),
                    );
                }
            }
            // Serde says what type it should be.
            Some((_, None)) => {}
        }
    }

    fn assignments(&mut self, table: &DeTable<'_>) {
        let roles = table.get("roles");
        for role in roles
            .and_then(|value| value.get_ref().as_array())
            .into_iter()
            .flatten()
        {
            let Some(table) = role.get_ref().as_table() else {
                continue;
            };
            self.known(table, &ASSIGNMENT.map(str::to_owned), " in roles");
            if !table.contains_key("role") {
                self.problem(role.span().start, "a table in `roles` has no `role`");
            }
        }
    }

    fn known(&mut self, table: &DeTable<'_>, fields: &[String], place: &str) {
        let is_known =
            |key: &&Spanned<DeString<'_>>| fields.iter().any(|field| *field == *key.get_ref());
        for key in table.keys().filter(|key| !is_known(key)) {
            let name = key.get_ref();
            let hint = nearest(name, fields.iter().map(String::as_str))
                .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            self.problem(
                key.span().start,
                &format!("unknown key `{name}`{place}{hint}"),
            );
        }
    }

    fn problem(&mut self, offset: usize, message: &str) {
        let problem = self.at(offset, message);
        self.problems.push((offset, problem));
    }
}

/// How mistakes begin that are about the type of a value.
const TYPES: [&str; 2] = ["invalid type", "expected"];
