//! What applying did, or would do.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::crypto::secret::PlainToken;

/// What kind of thing an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
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

impl KindName {
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

impl KindName {
    /// The member that names one.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Resource => "identifier",
            Self::Client => "client_id",
            Self::User => "username",
            Self::Policy => "id",
            Self::Object => "resource",
            Self::Role | Self::Organization | Self::Group | Self::Attribute => "name",
        }
    }
}

impl fmt::Display for KindName {
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

    /// These members changed too.
    pub(super) fn also(&mut self, more: Vec<String>) {
        match self {
            Self::Changed(changed) => changed.extend(more),
            Self::Unchanged => *self = Self::of(more),
            Self::Created | Self::Deleted => {}
        }
    }

    /// What became of something in which these members changed.
    pub(super) fn of(changed: Vec<String>) -> Self {
        if changed.is_empty() {
            Self::Unchanged
        } else {
            Self::Changed(changed)
        }
    }
}

/// One mistake in what is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What kind of thing it is in.
    pub kind: KindName,
    /// The thing's name.
    pub name: String,
    /// The member.
    pub field: String,
    /// What is wrong and what was expected.
    pub problem: String,
    /// Whether it refers to something that is not there.
    pub refers: bool,
    /// What was meant, perhaps.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            name,
            field,
            problem,
            ..
        } = self;
        write!(f, "{kind} {name:?}: {field}: {problem}")?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// One item and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its kind.
    pub kind: KindName,
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

/// A secret that another one replaces.
#[derive(Clone, Debug, Serialize)]
pub struct Replaced {
    /// Whose.
    pub client_id: String,
    /// Until when it stays valid.
    pub old_valid_until: String,
}

/// What applying did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Every item that was named, and every one that was deleted.
    pub items: Vec<Item>,
    /// Number of things in the store that the document does not name.
    pub kept: BTreeMap<KindName, usize>,
    /// Secrets that were made; none in a dry run.
    pub generated: Vec<Generated>,
    /// Secrets that were replaced.
    pub replaced: Vec<Replaced>,
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

    pub(super) fn note(
        &mut self,
        kind: KindName,
        name: &(impl fmt::Display + ?Sized),
        outcome: Outcome,
    ) {
        self.items.push(Item {
            kind,
            name: name.to_string(),
            outcome,
        });
    }

    pub(super) fn keep(&mut self, kind: KindName) {
        *self.kept.entry(kind).or_default() += 1;
    }
}
