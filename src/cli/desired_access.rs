//! Roles, groups, organizations, resources and policies, as a document speaks of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::document::{
    AssignmentEntry, AttributeEntry, GroupEntry, ObjectEntry, OrganizationEntry, PolicyEntry,
    RoleEntry,
};
use super::{Words, attributes, without_dates};
use crate::domain::policy::{Assignment, AttributeType, Declaration, Level, Of, ResourceName};
use crate::service::apply::{
    DesiredAttribute, DesiredGroup, DesiredObject, DesiredOrganization, DesiredPolicy, DesiredRole,
};
use crate::spec::time::Ts;
use crate::store::groups::{GroupRecord, OrganizationRecord};
use crate::store::objects::ObjectRecord;
use crate::store::roles::{PolicyRecord, RoleRecord};

impl Words<'_> {
    pub(super) fn group(&mut self, entry: GroupEntry) -> DesiredGroup {
        DesiredGroup {
            name: entry.name,
            group: GroupRecord {
                description: entry.description,
                attributes: entry.attributes.map(attributes).unwrap_or_default(),
                parents: entry.parents.unwrap_or_default().into_iter().collect(),
                roles: self.assignments(entry.roles.unwrap_or_default()),
                levels: self.levels(entry.levels.unwrap_or_default()),
            },
        }
    }

    pub(super) fn object(&mut self, entry: ObjectEntry) -> Option<DesiredObject> {
        let Some(name) = ResourceName::parse(&entry.resource) else {
            self.refuse("resource", RESOURCE);
            return None;
        };
        Some(DesiredObject {
            name,
            object: ObjectRecord {
                organization: entry.organization,
                attributes: attributes(entry.attributes.unwrap_or_default()),
            },
        })
    }

    pub(super) fn assignments(&mut self, written: Vec<AssignmentEntry>) -> BTreeSet<Assignment> {
        let assignment = |entry| match entry {
            AssignmentEntry::Name(role) => Assignment::of(role),
            AssignmentEntry::Table(table) => Assignment {
                until: table.until.and_then(|until| self.until(&table.role, until)),
                organization: table.organization,
                role: table.role,
            },
        };
        written.into_iter().map(assignment).collect()
    }

    fn until(&mut self, role: &str, written: Value) -> Option<Ts> {
        let written = without_dates(written);
        let until = written.as_str().and_then(Ts::parse_rfc3339);
        if until.is_none() {
            let problem = format!(
                "{role}: until = {written}: expected a date and time with its zone, such as 2027-01-01T00:00:00Z"
            );
            self.refuse("roles", &problem);
        }
        until
    }

    pub(super) fn attribute(&mut self, entry: AttributeEntry) -> Option<DesiredAttribute> {
        let known = AttributeType::ALL.map(AttributeType::as_str);
        let kind = self.word("type", Some(entry.kind), AttributeType::parse, &known)?;
        Some(DesiredAttribute {
            of: Of::parse(&entry.of),
            name: entry.name,
            declaration: Declaration {
                kind,
                required: entry.required.unwrap_or(false),
            },
        })
    }

    pub(super) fn levels(
        &mut self,
        written: BTreeMap<String, String>,
    ) -> BTreeMap<ResourceName, Level> {
        let mut levels = BTreeMap::new();
        for (resource, level) in written {
            match (ResourceName::parse(&resource), Level::parse(&level)) {
                (Some(name), Some(level)) => {
                    levels.insert(name, level);
                }
                (None, _) => self.refuse("levels", &format!("{resource:?}: {RESOURCE}")),
                (_, None) => self.refuse(
                    "levels",
                    &format!("{level:?}: expected read, write, delete or admin"),
                ),
            }
        }
        levels
    }
}

pub(super) fn organization(entry: OrganizationEntry) -> DesiredOrganization {
    DesiredOrganization {
        name: entry.name,
        organization: OrganizationRecord {
            description: entry.description,
            attributes: entry.attributes.map(attributes).unwrap_or_default(),
        },
    }
}

pub(super) fn role(entry: RoleEntry) -> DesiredRole {
    let set = |items: Option<Vec<String>>| -> BTreeSet<String> {
        items.unwrap_or_default().into_iter().collect()
    };
    DesiredRole {
        name: entry.name,
        role: RoleRecord {
            description: entry.description,
            parents: set(entry.parents),
            permissions: set(entry.permissions),
        },
    }
}

pub(super) fn policy(entry: PolicyEntry) -> DesiredPolicy {
    DesiredPolicy {
        id: entry.id,
        policy: PolicyRecord {
            cedar: entry.cedar,
            description: entry.description,
            enabled: entry.enabled.unwrap_or(true),
        },
    }
}

const RESOURCE: &str = "expected a type, a colon and an id, such as Document:42";
