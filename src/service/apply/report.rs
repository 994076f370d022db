//! What applying did, or would do.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::crypto::secret::PlainToken;

/// What kind of thing an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A resource server.
    Resource,
    /// A role.
    Role,
    /// A client.
    Client,
    /// A person.
    User,
    /// A policy.
    Policy,
    /// An organization.
    Organization,
    /// A group.
    Group,
    /// A resource of which something is known.
    Object,
    /// A declared attribute.
    Attribute,
}

impl Kind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Role => "role",
            Self::Client => "client",
            Self::User => "user",
            Self::Policy => "policy",
            Self::Organization => "organization",
            Self::Group => "group",
            Self::Object => "object",
            Self::Attribute => "attribute",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// These of its fields were different.
    Changed(Vec<String>),
    /// It was like that already.
    Unchanged,
    /// It is gone.
    Deleted,
}

impl Outcome {
    /// The outcome's name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed(_) => "changed",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn of(changed: Vec<String>) -> Self {
        if changed.is_empty() {
            Self::Unchanged
        } else {
            Self::Changed(changed)
        }
    }
}

/// One item and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let fields: &[String] = match &self.outcome {
            Outcome::Changed(fields) => fields,
            Outcome::Created | Outcome::Unchanged | Outcome::Deleted => &[],
        };
        let mut item = serializer.serialize_struct("Item", 4)?;
        item.serialize_field("kind", &self.kind)?;
        item.serialize_field("name", &self.name)?;
        item.serialize_field("outcome", self.outcome.as_str())?;
        item.serialize_field("fields", fields)?;
        item.end()
    }
}

/// A secret that was made for a client and is told this once.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Whose.
    pub client_id: String,
    /// The secret.
    pub secret: PlainToken,
}

/// What applying did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Every item that was named, and every one that was deleted.
    pub items: Vec<Item>,
    /// How many more there are in the store, which nobody spoke of.
    pub kept: BTreeMap<Kind, usize>,
    /// Secrets that were made; none in a dry run.
    pub generated: Vec<Generated>,
    /// What an operator should look at.
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether everything was as it should be already.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.items
            .iter()
            .all(|item| item.outcome == Outcome::Unchanged)
    }

    pub(super) fn note(&mut self, kind: Kind, name: &str, outcome: Outcome) {
        self.items.push(Item {
            kind,
            name: name.to_owned(),
            outcome,
        });
    }

    pub(super) fn keep(&mut self, kind: Kind) {
        *self.kept.entry(kind).or_default() += 1;
    }
}
