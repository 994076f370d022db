//! What people could ever do.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::could_ever::Place;
use super::*;
use crate::domain::ids::UserId;
use crate::spec::time::Ts;

const NOW: Ts = Ts(1_000_000_000);

fn person() -> Subject {
    let Value::Object(attributes) = json!({
        "username": "alice", "email_verified": false, "level": 3, "teams": ["red", "blue"], "address": { "city": "Bonn" },
    }) else {
        unreachable!()
    };
    Subject {
        id: UserId::from_random([1; 16]),
        enabled: false,
        attributes,
        assignments: vec![Assignment::of("clerk")],
        groups: vec!["staff".to_owned()],
        organizations: vec!["acme".to_owned()],
        levels: Levels::default(),
    }
}

fn snapshot(policy: &str) -> Snapshot {
    let clerk = Role {
        parents: ["employee".to_owned()].into(),
        permissions: Vec::new(),
    };
    let snapshot = Snapshot::compile(Written {
        roles: BTreeMap::from([
            ("clerk".to_owned(), clerk),
            ("employee".to_owned(), Role::default()),
        ]),
        groups: BTreeMap::from([("staff".to_owned(), Group::default())]),
        organizations: ["acme", "globex"]
            .map(|name| (name.to_owned(), Map::new()))
            .into(),
        policies: BTreeMap::from([("one".to_owned(), policy.to_owned())]),
        declarations: Declarations::default(),
    });
    assert_eq!(snapshot.broken(), [], "{policy}");
    snapshot
}

fn places(policy: &str, action: &str) -> Vec<Place> {
    let signet = Object {
        kind: "signet".to_owned(),
        id: "signet".to_owned(),
        ..Object::default()
    };
    let places = snapshot(policy).could_ever(&person(), action, &signet, NOW);
    places.into_iter().collect()
}

fn could(condition: &str) -> bool {
    let text = format!("permit(principal, action, resource) when {{ {condition} }};");
    !places(&text, "users.write").is_empty()
}

#[test]
fn what_is_not_known_of_the_circumstances_may_be_so() {
    for condition in [
        "context.auth_age < 60",
        "context has client && context.client.trusted",
        "context.ip == \"10.0.0.1\" && ip(context.ip).isLoopback()",
        "!(context.auth_age > 60)",
        "context.amr.contains(\"pwd\") && principal.level == 3",
        "principal.level > 4 || context.now < 7",
        "if context.x then principal.level == 3 else false",
        "Group::\"staff\".open",
        "principal.org.trusted",
        "context == {}",
        "principal == context.who",
        "resource.getTag(\"x\")",
        "decimal(\"1.0\").lessThan(context.score)",
        "[context.a, 1].contains(2)",
        "principal.username like \"a*\" && context.x like \"b\"",
        // Of other people and things nothing is known: not what they are, nor to what they belong.
        "User::\"bob\" in Group::\"staff\"",
        "!(User::\"bob\" in Group::\"staff\")",
        "User::\"bob\".level == 3",
        "User::\"bob\".level != 3",
        "signet::\"other\" in Organization::\"globex\"",
        "!(signet::\"other\" in Organization::\"globex\")",
        "signet::\"other\".open",
        "User::\"bob\" has level",
        "!(User::\"bob\" has level)",
        "principal.org has trusted",
        "!(principal.org has trusted)",
        "{a: context.x} has a.b",
        "!({a: context.x} has a.b)",
        "{a: context.x} == {a: 1}",
    ] {
        assert!(could(condition), "{condition}");
    }
}

#[test]
fn what_is_known_of_the_person_counts() {
    for condition in [
        "principal.username == \"alice\"",
        "principal has address.city && principal.address.city == \"Bonn\"",
        "principal.teams.containsAll([\"red\"]) && !principal.teams.contains(\"green\")",
        "principal.teams.containsAny([\"green\", \"blue\"])",
        "principal.level + 1 == 4 && principal.level * -1 < 0",
        "principal in Role::\"employee\" && principal in [Group::\"x\", Group::\"staff\"]",
        "principal in Organization::\"acme\" && principal.org == Organization::\"acme\"",
        "principal is User && resource is signet && action == Action::\"users.write\"",
        "{a: principal.level}.a == 3",
        "principal.level < 4 && principal.level > 2 && principal.level - 1 == 2",
        "{a: principal.level} == {a: 3} && {a: principal.level} != {a: 4}",
        "{a: context.x} has a && {a: context.x} != {b: 1}",
        "principal.level <= 3 && principal.level >= 3",
        "principal.teams.containsAny([\"red\", \"blue\"])",
        "(if context.x then principal.level else 3) == 3",
    ] {
        assert!(could(condition), "{condition}");
        assert!(!could(&format!("!({condition})")), "{condition}");
    }
    for condition in [
        "principal.username == \"bob\" && context.x",
        "context.x && principal.username == \"bob\"",
        "principal has clearance && principal.clearance == \"high\"",
        // Without a value a permit does not hold.
        "principal.clearance == \"high\"",
        "!(principal.clearance == \"high\")",
        "context.x && principal.clearance",
        "principal.level == \"3\"",
        "principal.level like \"3\"",
        "principal in Role::\"boss\" || principal in Group::\"bosses\"",
        "resource is Document",
        "resource has organization && resource.organization == \"nowhere\"",
        "principal.teams.isEmpty()",
        "principal.teams.containsAny([\"green\"])",
        "principal.level < 3 || principal.level > 3",
        "principal is Role in Role::\"employee\"",
        "resource in Group::\"globex\"",
    ] {
        assert!(!could(condition), "{condition}");
    }
}

#[test]
fn the_scope_counts_and_a_forbid_does_not() {
    for (policy, action, could) in [
        (
            "permit(principal, action, resource is Document);",
            "users.write",
            false,
        ),
        (
            "permit(principal, action, resource == signet::\"other\");",
            "users.write",
            false,
        ),
        (
            "permit(principal, action, resource == signet::\"signet\");",
            "users.write",
            true,
        ),
        (
            "permit(principal, action == Action::\"users.read\", resource);",
            "users.write",
            false,
        ),
        (
            "permit(principal, action in [Action::\"users.read\", Action::\"users.write\"], resource is signet);",
            "users.write",
            true,
        ),
        (
            "permit(principal in Role::\"employee\", action, resource is signet);",
            "users.write",
            true,
        ),
        (
            "permit(principal == User::\"x\", action, resource is signet);",
            "users.write",
            false,
        ),
        (
            "permit(principal, action, resource is signet); forbid(principal, action, resource);",
            "users.write",
            true,
        ),
        ("forbid(principal, action, resource);", "users.write", false),
        (
            "permit(principal, action, resource is signet) unless { context.late };",
            "users.write",
            true,
        ),
    ] {
        assert_eq!(!places(policy, action).is_empty(), could, "{policy}");
    }
}

#[test]
fn organizations_are_told_apart() {
    let at = |name: &str| Place::Organization(name.to_owned());
    let of = |condition: &str| {
        let text = format!("permit(principal, action, resource is signet) when {{ {condition} }};");
        places(&text, "users.write")
    };
    assert_eq!(of("context.x"), [Place::NoOrganization, Place::Elsewhere]);
    assert_eq!(
        of("resource has organization && resource.organization == \"globex\""),
        [at("globex")]
    );
    assert_eq!(of("resource in Organization::\"globex\""), [at("globex")]);
    assert_eq!(
        of("resource has org && resource.org == principal.org"),
        [at("acme")]
    );
    assert_eq!(of("!(resource has organization)"), [Place::NoOrganization]);
    // What an organization is asked for may stand inside a question about a type.
    let inside = "(if resource in Organization::\"globex\" then resource else principal) is signet";
    assert_eq!(of(inside), [at("globex")]);
    let other = "resource has organization && resource.organization != \"acme\"";
    assert_eq!(of(other), [Place::Elsewhere]);
    let like = "resource has organization && resource.organization like \"glo*\"";
    assert_eq!(of(like), [Place::Elsewhere]);
}

#[test]
fn a_level_on_the_resource_counts_everywhere() {
    let on = |kind: &str, level| {
        let of_kind = HashMap::from([("signet".to_owned(), level)]);
        let subject = Subject {
            levels: Levels::from([(kind.to_owned(), of_kind)]),
            ..person()
        };
        let signet = Object {
            kind: "signet".to_owned(),
            id: "signet".to_owned(),
            ..Object::default()
        };
        let no_policy = snapshot("forbid(principal, action, resource);");
        let places = no_policy.could_ever(&subject, "users.write", &signet, NOW);
        places.into_iter().collect::<Vec<_>>()
    };
    let everywhere = [Place::NoOrganization, Place::Elsewhere];
    assert_eq!(on("signet", Level::Admin), everywhere);
    assert_eq!(on("signet", Level::Delete), []);
    assert_eq!(on("Document", Level::Admin), []);
}

#[test]
fn values_of_types_that_are_written_as_texts_are_not_compared_as_texts() {
    let mut declarations = Declarations::default();
    for name in ["limit", "score"] {
        let kind = AttributeType::Decimal;
        let required = false;
        declarations.insert(Of::User, name.to_owned(), Declaration { kind, required });
    }
    let mut subject = person();
    subject.attributes.extend([
        ("limit".to_owned(), json!("1.0")),
        ("score".to_owned(), json!("1.00")),
    ]);
    let text = "permit(principal, action, resource) when { principal has limit && principal has score && principal.limit == principal.score };";
    let snapshot = Snapshot::compile(Written {
        policies: BTreeMap::from([("one".to_owned(), text.to_owned())]),
        declarations,
        ..Written::default()
    });
    let signet = Object {
        kind: "signet".to_owned(),
        id: "signet".to_owned(),
        ..Object::default()
    };
    assert!(
        !snapshot
            .could_ever(&subject, "users.write", &signet, NOW)
            .is_empty()
    );
}

mod sound {
    use proptest::prelude::*;

    use super::could_ever::Place;
    use super::*;

    fn condition() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("principal.level == 3".to_owned()),
            Just("principal.clearance == 1".to_owned()),
            Just("principal has clearance".to_owned()),
            Just("principal in Role::\"employee\"".to_owned()),
            Just("principal in Organization::\"acme\"".to_owned()),
            Just("principal.teams.contains(context.team)".to_owned()),
            Just("context.fresh".to_owned()),
            Just("context has fresh".to_owned()),
            Just("context.fresh == principal.level".to_owned()),
            Just("resource has organization".to_owned()),
            Just("resource.organization == context.team".to_owned()),
            Just("resource.org == principal.org".to_owned()),
            Just("resource in Organization::\"globex\"".to_owned()),
            Just("resource.organization == \"acme\"".to_owned()),
            Just("action == Action::\"users.write\"".to_owned()),
            Just("principal.level".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
                inner.clone().prop_map(|a| format!("!({a})")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("if ({a}) then ({b}) else ({c})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("(({a}) == ({b}))")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever is allowed in some circumstances could ever be done.
        #[test]
        fn what_is_allowed_somewhere_could_ever_be_done(
            condition in condition(),
            contexts in proptest::collection::vec(prop_oneof![
                Just(json!({})), Just(json!({ "fresh": true, "team": "red" })), Just(json!({ "fresh": 3, "team": "globex" })),
                Just(json!({ "fresh": false })),
            ], 4),
        ) {
            let text = format!("permit(principal, action, resource) when {{ {condition} }};");
            let snapshot = snapshot(&text);
            let subject = Subject { enabled: true, ..person() };
            let signet = Object { kind: "signet".to_owned(), id: "signet".to_owned(), ..Object::default() };
            let places = snapshot.could_ever(&subject, "users.write", &signet, NOW);
            for (organization, place) in [
                (None, Place::NoOrganization),
                (Some("acme"), Place::Organization("acme".to_owned())),
                (Some("globex"), Place::Organization("globex".to_owned())),
            ] {
                let mut object = signet.clone();
                object.organization = organization.map(str::to_owned);
                object.attributes.extend(organization.map(|name| ("organization".to_owned(), name.into())));
                for context in &contexts {
                    let context = context.as_object().unwrap();
                    let question = Question {
                        subject: &subject, action: "users.write", object: &object, context, client: None, now: NOW, why: false,
                    };
                    if snapshot.decide(&question).allowed {
                        // Elsewhere stands for every organization about which nothing special is said.
                        let found = places.contains(&place) || (organization.is_some() && places.contains(&Place::Elsewhere));
                        prop_assert!(found, "{condition} {place:?} {places:?} {context:?}");
                    }
                }
            }
        }
    }
}
