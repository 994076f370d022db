//! Which of the things that decisions are made from were changed: the `policy_changes` table. An instance that knows
//! everything up to a version reads what was changed since, and nothing else.

use std::collections::BTreeSet;

use super::Store;
use super::assignments::Holder;
use super::changes::Version;
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
    /// This.
    Changed(Box<Changed>),
    /// It is not known, or more than is worth reading by itself.
    Unknown,
}

/// Changes, as they stand together at one later version.
#[derive(Debug)]
pub struct Changed {
    /// The version.
    pub version: Version,
    /// Whether nothing else was changed until all of it was read.
    pub is_last: bool,
    /// The changes.
    pub changes: Changes,
}

/// What is noted after a version.
enum NotedSince {
    /// This, up to the version that is current.
    These(Version, Noted),
    /// Some changes are missing, there are too many, or the version is none of this database: it is one of before.
    Missing,
}

impl Store {
    /// What was changed after version `from`, as it stands together at one later version.
    pub async fn read_policy_changes(&self, from: Version) -> Result<Since, StoreError> {
        for _ in 0..ATTEMPTS {
            let NotedSince::These(version, noted) = self.noted_since(from).await? else {
                return Ok(Since::Unknown);
            };
            if version == from {
                return Ok(Since::Nothing);
            }
            let changes = self.read_noted(&noted).await?;
            let NotedSince::These(now, later) = self.noted_since(version).await? else {
                return Ok(Since::Unknown);
            };
            // What was changed meanwhile is read the next time, unless it was read here in part.
            if !later.touches(&noted) {
                return Ok(Since::Changed(Box::new(Changed {
                    version,
                    is_last: now == version,
                    changes,
                })));
            }
        }
        Ok(Since::Unknown)
    }

    /// The things that are noted after a version.
    async fn noted_since(&self, from: Version) -> Result<NotedSince, StoreError> {
        let most = i64::try_from(MANY).unwrap_or(i64::MAX);
        let rows = self.db.q(SINCE).bind(from.number).bind(most + 1);
        let rows = rows.all::<SinceRow>().await?;
        let Some(first) = rows.first() else {
            return Ok(NotedSince::Missing);
        };
        let current = Version {
            number: first.current,
            mark: first.current_mark,
        };
        if current == from {
            return Ok(NotedSince::These(current, Noted::default()));
        }
        // Another history has another mark at the same number, or has not come so far.
        let is_ours = match (first.from_mark, from.mark) {
            (Some(noted), Some(known)) => noted == known,
            (_, _) => true,
        };
        if !is_ours || current.number <= from.number || rows.len() > MANY {
            return Ok(NotedSince::Missing);
        }
        let (mut number, mut noted) = (from.number, Noted::default());
        for row in rows {
            let Some((changed_by, thing, deleted)) = row.into_change() else {
                return Ok(NotedSince::Missing);
            };
            if changed_by > number + 1 {
                return Ok(NotedSince::Missing);
            }
            number = changed_by;
            noted.note(thing, deleted);
        }
        Ok(if number == current.number {
            NotedSince::These(current, noted)
        } else {
            NotedSince::Missing
        })
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

/// The version that is current, and a change after another version if there is one.
#[derive(sqlx::FromRow)]
struct SinceRow {
    current: i64,
    current_mark: Option<i64>,
    /// The mark under which the other version is noted.
    from_mark: Option<i64>,
    version: Option<i64>,
    kind: Option<String>,
    name: Option<String>,
    deleted: Option<bool>,
}

impl SinceRow {
    /// `None`: nothing is noted, or another version of Signet wrote it.
    fn into_change(self) -> Option<(i64, Thing, bool)> {
        let thing = Thing::parse(&self.kind?, self.name?)?;
        Some((self.version?, thing, self.deleted?))
    }
}

const SINCE: &str = "SELECT c.version AS current, c.mark AS current_mark, \
    (SELECT MAX(f.mark) FROM policy_changes f WHERE f.version = $1) AS from_mark, p.version, p.kind, p.name, p.deleted \
    FROM changes c LEFT JOIN policy_changes p ON p.version > $1 WHERE c.topic = 'policy' ORDER BY p.version LIMIT $2";

const PURGE: &str = "DELETE FROM policy_changes \
    WHERE version <= (SELECT version - $1 FROM changes WHERE topic = 'policy')";
