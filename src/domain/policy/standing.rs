//! What people, roles and groups have, whatever is asked: for tokens, and for administrators who give some of it away.

use std::collections::BTreeSet;

use super::decision::{Assignment, Standing, Subject};
use super::groups::Compiled;
use super::permission::{Level, ResourceName};
use super::snapshot::Snapshot;
use crate::spec::time::Ts;

impl Snapshot {
    /// What a person has whatever they do.
    #[must_use]
    pub fn standing(&self, subject: &Subject, now: Ts) -> Standing {
        self.standing_in(subject, None, now)
    }

    /// What a person has, counting what they were given for this organization.
    #[must_use]
    pub fn standing_in(&self, subject: &Subject, organization: Option<&str>, now: Ts) -> Standing {
        let mut standing = Standing {
            groups: self
                .groups_of(subject)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            organizations: subject.organizations.clone(),
            attributes: subject.attributes.clone(),
            ..Standing::default()
        };
        for assignment in self.assignments_of(subject, now) {
            let given_for = assignment.organization.as_deref();
            if given_for.is_some() && given_for != organization {
                continue;
            }
            let role = &assignment.role;
            standing
                .roles
                .extend(self.roles.with_ancestors(role).iter().cloned());
            standing.permissions.extend(self.roles.permissions(role));
        }
        standing
    }

    /// Every role that a person was given, themselves or through groups, for whatever organization, and that has not
    /// ended.
    #[must_use]
    pub fn assignments_of<'a>(&'a self, subject: &'a Subject, now: Ts) -> Vec<&'a Assignment> {
        let groups = self.groups_of(subject);
        let through_groups = groups
            .into_iter()
            .filter_map(|name| self.groups.get(name))
            .flat_map(Compiled::assignments);
        subject
            .assignments
            .iter()
            .chain(through_groups)
            .filter(|assignment| assignment.until.is_none_or(|until| until > now))
            .collect()
    }

    /// Everything that a role allows, its parents' permissions included, as `resource_type:action`.
    #[must_use]
    pub fn role_permissions(&self, role: &str) -> BTreeSet<String> {
        self.roles.permissions(role).collect()
    }

    /// A role with its parents, their parents and so on.
    #[must_use]
    pub fn role_ancestors(&self, role: &str) -> &[String] {
        self.roles.with_ancestors(role)
    }

    /// A group with its parents, their parents and so on.
    #[must_use]
    pub fn group_ancestors(&self, group: &str) -> &[String] {
        self.groups.get(group).map_or(&[], |group| &group.ancestors)
    }

    /// The roles that members of a group have through it and the groups it belongs to.
    pub fn group_assignments<'a>(&'a self, group: &str) -> impl Iterator<Item = &'a Assignment> {
        self.group_ancestors(group)
            .iter()
            .filter_map(|name| self.groups.get(name))
            .flat_map(Compiled::assignments)
    }

    /// The highest level that a person has on one resource.
    #[must_use]
    pub fn level_of(&self, subject: &Subject, resource: &ResourceName) -> Option<Level> {
        let groups = self.groups_of(subject);
        let through_groups = groups
            .into_iter()
            .filter_map(|name| self.groups.get(name))
            .map(Compiled::levels);
        std::iter::once(&subject.levels)
            .chain(through_groups)
            .filter_map(|levels| levels.get(&resource.kind)?.get(&resource.id).copied())
            .max()
    }
}
