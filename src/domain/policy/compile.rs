//! Making a snapshot of what is written, and another one of a snapshot and what was changed since.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::attributes::Declarations;
use super::bounds::{Bounded, Count};
use super::cedar::Broken;
use super::family::Deleted;
use super::groups::{Compiled, Group};
use super::roles::Role;
use super::snapshot::Snapshot;

/// What is written down, except about single people and resources.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Attributes of organizations by name.
    pub organizations: BTreeMap<String, Map<String, Value>>,
    /// Enabled policies by id.
    pub policies: BTreeMap<String, String>,
    /// What is declared of attributes.
    pub declarations: Declarations,
}

/// What is written down now of the things that were changed. `None` is a thing that is gone.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Roles by name.
    pub roles: BTreeMap<String, Option<Role>>,
    /// Groups by name.
    pub groups: BTreeMap<String, Option<Group>>,
    /// Attributes of organizations by name.
    pub organizations: BTreeMap<String, Option<Map<String, Value>>>,
    /// Policies by id; a disabled one is `None`.
    pub policies: BTreeMap<String, Option<String>>,
    /// Everything that is declared of attributes, if some of it was changed.
    pub declarations: Option<Declarations>,
    /// What was deleted, and perhaps made again under its name.
    pub deleted: Deleted,
}

impl From<Written> for Changes {
    fn from(written: Written) -> Self {
        fn there<T>(all: BTreeMap<String, T>) -> BTreeMap<String, Option<T>> {
            let all = all.into_iter();
            all.map(|(name, one)| (name, Some(one))).collect()
        }
        Self {
            roles: there(written.roles),
            groups: there(written.groups),
            organizations: there(written.organizations),
            policies: there(written.policies),
            declarations: Some(written.declarations),
            deleted: Deleted::default(),
        }
    }
}

impl Snapshot {
    /// Compiles what is written. While there is something in [`broken`](Self::broken), nothing is allowed.
    #[must_use]
    pub fn compile(written: Written) -> Self {
        Self::default().advanced(written.into())
    }

    /// This one after some changes; what was not changed is shared with it. Policies that cannot be used do not take
    /// down those that decide: see [`or_policies_of`](Self::or_policies_of).
    #[must_use]
    pub fn with(&self, changes: Changes) -> Self {
        self.advanced(changes).or_policies_of(self)
    }

    fn advanced(&self, changes: Changes) -> Self {
        let roles = self.roles.with(changes.roles, &changes.deleted);
        let (groups, touched) = self.groups.with(changes.groups, &changes.deleted);
        let touched = touched.into_iter().map(|name| {
            let about = groups.get(&name).map(Compiled::about);
            (name, about)
        });
        let known = self
            .known
            .with(changes.declarations, touched, changes.organizations);
        let written = self.written.with(changes.policies);
        let (policies, mut broken) = self.policies.with(&written);
        broken.extend(written.broken());
        Self {
            roles,
            groups,
            policies,
            known,
            written,
            unusable: broken.clone(),
            broken,
        }
    }

    /// This one, if its policies can be used; else with those of the one before.
    #[must_use]
    pub fn or_policies_of(self, before: &Self) -> Self {
        if self.broken.is_empty() || !before.broken.is_empty() {
            return self;
        }
        Self {
            policies: Arc::clone(&before.policies),
            broken: Vec::new(),
            ..self
        }
    }

    /// Policies that are in the store and cannot be used. While there are some, those of before decide, or nothing is
    /// allowed.
    #[must_use]
    pub fn unusable(&self) -> &[Broken] {
        &self.unusable
    }

    /// How much there is of everything that is held in memory.
    #[must_use]
    pub fn counts(&self) -> Vec<Count> {
        let [roles, permissions, role_parents] = self.roles.counts();
        let [groups, group_parents, group_roles, most, levels] = self.groups.counts();
        let counts = [
            (Bounded::Roles, roles),
            (Bounded::Permissions, permissions),
            (Bounded::RoleParents, role_parents),
            (Bounded::Groups, groups),
            (Bounded::GroupParents, group_parents),
            (Bounded::GroupRoles, group_roles),
            (Bounded::LevelsOfAGroup, most),
            (Bounded::GroupLevels, levels),
            (Bounded::Organizations, self.known.count_organizations()),
            (Bounded::Policies, self.written.len()),
        ];
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        counts.map(|(what, of_it)| (what, count(of_it))).into()
    }
}

#[cfg(test)]
impl Snapshot {
    /// Everything in it, to be compared.
    pub fn dump(&self) -> Vec<String> {
        let mut dump = self.roles.dump();
        dump.extend(self.groups.dump());
        dump.extend(self.known.dump());
        dump.extend(self.policies.dump());
        dump.push(format!("{:?} {:?}", self.broken, self.unusable));
        dump.push(format!("{:?}", self.counts()));
        dump
    }
}
