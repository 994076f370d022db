//! What people have, whatever is asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::tests::{alice, given, role, written};
use super::*;
use crate::spec::time::Ts;

#[test]
fn a_standing_is_what_was_given_for_the_organization_and_has_not_ended() {
    let now = Ts::from_secs(100);
    let snapshot = Snapshot::compile(Written {
        roles: BTreeMap::from([
            ("clerk".to_owned(), role(&["employee"], &["Document:stamp"])),
            ("boss".to_owned(), role(&[], &["Document:burn"])),
            ("employee".to_owned(), Role::default()),
        ]),
        groups: BTreeMap::from([("staff".to_owned(), Group::default())]),
        ..Written::default()
    });
    let mut subject = alice();
    subject.groups = vec!["staff".to_owned()];
    subject.organizations = vec!["acme".to_owned()];
    subject.assignments = vec![
        given("clerk"),
        Assignment {
            organization: Some("acme".to_owned()),
            ..given("boss")
        },
    ];
    let names = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(" ");
    let standing = snapshot.standing(&subject, now);
    assert_eq!(names(&standing.roles), "clerk employee");
    assert_eq!(names(&standing.permissions), "Document:stamp");
    assert_eq!(names(&standing.groups), "staff");
    assert_eq!(standing.organizations, subject.organizations);
    assert_eq!(standing.attributes, subject.attributes);
    let roles_in = |organization| {
        let standing = snapshot.standing_in(&subject, Some(organization), now);
        names(&standing.roles)
    };
    assert_eq!(roles_in("acme"), "boss clerk employee");
    assert_eq!(roles_in("globex"), "clerk employee");

    // The end is the first moment at which it is over.
    for (until, counts) in [(99, false), (100, false), (101, true)] {
        let mut subject = subject.clone();
        subject.assignments[0].until = Some(Ts::from_secs(until));
        let given = snapshot.assignments_of(&subject, now);
        assert_eq!(given.len() == 2, counts, "{until}");
    }

    assert_eq!(names(&snapshot.role_permissions("clerk")), "Document:stamp");
    assert_eq!(snapshot.group_ancestors("staff"), ["staff"]);
    assert!(snapshot.named_actions("Document").contains("stamp"));
    assert!(!snapshot.named_actions("Money").contains("stamp"));

    let [clerk, boss] = subject.assignments.as_slice() else {
        unreachable!()
    };
    assert!(!clerk.is_for_the_same_as(boss) && !boss.is_for_the_same_as(&given("boss")));
    let ending = Assignment {
        until: Some(now),
        ..boss.clone()
    };
    assert!(boss.is_for_the_same_as(&ending));
}

#[test]
fn what_a_person_has_levels_on_is_found_by_its_type() {
    let mut subject = alice();
    let on_one = HashMap::from([("42".to_owned(), Level::Read)]);
    subject.levels = Levels::from([("Document".to_owned(), on_one)]);
    let snapshot = Snapshot::compile(written());
    let found = snapshot.levelled(&subject, "Document");
    assert_eq!(found, BTreeSet::from(["42".to_owned()]));
    assert!(snapshot.levelled(&subject, "Money").is_empty());
}
