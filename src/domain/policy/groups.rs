//! Groups, compiled: what each gives its members, by itself and through the groups it is in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rpds::HashTrieMapSync;
use serde_json::{Map, Value};

use super::decision::{Assignment, Levels};
use super::roles::{Ancestors, moved_ancestors, without};

/// A group as it is written down.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Groups whose members its members are too.
    pub parents: BTreeSet<String>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
    /// Roles of its members.
    pub assignments: Vec<Assignment>,
    /// What its members may do to single resources.
    pub levels: Levels,
}

/// Names of what was deleted: what other things had of them is gone too, also when there is another of that name.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    /// Roles: no parents of others, not given to groups.
    pub roles: BTreeSet<String>,
    /// Groups: no parents of others.
    pub groups: BTreeSet<String>,
    /// Organizations: groups have no roles for them.
    pub organizations: BTreeSet<String>,
}

impl Deleted {
    pub(super) fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.groups.is_empty() && self.organizations.is_empty()
    }
}

/// Every group. Cheap to copy: what is in it is shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: HashTrieMapSync<String, Compiled>,
}

#[derive(Clone, Debug)]
pub(super) struct Compiled {
    written: Arc<Group>,
    /// The group itself, its parents, their parents and so on.
    pub(super) ancestors: Ancestors,
}

impl Compiled {
    /// What policies may ask about it, and what it is in.
    pub(super) fn about(&self) -> (Map<String, Value>, Ancestors) {
        (self.written.attributes.clone(), Arc::clone(&self.ancestors))
    }

    /// Roles of its members, without those through its parents.
    pub(super) fn assignments(&self) -> &[Assignment] {
        &self.written.assignments
    }

    /// Levels of its members, without those through its parents.
    pub(super) fn levels(&self) -> &Levels {
        &self.written.levels
    }
}

impl Groups {
    /// These groups after a change, and the names of all whose attributes or ancestors may be others now. `None` is a
    /// group that is gone; what was deleted, if only for a moment, is not a parent or a role of any group any more.
    #[must_use]
    pub(super) fn with(
        &self,
        changed: BTreeMap<String, Option<Group>>,
        deleted: &Deleted,
    ) -> (Self, BTreeSet<String>) {
        let mut groups = self.groups.clone();
        let mut moved = BTreeSet::new();
        if !deleted.is_empty() {
            for (name, group) in self.groups.iter() {
                let Some(written) = group.written.without(deleted) else {
                    continue;
                };
                if written.parents != group.written.parents {
                    moved.insert(name.clone());
                }
                let group = Compiled {
                    written: Arc::new(written),
                    ancestors: Arc::clone(&group.ancestors),
                };
                groups.insert_mut(name.clone(), group);
            }
        }
        let mut touched: BTreeSet<String> = changed.keys().cloned().collect();
        for (name, written) in changed {
            let Some(written) = written else {
                groups.remove_mut(&name);
                moved.insert(name);
                continue;
            };
            let before = groups.get(&name);
            if before.is_none_or(|before| before.written.parents != written.parents) {
                moved.insert(name.clone());
            }
            let ancestors = before.map_or_else(Ancestors::default, |it| Arc::clone(&it.ancestors));
            let written = Arc::new(written);
            groups.insert_mut(name, Compiled { written, ancestors });
        }
        let ancestors = moved_ancestors(
            &moved,
            || {
                groups
                    .iter()
                    .map(|(name, group)| (name.as_str(), &group.ancestors))
            },
            |name| groups.get(name).map(|group| &group.written.parents),
        );
        for (name, ancestors) in ancestors {
            if let Some(group) = groups.get_mut(&name) {
                group.ancestors = ancestors;
            }
            touched.insert(name);
        }
        (Self { groups }, touched)
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> Option<&Compiled> {
        self.groups.get(name)
    }

    /// How many groups, parents and roles of them there are, levels of the one that has most, and levels of all.
    pub(super) fn counts(&self) -> [usize; 5] {
        let mut counts = [self.groups.size(), 0, 0, 0, 0];
        for group in self.groups.values() {
            let levels = group.written.levels.values().map(HashMap::len).sum();
            counts[1] += group.written.parents.len();
            counts[2] += group.written.assignments.len();
            counts[3] = counts[3].max(levels);
            counts[4] += levels;
        }
        counts
    }
}

impl Group {
    /// Without what was deleted; `None` when it has nothing of it.
    fn without(&self, deleted: &Deleted) -> Option<Self> {
        let parents = without(&self.parents, &deleted.groups);
        let is_left = |assignment: &&Assignment| {
            let organization = assignment.organization.as_ref();
            !deleted.roles.contains(&assignment.role)
                && organization.is_none_or(|name| !deleted.organizations.contains(name))
        };
        if parents.is_none() && self.assignments.iter().all(|one| is_left(&one)) {
            return None;
        }
        let left = self.assignments.iter().filter(is_left);
        Some(Self {
            parents: parents.unwrap_or_else(|| self.parents.clone()),
            attributes: self.attributes.clone(),
            assignments: left.cloned().collect(),
            levels: self.levels.clone(),
        })
    }
}

#[cfg(test)]
impl Groups {
    pub(super) fn dump(&self) -> Vec<String> {
        let groups = self.groups.iter().collect::<BTreeMap<_, _>>();
        let group = |(name, group): (&String, &Compiled)| {
            let Group {
                parents,
                attributes,
                assignments,
                levels,
            } = &*group.written;
            let assignments = assignments.iter().collect::<BTreeSet<_>>();
            let ordered = |levels| BTreeMap::<&String, _>::from_iter(levels);
            let levels = levels.iter().map(|(kind, levels)| (kind, ordered(levels)));
            let levels = levels.collect::<BTreeMap<_, _>>();
            let ancestors = &group.ancestors;
            format!(
                "group {name}: {parents:?} {attributes:?} {assignments:?} {levels:?} {ancestors:?}"
            )
        };
        groups.into_iter().map(group).collect()
    }
}
