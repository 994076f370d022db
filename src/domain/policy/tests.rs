//! What decisions must always be.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::ids::UserId;
use crate::spec::time::Ts;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => unreachable!("{other}"),
    }
}

pub(super) fn given(role: &str) -> Assignment {
    Assignment {
        role: role.to_owned(),
        organization: None,
        until: None,
    }
}

pub(super) fn alice() -> Subject {
    Subject {
        id: UserId::from_random([1; 16]),
        enabled: true,
        attributes: object(json!({ "department": "sales" })),
        assignments: Vec::new(),
        groups: Vec::new(),
        organizations: Vec::new(),
        levels: Levels::default(),
    }
}

fn document(department: &str) -> Object {
    Object {
        kind: "Document".to_owned(),
        id: "42".to_owned(),
        organization: None,
        attributes: object(json!({ "department": department })),
    }
}

pub(super) fn role(parents: &[&str], permissions: &[&str]) -> Role {
    Role {
        parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
        permissions: permissions
            .iter()
            .map(|text| Permission::parse(text).unwrap())
            .collect(),
    }
}

pub(super) fn written() -> Written {
    Written {
        organizations: BTreeMap::new(),
        declarations: Declarations::default(),
        roles: BTreeMap::from([
            ("editor".to_owned(), role(&["reader"], &["Document:write"])),
            ("reader".to_owned(), role(&[], &["Document:read"])),
        ]),
        groups: BTreeMap::from([
            (
                "berlin".to_owned(),
                Group {
                    parents: BTreeSet::from(["germany".to_owned()]),
                    ..Group::default()
                },
            ),
            (
                "germany".to_owned(),
                Group {
                    assignments: vec![given("reader")],
                    levels: Levels::from([(
                        "Document".to_owned(),
                        [("7".to_owned(), Level::Delete)].into(),
                    )]),
                    ..Group::default()
                },
            ),
        ]),
        policies: BTreeMap::from([
            (
                "own-department".to_owned(),
                r#"permit(principal, action == Action::"read", resource is Document) when { principal.department == resource.department };"#.to_owned(),
            ),
            (
                "no-secrets".to_owned(),
                "forbid(principal, action, resource) when { resource has secret && resource.secret };".to_owned(),
            ),
        ]),
    }
}

fn decide(subject: &Subject, action: &str, object: &Object) -> Decision {
    Snapshot::compile(written()).decide(&Question {
        subject,
        action,
        object,
        context: &Map::new(),
        client: None,
        now: Ts::from_secs(1000),
        why: true,
    })
}

#[test]
fn nothing_is_allowed_by_itself_and_the_refusal_says_what_would() {
    let decision = decide(&alice(), "write", &document("finance"));
    assert!(!decision.allowed);
    assert_eq!(
        decision.reasons,
        [
            Reason::NothingAllows,
            Reason::MissingRole {
                roles: vec!["editor".to_owned()]
            }
        ]
    );
    let decision = decide(&alice(), "read", &document("finance"));
    assert!(!decision.allowed);
    assert!(decision.reasons.contains(&Reason::PermitDoesNotHold {
        policies: vec!["own-department".to_owned()]
    }));
}

#[test]
fn a_policy_over_attributes_allows() {
    let decision = decide(&alice(), "read", &document("sales"));
    assert_eq!(
        decision,
        Decision {
            allowed: true,
            reasons: vec![Reason::Permit {
                policy: "own-department".to_owned()
            }]
        }
    );
}

#[test]
fn a_role_allows_through_its_ancestors_and_a_group_through_its_own() {
    let mut subject = alice();
    subject.assignments.push(given("editor"));
    subject.groups.push("berlin".to_owned());
    let decision = decide(&subject, "read", &document("finance"));
    let role = |role: &str, group: Option<&str>| Reason::Role {
        role: role.to_owned(),
        granted_by: "reader".to_owned(),
        group: group.map(str::to_owned),
        organization: None,
    };
    assert_eq!(
        decision.reasons,
        [role("editor", None), role("reader", Some("germany"))]
    );
}

#[test]
fn levels_are_for_one_resource_and_include_the_lower_ones() {
    let mut subject = alice();
    subject.groups.push("berlin".to_owned());
    let seven = Object {
        id: "7".to_owned(),
        ..document("finance")
    };
    assert!(decide(&subject, "delete", &seven).allowed);
    assert!(decide(&subject, "write", &seven).allowed);
    assert!(!decide(&subject, "write", &document("finance")).allowed);
    let refused = decide(&subject, "share", &seven);
    assert!(!refused.allowed);
    assert!(refused.reasons.contains(&Reason::LevelTooLow {
        level: Level::Delete,
        needed: Level::Admin
    }));
}

#[test]
fn an_assignment_ends_and_stays_within_its_organization() {
    let mut subject = alice();
    subject.assignments.push(Assignment {
        until: Some(Ts::from_secs(1000)),
        ..given("editor")
    });
    let refused = decide(&subject, "write", &document("finance"));
    assert!(!refused.allowed);
    assert!(matches!(refused.reasons[1], Reason::Expired { .. }));

    subject.assignments = vec![Assignment {
        organization: Some("acme".to_owned()),
        ..given("editor")
    }];
    let refused = decide(&subject, "write", &document("finance"));
    assert!(!refused.allowed);
    assert!(matches!(
        refused.reasons[1],
        Reason::OtherOrganization { .. }
    ));
    // That it will end one day is no reason yet.
    subject.assignments[0].until = Some(Ts::from_secs(i64::MAX / 1_000_000));
    let refused = decide(&subject, "write", &document("finance"));
    assert!(matches!(
        refused.reasons[1],
        Reason::OtherOrganization { .. }
    ));
    let of_acme = Object {
        organization: Some("acme".to_owned()),
        ..document("finance")
    };
    assert!(decide(&subject, "write", &of_acme).allowed);
}

#[test]
fn a_forbid_wins_and_one_that_cannot_be_evaluated_forbids() {
    let mut subject = alice();
    subject.assignments.push(given("editor"));
    let mut secret = document("sales");
    secret.attributes.insert("secret".to_owned(), true.into());
    let decision = decide(&subject, "read", &secret);
    assert_eq!(
        decision.reasons,
        [Reason::Forbid {
            policy: "no-secrets".to_owned()
        }]
    );
    secret.attributes.insert("secret".to_owned(), 1.into());
    let decision = decide(&subject, "read", &secret);
    assert!(!decision.allowed);
    assert!(matches!(
        decision.reasons[0],
        Reason::Failed { forbids: true, .. }
    ));
}

#[test]
fn the_disabled_may_do_nothing() {
    let mut subject = alice();
    subject.assignments.push(given("editor"));
    subject.enabled = false;
    assert_eq!(
        decide(&subject, "read", &document("sales")).reasons,
        [Reason::Disabled]
    );
}

#[test]
fn what_cannot_be_read_lets_nothing_pass_and_takes_nothing_down() {
    let mut subject = alice();
    subject.assignments.push(given("editor"));
    let document = document("finance");
    let ask = |snapshot: &Snapshot, action| {
        snapshot.decide(&Question {
            subject: &subject,
            action,
            object: &document,
            context: &Map::new(),
            client: None,
            now: Ts::from_secs(0),
            why: false,
        })
    };
    let good = Snapshot::compile(written());
    assert!(ask(&good, "write").allowed);
    let mut broken = written();
    broken
        .policies
        .insert("new".to_owned(), "forbid(principal".to_owned());
    let alone = Snapshot::compile(broken.clone());
    let refused = ask(&alone, "write");
    assert!(!refused.allowed);
    assert!(
        matches!(&refused.reasons[0], Reason::Failed { policy, forbids: true, .. } if policy == "new")
    );

    // The policies stay as they were; roles go on changing.
    let kept = Snapshot::compile(broken.clone()).or_policies_of(&good);
    assert!(ask(&kept, "write").allowed);
    broken.roles.remove("editor");
    let kept = Snapshot::compile(broken).or_policies_of(&good);
    assert!(!ask(&kept, "write").allowed);

    // What can be used takes the place of what could be used before.
    let mut closed = written();
    let text = "forbid(principal, action, resource);".to_owned();
    closed.policies.insert("new".to_owned(), text);
    let closed = Snapshot::compile(closed).or_policies_of(&good);
    assert!(!ask(&closed, "write").allowed);
}

const TEXTS: [&str; 6] = [
    r#"permit(principal, action == Action::"read", resource);"#,
    r#"permit(principal in Role::"r1", action, resource);"#,
    "permit(principal, action, resource) when { principal.missing };",
    r#"forbid(principal, action == Action::"write", resource);"#,
    r#"forbid(principal in Role::"r2", action, resource);"#,
    r#"forbid(principal, action in [Action::"read", Action::"share"], resource) when { resource.missing };"#,
];

proptest! {
    /// Roles, groups and policies in any order give the same decision, and an allowed one has no `forbid` that holds.
    #[test]
    fn order_never_matters_and_forbid_always_wins(
        texts in prop::collection::vec(0..TEXTS.len(), 0..6),
        roles in prop::collection::vec((0u8..4, prop::option::of(0u8..4), 0usize..3), 0..6),
        given_roles in prop::collection::vec(0u8..4, 0..4),
        action in 0usize..3,
    ) {
        const ACTIONS: [&str; 3] = ["read", "write", "share"];
        let name = |number: u8| format!("r{number}");
        let mut forward = Written::default();
        for (number, parent, action) in &roles {
            let role = forward.roles.entry(name(*number)).or_default();
            role.parents.extend(parent.map(name));
            role.permissions.push(Permission::parse(&format!("Document:{}", ACTIONS[*action])).unwrap());
        }
        // The same policies under ids that sort the other way round.
        let mut backward = forward.clone();
        for role in backward.roles.values_mut() {
            role.permissions.reverse();
        }
        for (place, text) in texts.iter().enumerate() {
            forward.policies.insert(format!("p{place}"), TEXTS[*text].to_owned());
            backward.policies.insert(format!("p{}", 9 - place), TEXTS[*text].to_owned());
        }
        let mut subject = alice();
        subject.assignments = given_roles.iter().map(|role| given(&name(*role))).collect();
        let mut reversed = subject.clone();
        reversed.assignments.reverse();
        let document = document("sales");
        let ask = |written: Written, subject: &Subject| Snapshot::compile(written).decide(&Question {
            subject,
            action: ACTIONS[action],
            object: &document,
            context: &Map::new(),
            client: None,
            now: Ts::from_secs(0),
            why: false,
        });
        let (one, other) = (ask(forward.clone(), &subject), ask(backward, &reversed));
        prop_assert_eq!(one.allowed, other.allowed);
        prop_assert_eq!(one.reasons.len(), other.reasons.len());

        let forbids = |text: usize| match text {
            3 => ACTIONS[action] == "write",
            4 => given_roles.iter().any(|role| Snapshot::compile(forward.clone()).role_reaches(&name(*role), "r2")),
            5 => ACTIONS[action] != "write",
            _ => false,
        };
        if texts.iter().any(|text| forbids(*text)) {
            prop_assert!(!one.allowed);
        }
    }
}
