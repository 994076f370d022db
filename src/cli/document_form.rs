//! The form of a document: what serde would say late, one at a time and without a hint.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor, value::Error as Stop};
use toml::de::DeTable;

use super::{
    AddressEntry, AssignmentTable, AttributeEntry, ClientEntry, Document, GroupEntry, ObjectEntry,
    OrganizationEntry, PolicyEntry, ResourceEntry, RoleEntry, UserEntry,
};
use crate::config::{parse::nearest, source::line_of};

/// The lines where the entries of each list begin.
pub(super) type Lines = BTreeMap<&'static str, Vec<usize>>;

/// One list of entries: its name, the field that names an entry, and all fields.
struct Kind {
    list: &'static str,
    key: &'static str,
    fields: &'static [&'static str],
    /// Two fields of which only one may be there.
    exclusive: Option<(&'static str, &'static str)>,
    /// Names that differ only in case are the same person.
    ignore_case: bool,
    /// The field that the name is only unique within.
    within: Option<&'static str>,
}

fn kinds() -> [Kind; 9] {
    let kind = |list, key, fields| Kind {
        list,
        key,
        fields,
        exclusive: None,
        ignore_case: false,
        within: None,
    };
    [
        kind("resources", "identifier", fields_of::<ResourceEntry>()),
        Kind {
            // RFC 7591 §2: "The 'jwks_uri' and 'jwks' parameters MUST NOT both be present".
            exclusive: Some(("jwks", "jwks_uri")),
            ..kind("clients", "client_id", fields_of::<ClientEntry>())
        },
        Kind {
            exclusive: Some(("password", "password_hash")),
            ignore_case: true,
            ..kind("users", "username", fields_of::<UserEntry>())
        },
        kind("roles", "name", fields_of::<RoleEntry>()),
        kind("policies", "id", fields_of::<PolicyEntry>()),
        kind("organizations", "name", fields_of::<OrganizationEntry>()),
        kind("groups", "name", fields_of::<GroupEntry>()),
        kind("objects", "resource", fields_of::<ObjectEntry>()),
        Kind {
            within: Some("of"),
            ..kind("attributes", "name", fields_of::<AttributeEntry>())
        },
    ]
}

pub(super) struct Form<'a> {
    text: &'a str,
    file_name: &'a str,
    /// Byte offsets and messages.
    problems: Vec<(usize, String)>,
}

impl<'a> Form<'a> {
    pub(super) fn new(text: &'a str, file_name: &'a str) -> Self {
        Self {
            text,
            file_name,
            problems: Vec::new(),
        }
    }

    /// A message with its place in front.
    pub(super) fn at(&self, offset: usize, message: &str) -> String {
        format!(
            "{} line {}: {message}",
            self.file_name,
            line_of(self.text, offset)
        )
    }

    /// All problems that were noted, from top to bottom.
    pub(super) fn into_problems(mut self) -> Vec<String> {
        self.problems.sort_by_key(|(offset, _)| *offset);
        self.problems
            .into_iter()
            .map(|(_, problem)| problem)
            .collect()
    }

    /// Whether anything was noted.
    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Looks at every key and every name, and notes all problems.
    pub(super) fn check(&mut self) -> Lines {
        let mut lines = Lines::new();
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let offset = error.span().unwrap_or_default().start;
            self.problem(offset, &format!("not valid TOML: {}", error.message()));
        }
        if !errors.is_empty() {
            return lines;
        }
        let root = root.get_ref();
        self.known(root, fields_of::<Document>(), "");
        for kind in kinds() {
            let Some(entries) = root
                .get(kind.list)
                .and_then(|value| value.get_ref().as_array())
            else {
                continue;
            };
            let mut named = HashMap::new();
            for entry in entries {
                lines
                    .entry(kind.list)
                    .or_default()
                    .push(line_of(self.text, entry.span().start));
                if let Some(table) = entry.get_ref().as_table() {
                    self.entry(&kind, entry.span().start, table, &mut named);
                }
            }
        }
        lines
    }

    fn entry(
        &mut self,
        kind: &Kind,
        start: usize,
        table: &DeTable<'_>,
        named: &mut HashMap<String, usize>,
    ) {
        self.known(table, kind.fields, &format!(" in [[{}]]", kind.list));
        if let Some(address) = table
            .get("address")
            .and_then(|value| value.get_ref().as_table())
            && kind.list == "users"
        {
            self.known(address, fields_of::<AddressEntry>(), " in address");
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
                    let first = line_of(self.text, first);
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
            self.known(table, fields_of::<AssignmentTable>(), " in roles");
            if !table.contains_key("role") {
                self.problem(role.span().start, "a table in `roles` has no `role`");
            }
        }
    }

    fn known(&mut self, table: &DeTable<'_>, fields: &[&'static str], place: &str) {
        for key in table
            .keys()
            .filter(|key| !fields.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref();
            let hint = nearest(name, fields.iter().copied())
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

/// The fields that `T` accepts, as its derived `Deserialize` tells them: no second list to forget.
fn fields_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("only the names of the fields are wanted"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
