//! Whether groups, organizations and resources can be what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::check::{Check, NAME, is_name};
use super::{DesiredUser, Kind};
use crate::domain::policy::in_cycles;
use crate::store::roles::RoleRecord;

impl Check<'_, '_> {
    pub(super) fn organizations(&mut self) {
        for desired in &self.desired.organizations {
            if !is_name(&desired.name) {
                self.refuse(Kind::Organization, &desired.name, "name", NAME);
            }
            let description = desired.organization.description.as_deref();
            self.text(
                Kind::Organization,
                &desired.name,
                "description",
                description.unwrap_or_default(),
            );
            let attributes = Value::from(desired.organization.attributes.clone()).to_string();
            self.text(Kind::Organization, &desired.name, "attributes", &attributes);
        }
    }

    pub(super) fn groups(&mut self, roles: &BTreeMap<String, RoleRecord>) {
        let desired = self.desired;
        for group in &desired.groups {
            let name = &group.name;
            if !is_name(name) {
                self.refuse(Kind::Group, name, "name", NAME);
            }
            let description = group.group.description.as_deref();
            self.text(
                Kind::Group,
                name,
                "description",
                description.unwrap_or_default(),
            );
            let attributes = Value::from(group.group.attributes.clone()).to_string();
            self.text(Kind::Group, name, "attributes", &attributes);
            for parent in &group.group.parents {
                if !self.has_group(parent) {
                    let problem = self.no_group(parent);
                    self.refuse(Kind::Group, name, "parents", problem);
                }
            }
            self.assignments(Kind::Group, name, &group.group.roles, roles);
        }
        // As the store would be afterwards.
        let mut parents: BTreeMap<&str, &BTreeSet<String>> = self
            .known
            .groups
            .iter()
            .map(|(name, group)| (name.as_str(), &group.parents))
            .collect();
        let wanted = desired.groups.iter();
        parents.extend(wanted.map(|group| (group.name.as_str(), &group.group.parents)));
        for name in in_cycles(&parents) {
            let problem = "the group would be among its own parents' parents";
            self.refuse(Kind::Group, &name, "parents", problem);
        }
    }

    pub(super) fn objects(&mut self) {
        for desired in &self.desired.objects {
            let name = desired.name.to_string();
            if let Some(organization) = &desired.object.organization
                && !self.has_organization(organization)
            {
                let problem = self.no_organization(organization);
                self.refuse(Kind::Object, &name, "organization", problem);
            }
            let attributes = serde_json::to_string(&desired.object.attributes);
            self.text(
                Kind::Object,
                &name,
                "attributes",
                &attributes.unwrap_or_default(),
            );
        }
    }

    /// To what a person is to belong.
    pub(super) fn memberships(&mut self, desired: &DesiredUser) {
        let name = &desired.username;
        for group in desired.groups.iter().flatten() {
            if !self.has_group(group) {
                let problem = self.no_group(group);
                self.refuse(Kind::User, name, "groups", problem);
            }
        }
        for organization in desired.organizations.iter().flatten() {
            if !self.has_organization(organization) {
                let problem = self.no_organization(organization);
                self.refuse(Kind::User, name, "organizations", problem);
            }
        }
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        let mut desired = self.desired.groups.iter();
        desired.any(|group| group.name == name)
            || (!self.options.prune && self.known.groups.contains_key(name))
    }

    pub(super) fn has_organization(&self, name: &str) -> bool {
        let mut desired = self.desired.organizations.iter();
        desired.any(|organization| organization.name == name)
            || (!self.options.prune && self.known.organizations.contains(name))
    }
}
