//! Groups, compiled: what each gives its members, by itself and through the groups it is in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::decision::{Assignment, Levels};
use super::family::{Ancestors, Child, Deleted, Family, Member, without};

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

/// Every group. Cheap to copy: what is in it is shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: Family<Group>,
}

pub(super) type Compiled = Member<Group>;

impl Compiled {
    /// What policies may ask about it, and what it is in.
    pub(super) fn about(&self) -> (Map<String, Value>, Ancestors) {
        (self.own.attributes.clone(), Arc::clone(&self.ancestors))
    }

    /// Roles of its members, without those through its parents.
    pub(super) fn assignments(&self) -> &[Assignment] {
        &self.own.assignments
    }

    /// Levels of its members, without those through its parents.
    pub(super) fn levels(&self) -> &Levels {
        &self.own.levels
    }
}

impl Groups {
    /// These groups after a change, and the names of all whose attributes or ancestors may be others now. `None` is a
    /// group that is gone.
    #[must_use]
    pub(super) fn with(
        &self,
        changed: BTreeMap<String, Option<Group>>,
        deleted: &Deleted,
    ) -> (Self, BTreeSet<String>) {
        let (groups, touched) = self.groups.with(changed, deleted);
        (Self { groups }, touched)
    }

    /// One of them.
    pub(super) fn get(&self, name: &str) -> Option<&Compiled> {
        self.groups.get(name)
    }

    /// How many groups, parents and roles of them there are, levels of the one that has most, and levels of all.
    pub(super) fn counts(&self) -> [usize; 5] {
        let mut counts = [self.groups.len(), 0, 0, 0, 0];
        for (_, group) in self.groups.iter() {
            let levels = group.own.levels.values().map(HashMap::len).sum();
            counts[1] += group.own.parents.len();
            counts[2] += group.own.assignments.len();
            counts[3] = counts[3].max(levels);
            counts[4] += levels;
        }
        counts
    }
}

impl Child for Group {
    fn parents(&self) -> &BTreeSet<String> {
        &self.parents
    }

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
            } = &*group.own;
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
