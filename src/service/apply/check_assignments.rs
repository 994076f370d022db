//! Whether roles can be given as is wanted, and what was meant by a name that is not known.

use std::collections::{BTreeMap, BTreeSet};

use super::Kind;
use super::check::Check;
use crate::config::parse::nearest;
use crate::domain::policy::Assignment;
use crate::store::roles::RoleRecord;

impl Check<'_, '_> {
    pub(super) fn assignments(
        &mut self,
        kind: Kind,
        name: &str,
        given: &BTreeSet<Assignment>,
        roles: &BTreeMap<String, RoleRecord>,
    ) {
        let mut before: Option<&Assignment> = None;
        for assignment in given {
            let role = &assignment.role;
            let known = || roles.keys().chain(self.known.roles.keys());
            if !known().any(|known| known == role) {
                let problem = unknown("role", role, known().map(String::as_str));
                self.refuse(kind, name, "roles", problem);
            }
            if let Some(organization) = &assignment.organization
                && !self.has_organization(organization)
            {
                let problem = format!("{role}: {}", self.no_organization(organization));
                self.refuse(kind, name, "roles", problem);
            }
            // They stand in the order of role and organization.
            if before.is_some_and(|before| before.is_for_the_same_as(assignment)) {
                let problem = format!("{assignment} is there twice, with two values of `until`");
                self.refuse(kind, name, "roles", problem);
            }
            before = Some(assignment);
            // A document that was right yesterday still applies.
            if let Some(until) = assignment.until
                && until <= self.now
            {
                let ended = until.rfc3339();
                self.warnings.push(format!(
                    "{kind} {name:?}: the role {assignment} ended at {ended} and gives nothing; remove it or set a later `until`"
                ));
            }
        }
    }

    pub(super) fn no_organization(&self, name: &str) -> String {
        let desired = self.desired.organizations.iter().map(|it| &it.name);
        let known = desired.chain(&self.known.organizations);
        unknown("organization", name, known.map(String::as_str))
    }

    pub(super) fn no_group(&self, name: &str) -> String {
        let desired = self.desired.groups.iter().map(|it| &it.name);
        let known = desired.chain(self.known.groups.keys());
        unknown("group", name, known.map(String::as_str))
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) if near != name => {
            format!("there is no {what} {name:?}; did you mean {near:?}?")
        }
        Some(_) | None => format!("there is no {what} {name:?}"),
    }
}
