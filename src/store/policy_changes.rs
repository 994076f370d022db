//! Which of the things that decisions are made from were changed: the `policy_changes` table. An instance that knows
//! everything up to a version reads what was changed since, and nothing else.

use std::collections::BTreeSet;

use super::Store;
use super::assignments::Holder;
use super::db::{MANY, Noted, Thing};
use super::error::StoreError;
use crate::domain::policy::{Changes, Group, Levels, Role};

/// So many versions can be caught up with.
const KEPT: i64 = 1000;

/// A change may come in between the reads so many times in a row.
const ATTEMPTS: usize = 5;

/// What was changed after a version.
#[derive(Debug)]
pub enum Since {
    /// Nothing.
    Nothing,
    /// This, as it was at this version.
    Changed(i64, Box<Changes>),
    /// It is not known, or more than is worth reading by itself.
    Unknown,
}

impl Store {
    /// What was changed after version `from`, as it stands together at one later version.
    pub async fn read_policy_changes(&self, from: i64) -> Result<Since, StoreError> {
        for _ in 0..ATTEMPTS {
            let now = self.policy_versions().await?.policy;
            if now == from {
                return Ok(Since::Nothing);
            }
            let Some((version, noted)) = self.noted_since(from).await? else {
                return Ok(Since::Unknown);
            };
            // Some are missing, or the database is one of before.
            if version < now || noted.is_empty() {
                return Ok(Since::Unknown);
            }
            let changes = self.read_noted(&noted).await?;
            let Some((_, later)) = self.noted_since(version).await? else {
                return Ok(Since::Unknown);
            };
            // What was changed meanwhile is read the next time, unless it was read here in part.
            if !later.touches(&noted) {
                return Ok(Since::Changed(version, Box::new(changes)));
            }
        }
        Ok(Since::Unknown)
    }

    /// The things that are noted after a version, and up to which version. `None`: some are missing, or there are too
    /// many.
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
        Ok(Some((version, noted)))
    }

    async fn read_noted(&self, noted: &Noted) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        for (thing, deleted) in noted.things() {
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

const SINCE: &str = "SELECT version, kind, name, deleted FROM policy_changes WHERE version > $1 \
    ORDER BY version LIMIT $2";

const PURGE: &str = "DELETE FROM policy_changes \
    WHERE version <= (SELECT version - $1 FROM changes WHERE topic = 'policy')";
