//! What users could ever do, and what policies may make of a change: for the guards of changes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::cedar::{ELSEWHERE, GROUP, Named, ORGANIZATION, ROLE, Unknowing};
use super::decision::{Object, Subject};
use super::permission::Level;
use super::snapshot::Snapshot;
use crate::spec::time::Ts;

/// Where something may be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// To what belongs to no organization.
    NoOrganization,
    /// To what belongs to this organization.
    Organization(String),
    /// To what belongs to an organization that policies and the person's memberships do not name.
    Elsewhere,
}

impl Place {
    /// The name of the organization; [`Elsewhere`](Self::Elsewhere) has one that no organization has.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        match self {
            Self::NoOrganization => None,
            Self::Organization(name) => Some(name),
            Self::Elsewhere => Some(ELSEWHERE),
        }
    }

    fn of(organization: Option<&str>) -> Self {
        organization.map_or(Self::NoOrganization, |name| {
            Self::Organization(name.to_owned())
        })
    }
}

impl Snapshot {
    /// Whether an enabled policy names a thing.
    #[must_use]
    pub fn policies_name(&self, thing: Named<'_>) -> bool {
        self.policies.name(thing, false)
    }

    /// Whether an enabled `forbid` policy names a thing.
    #[must_use]
    pub fn forbids_name(&self, thing: Named<'_>) -> bool {
        self.policies.name(thing, true)
    }

    /// Whether an enabled policy may read an attribute of a thing.
    #[must_use]
    pub fn policies_read(&self, thing: Named<'_>, attribute: &str) -> bool {
        self.policies.read(thing, attribute, false)
    }

    /// Whether an enabled `forbid` policy may read an attribute of a thing.
    #[must_use]
    pub fn forbids_read(&self, thing: Named<'_>, attribute: &str) -> bool {
        self.policies.read(thing, attribute, true)
    }

    /// Where a person could ever do something to a resource: by a level, or by any enabled `permit` policy that may
    /// apply to them, with context, client and time unknown. No `forbid` lessens it, because it may not hold one day.
    /// What roles give is in [`assignments_of`](Self::assignments_of). Errs to more.
    #[must_use]
    pub fn could_ever(
        &self,
        subject: &Subject,
        action: &str,
        object: &Object,
        now: Ts,
    ) -> BTreeSet<Place> {
        let everywhere = match &object.organization {
            Some(name) => vec![Place::of(Some(name))],
            None => vec![Place::NoOrganization, Place::Elsewhere],
        };
        let mut places = BTreeSet::new();
        let name = object.name();
        if self.level_of(subject, &name) >= Some(Level::needed_for(action)) {
            places.extend(everywhere.iter().cloned());
        }
        let memberships = self.could_belong(subject, now);
        let user = subject.id.to_string();
        let user_organization = match subject.organizations.as_slice() {
            [one] => Some(one.as_str()),
            _ => None,
        };
        for permit in self.policies.permits_on(&object.kind, &object.id) {
            let mut candidates = everywhere.clone();
            if object.organization.is_none() && permit.asks_about_resource() {
                let mut names: BTreeSet<&str> = permit.names_written().collect();
                names.extend(subject.organizations.iter().map(String::as_str));
                texts_in(&subject.attributes, &mut names);
                texts_in(&object.attributes, &mut names);
                let known = names
                    .into_iter()
                    .filter(|name| self.known.has_organization(name));
                candidates.extend(known.map(|name| Place::of(Some(name))));
            }
            for place in candidates {
                if places.contains(&place) {
                    continue;
                }
                let mut attributes = object.attributes.clone();
                if let Some(organization) = place.organization() {
                    attributes.insert("organization".to_owned(), organization.into());
                }
                let may_hold = permit.may_hold(&Unknowing {
                    user: &user,
                    user_attributes: &subject.attributes,
                    user_organization,
                    memberships: &memberships,
                    action,
                    resource_type: &object.kind,
                    resource_id: &object.id,
                    resource_attributes: &attributes,
                    resource_organization: place.organization(),
                    declarations: &self.known.declarations,
                });
                if may_hold {
                    places.insert(place);
                }
            }
        }
        places
    }

    /// Roles, groups and organizations of a person, at whatever resource.
    fn could_belong<'a>(
        &'a self,
        subject: &'a Subject,
        now: Ts,
    ) -> BTreeSet<(&'static str, &'a str)> {
        let assignments = self.assignments_of(subject, now).into_iter();
        let roles = assignments.flat_map(|given| self.role_ancestors(&given.role));
        let roles = roles.map(|role| (ROLE, role.as_str()));
        let groups = self.groups_of(subject).into_iter();
        let organizations = subject.organizations.iter();
        roles
            .chain(groups.map(|group| (GROUP, group)))
            .chain(organizations.map(|name| (ORGANIZATION, name.as_str())))
            .collect()
    }
}

/// Every text among some attributes: it may be the name of an organization.
fn texts_in<'a>(attributes: &'a Map<String, Value>, texts: &mut BTreeSet<&'a str>) {
    fn collect<'a>(value: &'a Value, texts: &mut BTreeSet<&'a str>) {
        match value {
            Value::String(text) => {
                texts.insert(text);
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            Value::Object(members) => members.values().for_each(|one| collect(one, texts)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    attributes.values().for_each(|one| collect(one, texts));
}
