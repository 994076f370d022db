//! What a transaction changed of the things that decisions are made from.

use std::collections::BTreeMap;

/// A thing that decisions are made from, as instances hold it in memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Thing {
    /// A role with its parents and permissions.
    Role(String),
    /// A group with its parents, attributes, roles and levels.
    Group(String),
    /// An organization with its attributes.
    Organization(String),
    /// A policy.
    Policy(String),
    /// What is declared of attributes.
    Declarations,
}

impl Thing {
    /// Its kind and its name, as they are stored.
    pub(super) fn stored(&self) -> (&'static str, &str) {
        match self {
            Self::Role(name) => ("role", name),
            Self::Group(name) => ("group", name),
            Self::Organization(name) => ("organization", name),
            Self::Policy(id) => ("policy", id),
            Self::Declarations => ("declarations", ""),
        }
    }

    /// `None`: another version wrote it, or it stands for everything.
    pub(in crate::store) fn parse(kind: &str, name: String) -> Option<Self> {
        match kind {
            "role" => Some(Self::Role(name)),
            "group" => Some(Self::Group(name)),
            "organization" => Some(Self::Organization(name)),
            "policy" => Some(Self::Policy(name)),
            "declarations" => Some(Self::Declarations),
            _ => None,
        }
    }
}

/// The kind of a row that stands for more than is worth naming.
pub(super) const EVERYTHING: &str = "everything";

/// So many things at most are read by themselves; an instance that would have to read more reads everything.
pub(in crate::store) const MANY: usize = 200;

/// What a transaction changed so far, and whether it deleted it.
#[derive(Debug, Default)]
pub(in crate::store) struct Noted(BTreeMap<Thing, bool>);

impl Noted {
    pub(in crate::store) fn note(&mut self, thing: Thing, deleted: bool) {
        *self.0.entry(thing).or_default() |= deleted;
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether reads of `others`, one after the other, can have seen different moments because of this: it is about
    /// one of them and something else too, or took from them what belonged to a thing that was deleted.
    pub(in crate::store) fn touches(&self, others: &Self) -> bool {
        let shared = self.0.keys().any(|thing| others.0.contains_key(thing));
        (shared && self.0.len() > 1) || self.0.values().any(|deleted| *deleted)
    }

    /// The things, and whether they were deleted.
    pub(in crate::store) fn things(&self) -> impl Iterator<Item = (Thing, bool)> {
        let things = self.0.iter();
        things.map(|(thing, deleted)| (thing.clone(), *deleted))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

pub(super) const BUMP: &str = "INSERT INTO changes (topic, version, mark) VALUES ($1, 1, $2)
ON CONFLICT (topic) DO UPDATE SET version = changes.version + 1, mark = excluded.mark";

pub(super) const WRITE: &str = "INSERT INTO policy_changes (version, mark, kind, name, deleted) \
    SELECT version, mark, $1, $2, $3 FROM changes WHERE topic = 'policy'";
