//! A snapshot that was brought up to date is the one that would be made of everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::family::Deleted;
use super::*;
use crate::domain::ids::UserId;
use crate::spec::time::Ts;

const TEXTS: [&str; 7] = [
    r#"permit(principal in Role::"2", action == Action::"read", resource);"#,
    r#"forbid(principal, action in [Action::"read", Action::"share"], resource) when { principal in Group::"1" };"#,
    "permit(principal, action, resource) when { Group::\"0\".open };",
    "permit(principal, action, resource) when { context has client && context.client.trusted };",
    "permit(principal, action == Action::\"write\", resource); forbid(principal, action, resource) when { principal in Organization::\"2\" };",
    "forbid(principal, action == Action::\"read\", resource) when { Organization::\"1\".open };",
    "permit(",
];

/// One thing that administrators do. Names are numbers.
#[derive(Clone, Debug)]
enum Act {
    Role(u8, Vec<u8>, Vec<u8>),
    NoRole(u8),
    Group(u8, Vec<u8>, bool),
    Give(u8, u8, Option<u8>),
    Level(u8, u8),
    NoGroup(u8),
    Organization(u8, bool),
    NoOrganization(u8),
    Policy(u8, usize),
    NoPolicy(u8),
    Declare(bool),
    /// The instance looks.
    Look,
}

fn acts() -> impl Strategy<Value = Act> {
    let name = || 0u8..4;
    let names = || prop::collection::vec(name(), 0..3);
    prop_oneof![
        (name(), names(), names()).prop_map(|(a, b, c)| Act::Role(a, b, c)),
        name().prop_map(Act::NoRole),
        (name(), names(), any::<bool>()).prop_map(|(a, b, c)| Act::Group(a, b, c)),
        (name(), name(), prop::option::of(name())).prop_map(|(a, b, c)| Act::Give(a, b, c)),
        (name(), name()).prop_map(|(a, b)| Act::Level(a, b)),
        name().prop_map(Act::NoGroup),
        (name(), any::<bool>()).prop_map(|(a, b)| Act::Organization(a, b)),
        name().prop_map(Act::NoOrganization),
        (name(), 0..TEXTS.len()).prop_map(|(a, b)| Act::Policy(a, b)),
        name().prop_map(Act::NoPolicy),
        any::<bool>().prop_map(Act::Declare),
        Just(Act::Look),
    ]
}

fn open(open: bool) -> Map<String, Value> {
    match json!({ "open": open }) {
        Value::Object(attributes) => attributes,
        other => unreachable!("{other}"),
    }
}

fn name(number: u8) -> String {
    number.to_string()
}

/// What is written, and which of it was changed since the instance looked.
#[derive(Default)]
struct Site {
    written: Written,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
    organizations: BTreeSet<String>,
    policies: BTreeSet<String>,
    declared: bool,
    deleted: Deleted,
}

impl Site {
    /// As the store does it: what others had of a thing goes with it.
    fn act(&mut self, act: Act) {
        let written = &mut self.written;
        match act {
            Act::Role(role, parents, permissions) => {
                let parents = parents.into_iter().map(name);
                let there = |parent: &String| written.roles.contains_key(parent);
                let is = Role {
                    parents: parents.filter(there).collect(),
                    permissions: permissions
                        .into_iter()
                        .map(|action| {
                            let action = ["read", "write", "share", "*"][usize::from(action)];
                            Permission::parse(&format!("Document:{action}")).unwrap()
                        })
                        .collect(),
                };
                written.roles.insert(name(role), is);
                self.roles.insert(name(role));
            }
            Act::NoRole(role) => {
                if written.roles.remove(&name(role)).is_none() {
                    return;
                }
                for other in written.roles.values_mut() {
                    other.parents.remove(&name(role));
                }
                for group in written.groups.values_mut() {
                    group.assignments.retain(|given| given.role != name(role));
                }
                self.roles.insert(name(role));
                self.deleted.roles.insert(name(role));
            }
            Act::Organization(organization, is_open) => {
                let organizations = &mut written.organizations;
                organizations.insert(name(organization), open(is_open));
                self.organizations.insert(name(organization));
            }
            Act::NoOrganization(organization) => {
                let organization = name(organization);
                if written.organizations.remove(&organization).is_none() {
                    return;
                }
                for group in written.groups.values_mut() {
                    let is_left =
                        |given: &Assignment| given.organization.as_ref() != Some(&organization);
                    group.assignments.retain(is_left);
                }
                self.organizations.insert(organization.clone());
                self.deleted.organizations.insert(organization);
            }
            Act::Policy(id, text) => {
                written.policies.insert(name(id), TEXTS[text].to_owned());
                self.policies.insert(name(id));
            }
            Act::NoPolicy(id) => {
                written.policies.remove(&name(id));
                self.policies.insert(name(id));
            }
            Act::Declare(text) => {
                let kind = if text {
                    AttributeType::String
                } else {
                    AttributeType::Bool
                };
                for of in [Of::Group, Of::Organization] {
                    let declaration = Declaration {
                        kind,
                        required: false,
                    };
                    written
                        .declarations
                        .insert(of, "open".to_owned(), declaration);
                }
                self.declared = true;
            }
            Act::Group(..) | Act::Give(..) | Act::Level(..) | Act::NoGroup(..) => {
                self.act_on_group(act);
            }
            Act::Look => {}
        }
    }

    fn act_on_group(&mut self, act: Act) {
        let written = &mut self.written;
        match act {
            Act::Group(group, parents, is_open) => {
                let parents = parents.into_iter().map(name);
                let there = |parent: &String| written.groups.contains_key(parent);
                let parents = parents.filter(there).collect();
                let it = written.groups.entry(name(group)).or_default();
                it.parents = parents;
                it.attributes = open(is_open);
                self.groups.insert(name(group));
            }
            Act::Give(group, role, organization) => {
                let there = |one: &u8| written.organizations.contains_key(&name(*one));
                let organization = organization.filter(there).map(name);
                let is_role = written.roles.contains_key(&name(role));
                if let Some(it) = written.groups.get_mut(&name(group))
                    && is_role
                {
                    let assignment = Assignment {
                        organization,
                        ..Assignment::of(name(role))
                    };
                    it.assignments.push(assignment);
                    self.groups.insert(name(group));
                }
            }
            Act::Level(group, id) => {
                if let Some(it) = written.groups.get_mut(&name(group)) {
                    let levels = it.levels.entry("Document".to_owned()).or_default();
                    levels.insert(name(id), Level::Write);
                    self.groups.insert(name(group));
                }
            }
            Act::NoGroup(group) => {
                if written.groups.remove(&name(group)).is_none() {
                    return;
                }
                for other in written.groups.values_mut() {
                    other.parents.remove(&name(group));
                }
                self.groups.insert(name(group));
                self.deleted.groups.insert(name(group));
            }
            _ => unreachable!("{act:?}"),
        }
    }

    /// What was changed since it was asked last.
    fn changes(&mut self) -> Changes {
        fn now<T: Clone>(
            names: &mut BTreeSet<String>,
            there: &BTreeMap<String, T>,
        ) -> BTreeMap<String, Option<T>> {
            let names = std::mem::take(names).into_iter();
            names
                .map(|name| (name.clone(), there.get(&name).cloned()))
                .collect()
        }
        let declared = std::mem::take(&mut self.declared);
        Changes {
            roles: now(&mut self.roles, &self.written.roles),
            groups: now(&mut self.groups, &self.written.groups),
            organizations: now(&mut self.organizations, &self.written.organizations),
            policies: now(&mut self.policies, &self.written.policies),
            declarations: declared.then(|| self.written.declarations.clone()),
            deleted: std::mem::take(&mut self.deleted),
        }
    }
}

/// Decisions about everybody, with their reasons.
fn decisions(snapshot: &Snapshot) -> Vec<Decision> {
    let mut decisions = Vec::new();
    for number in 0u8..8 {
        let name = (number % 4).to_string();
        let mut subject = Subject {
            id: UserId::from_random([number; 16]),
            enabled: true,
            attributes: Map::new(),
            assignments: vec![Assignment::of(&name)],
            groups: vec![name.clone()],
            organizations: vec![name.clone()],
            levels: Levels::default(),
        };
        if number >= 4 {
            subject.assignments.clear();
        }
        let objects = [("Document", "1"), ("Group", "0"), ("Organization", "1")];
        for (kind, id) in objects {
            let object = Object {
                kind: kind.to_owned(),
                id: id.to_owned(),
                organization: (number % 2 == 0).then(|| name.clone()),
                attributes: Map::new(),
            };
            for action in ["read", "write", "share"] {
                decisions.push(snapshot.decide(&Question {
                    subject: &subject,
                    action,
                    object: &object,
                    context: &Map::new(),
                    client: None,
                    now: Ts::from_secs(0),
                    why: true,
                }));
            }
        }
    }
    decisions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However often an instance looks in between.
    #[test]
    fn what_was_brought_up_to_date_is_what_would_be_compiled(
        acts in prop::collection::vec(acts(), 1..60),
    ) {
        let mut site = Site::default();
        let mut snapshot = Snapshot::compile(site.written.clone());
        for act in acts.into_iter().chain([Act::Look]) {
            let looks = matches!(act, Act::Look);
            site.act(act);
            if !looks {
                continue;
            }
            let whole = Snapshot::compile(site.written.clone()).or_policies_of(&snapshot);
            snapshot = snapshot.with(site.changes());
            prop_assert_eq!(snapshot.dump(), whole.dump());
            prop_assert_eq!(decisions(&snapshot), decisions(&whole));
        }
    }
}
