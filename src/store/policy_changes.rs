//! Which of the things that decisions are made from were changed: the `policy_changes` table. An instance that knows
//! everything up to a version reads what was changed since, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Store;
use super::assignments::Holder;
use super::changes::{POLICY, bump_changes};
use super::db::Tx;
use super::error::StoreError;
use crate::domain::policy::{Changes, Group, Levels, Role};

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
    fn stored(&self) -> (&'static str, &str) {
        match self {
            Self::Role(name) => ("role", name),
            Self::Group(name) => ("group", name),
            Self::Organization(name) => ("organization", name),
            Self::Policy(id) => ("policy", id),
            Self::Declarations => ("declarations", ""),
        }
    }

    /// `None`: another version wrote it, or it stands for everything.
    fn parse(kind: &str, name: String) -> Option<Self> {
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
const EVERYTHING: &str = "everything";

/// So many things at most are read by themselves; whoever would have to read more reads everything.
const MANY: usize = 200;

/// So many versions can be caught up with.
const KEPT: i64 = 1000;

/// A change may come in between the reads so many times in a row.
const ATTEMPTS: usize = 5;

/// What a transaction changed so far, and whether it deleted it.
#[derive(Debug, Default)]
pub(in crate::store) struct Noted(BTreeMap<Thing, bool>);

impl Noted {
    fn note(&mut self, thing: Thing, deleted: bool) {
        *self.0.entry(thing).or_default() |= deleted;
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Tx {
    /// Notes that a thing was changed or made; the commit tells every instance.
    pub(in crate::store) fn policy_changed(&mut self, thing: Thing) {
        self.noted().note(thing, false);
    }

    /// Notes that a thing was deleted, with what other things had of it.
    pub(in crate::store) fn policy_deleted(&mut self, thing: Thing) {
        self.noted().note(thing, true);
    }

    /// Writes what was noted, under one new version.
    pub(in crate::store) async fn write_noted(&mut self) -> Result<(), StoreError> {
        let noted = std::mem::take(self.noted());
        // The row of the topic is locked from here to the commit: versions are committed in their order.
        bump_changes(self, POLICY).await?;
        if noted.0.len() > MANY {
            return self.write_change(EVERYTHING, "", false).await;
        }
        for (thing, deleted) in &noted.0 {
            let (kind, name) = thing.stored();
            self.write_change(kind, name, *deleted).await?;
        }
        Ok(())
    }

    async fn write_change(
        &mut self,
        kind: &'static str,
        name: &str,
        deleted: bool,
    ) -> Result<(), StoreError> {
        let write = self.q(WRITE).bind(kind).bind(name.to_owned());
        write.bind(deleted).exec().await?;
        Ok(())
    }
}

impl Store {
    /// What was changed after version `from`, as it is now, and which version that is. `None`: it is not known, or
    /// more than is worth reading by itself.
    pub async fn read_policy_changes(
        &self,
        from: i64,
    ) -> Result<Option<(i64, Changes)>, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some((version, noted)) = self.noted_since(from).await? else {
                return Ok(None);
            };
            let changes = self.read_noted(noted).await?;
            if self.policy_versions().await?.policy == version {
                return Ok(Some((version, changes)));
            }
        }
        Ok(None)
    }

    async fn noted_since(&self, from: i64) -> Result<Option<(i64, Noted)>, StoreError> {
        let most = i64::try_from(MANY).unwrap_or(i64::MAX);
        let rows = self.db.q(SINCE).bind(from).bind(most + 1);
        let rows = rows.all::<(i64, String, String, bool)>().await?;
        if rows.len() > MANY {
            return Ok(None);
        }
        let (mut version, mut noted) = (from, Noted::default());
        for (changed_by, kind, name, deleted) in rows {
            let Some(thing) = Thing::parse(&kind, name) else {
                return Ok(None);
            };
            if changed_by > version + 1 {
                return Ok(None);
            }
            version = changed_by;
            noted.note(thing, deleted);
        }
        Ok((!noted.is_empty()).then_some((version, noted)))
    }

    async fn read_noted(&self, noted: Noted) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        for (thing, deleted) in noted.0 {
            let gone = |names: &mut BTreeSet<String>, name: &String| {
                if deleted {
                    names.insert(name.clone());
                }
            };
            match thing {
                Thing::Role(name) => {
                    gone(&mut changes.deleted.roles, &name);
                    let role = self.find_role(&name).await?.map(|role| Role {
                        parents: role.parents.into_iter().map(Into::into).collect(),
                        permissions: role.permissions.into_iter().collect(),
                    });
                    changes.roles.insert(name, role);
                }
                Thing::Group(name) => {
                    gone(&mut changes.deleted.groups, &name);
                    let group = self.find_written_group(&name).await?;
                    changes.groups.insert(name, group);
                }
                Thing::Organization(name) => {
                    gone(&mut changes.deleted.organizations, &name);
                    let organization = self.find_organization(&name).await?;
                    let attributes = organization.map(|it| it.attributes);
                    changes.organizations.insert(name, attributes);
                }
                Thing::Policy(id) => {
                    let policy = self.find_policy(&id).await?;
                    let enabled = policy.filter(|policy| policy.enabled);
                    changes.policies.insert(id, enabled.map(|it| it.cedar));
                }
                Thing::Declarations => {
                    changes.declarations = Some(self.list_declarations().await?);
                }
            }
        }
        Ok(changes)
    }

    async fn find_written_group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let Some(group) = self.find_group(name).await? else {
            return Ok(None);
        };
        let holder = Holder::Group(name.to_owned());
        let mut levels = Levels::default();
        for (resource, level) in self.list_levels_of(&holder).await? {
            let of_type = levels.entry(resource.kind).or_default();
            of_type.insert(resource.id, level);
        }
        let assignments = self.list_assignments_of(&holder).await?;
        Ok(Some(Group {
            parents: group.parents.into_iter().map(Into::into).collect(),
            attributes: group.attributes,
            assignments: assignments.into_iter().collect(),
            levels,
        }))
    }

    /// Deletes what is too old to be caught up with; how many rows.
    pub(in crate::store) async fn purge_policy_changes(&self) -> Result<u64, StoreError> {
        self.db.w(PURGE).bind(KEPT).exec().await
    }
}

const WRITE: &str = "INSERT INTO policy_changes (version, kind, name, deleted) \
    SELECT version, $1, $2, $3 FROM changes WHERE topic = 'policy'";

const SINCE: &str = "SELECT version, kind, name, deleted FROM policy_changes WHERE version > $1 \
    ORDER BY version LIMIT $2";

const PURGE: &str = "DELETE FROM policy_changes \
    WHERE version <= (SELECT version - $1 FROM changes WHERE topic = 'policy')";
