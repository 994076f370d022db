//! Reads of one thing among many, on both engines and both handles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::assignments::Holder;
use super::super::db::Tx;
use super::stores;
use crate::domain::directory::{
    Group, GroupName, Object, Organization, OrganizationName, Policy, Role, RoleName,
};
use crate::domain::policy::{
    Assignment, AttributeType, Bounded, Declaration, Declarations, Level, Of, Permission,
    ResourceName,
};
use crate::domain::resource::{AccessTokenTyp, Resource};
use crate::spec::alg::SigningAlg;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn attributes(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("an object"),
    }
}

async fn save_role(tx: &mut Tx, name: &str, role: &Role) {
    let description = role.description.as_deref();
    tx.save_role(name, description).await.unwrap();
    tx.replace_role_contents(name, role).await.unwrap();
}

async fn save_group(tx: &mut Tx, name: &str, group: &Group) {
    let description = group.description.as_deref();
    tx.save_group(name, description, &group.attributes)
        .await
        .unwrap();
    let name = GroupName::parse(name).unwrap();
    tx.replace_group_parents(&name, &BTreeSet::new(), &group.parents)
        .await
        .unwrap();
}

/// What is asked of both handles, with the same answer.
macro_rules! both_find {
    ($store:expr, $tx:expr, $method:ident($($argument:expr),*), $expected:expr) => {
        let expected = $expected;
        assert_eq!($tx.$method($($argument),*).await.unwrap(), expected);
        assert_eq!($store.$method($($argument),*).await.unwrap(), expected);
    };
}

#[tokio::test]
async fn a_role_is_found_alone_with_its_ancestry() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let role = |parents: BTreeSet<String>, permissions: BTreeSet<String>| Role {
            description: Some("what it is for".to_owned()),
            parents: parents.into_iter().map(RoleName::stored).collect(),
            permissions: permissions
                .iter()
                .map(|text| Permission::parse(text).unwrap())
                .collect(),
        };
        let staff = role(names([]), names(["canteen:eat"]));
        let support = role(names(["staff"]), names(["order:read", "order:comment"]));
        let lead = role(names(["support"]), names(["order:read"]));
        for (name, role) in [("staff", &staff), ("support", &support), ("lead", &lead)] {
            save_role(&mut tx, name, role).await;
        }
        assert_eq!(tx.find_role("lead").await.unwrap(), Some(lead.clone()));
        tx.commit().await.unwrap();
        let mut tx = store.db().begin().await.unwrap();

        both_find!(store, tx, find_role("lead"), Some(lead.clone()));
        both_find!(store, tx, find_role("leader"), None);
        let asked = names(["lead", "leader", "o'brien", "staff"]);
        both_find!(store, tx, existing_roles(&asked), names(["lead", "staff"]));
        both_find!(store, tx, existing_roles(&names([])), names([]));
        let above_lead = BTreeMap::from([
            ("lead".to_owned(), names(["support"])),
            ("support".to_owned(), names(["staff"])),
        ]);
        both_find!(
            store,
            tx,
            find_role_ancestry(&names(["lead"])),
            above_lead.clone()
        );
        both_find!(
            store,
            tx,
            find_role_ancestry(&names(["staff", "nowhere"])),
            BTreeMap::new()
        );
        both_find!(
            store,
            tx,
            list_permissions(),
            names(["canteen:eat", "order:comment", "order:read", "signet:*"])
        );
        for handle in [
            tx.list_role_names_near("laed").await.unwrap(),
            store.list_role_names_near("laed").await.unwrap(),
        ] {
            let near: BTreeSet<String> = handle.into_iter().collect();
            assert_eq!(near, names(["admin", "lead", "staff", "support"]));
        }
        both_find!(store, tx, count_bounded(Bounded::Roles), 4);
        both_find!(store, tx, count_bounded(Bounded::Permissions), 5);
        both_find!(store, tx, count_bounded(Bounded::RoleParents), 2);

        // Also what refuses cycles reads to an end, should there be one.
        let staff = role(names(["lead"]), names([]));
        tx.replace_role_contents("staff", &staff).await.unwrap();
        let mut circle = above_lead;
        circle.insert("staff".to_owned(), names(["lead"]));
        let found = tx.find_role_ancestry(&names(["support"])).await.unwrap();
        assert_eq!(found, circle);
    }
}

#[tokio::test]
async fn a_name_is_guessed_from_its_neighbours_and_not_from_all() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        for number in 0..1000 {
            let name = format!("n{number:03}");
            tx.save_role(&name, None).await.unwrap();
            tx.save_group(&name, None, &Map::new()).await.unwrap();
            tx.save_organization(&name, &Organization::default())
                .await
                .unwrap();
        }
        for near in [
            tx.list_role_names_near("n500x").await.unwrap(),
            tx.list_group_names_near("n500x").await.unwrap(),
            tx.list_organization_names_near("n500x").await.unwrap(),
        ] {
            assert_eq!(near.len(), 400);
            assert!(near.contains(&"n500".to_owned()) && near.contains(&"n501".to_owned()));
            assert!(!near.contains(&"n001".to_owned()) && !near.contains(&"n999".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_group_is_found_alone_with_its_ancestry() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        save_role(&mut tx, "support", &Role::default()).await;
        let acme = Organization {
            description: Some("a customer".to_owned()),
            attributes: attributes(json!({ "tier": 2 })),
        };
        tx.save_organization("acme", &acme).await.unwrap();
        let europe = Group::default();
        let document = ResourceName {
            kind: "Document".to_owned(),
            id: "42".to_owned(),
        };
        let berlin = Group {
            description: Some("the office in Berlin".to_owned()),
            parents: BTreeSet::from([GroupName::stored("europe".to_owned())]),
            attributes: attributes(json!({ "floor": 3 })),
        };
        let roles = BTreeSet::from([
            Assignment::of("support"),
            Assignment {
                role: "support".to_owned(),
                organization: Some("acme".to_owned()),
                until: Some(Ts(5)),
            },
        ]);
        save_group(&mut tx, "europe", &europe).await;
        save_group(&mut tx, "berlin", &berlin).await;
        let holder = Holder::Group("berlin".to_owned());
        for role in &roles {
            tx.assign(&holder, role).await.unwrap();
        }
        let levels = [(&document, Level::Write)];
        tx.set_levels(&holder, &levels).await.unwrap();
        assert_eq!(tx.find_group("berlin").await.unwrap(), Some(berlin.clone()));
        tx.commit().await.unwrap();
        let mut tx = store.db().begin().await.unwrap();

        both_find!(store, tx, find_group("berlin"), Some(berlin.clone()));
        both_find!(store, tx, find_group("europe"), Some(europe.clone()));
        both_find!(store, tx, find_group("bern"), None);
        both_find!(store, tx, list_assignments_of(&holder), roles.clone());
        let levels = BTreeMap::from([(document.clone(), Level::Write)]);
        both_find!(store, tx, list_levels_of(&holder), levels.clone());

        let asked = names(["berlin", "bern"]);
        both_find!(store, tx, existing_groups(&asked), names(["berlin"]));
        both_find!(
            store,
            tx,
            find_group_ancestry(&asked),
            BTreeMap::from([("berlin".to_owned(), names(["europe"]))])
        );
        for near in [
            tx.list_group_names_near("bern").await.unwrap(),
            store.list_group_names_near("bern").await.unwrap(),
        ] {
            assert_eq!(near.len(), 2);
        }
        both_find!(store, tx, find_organization("acme"), Some(acme.clone()));
        both_find!(store, tx, find_organization("acne"), None);
        let asked = names(["acme", "acne"]);
        both_find!(store, tx, existing_organizations(&asked), names(["acme"]));
        for near in [
            tx.list_organization_names_near("acne").await.unwrap(),
            store.list_organization_names_near("acne").await.unwrap(),
        ] {
            assert_eq!(near, ["acme"]);
        }
        for (what, count) in [
            (Bounded::Groups, 2),
            (Bounded::GroupParents, 1),
            (Bounded::GroupRoles, 2),
            (Bounded::GroupLevels, 1),
            (Bounded::LevelsOfAGroup, 1),
            (Bounded::Organizations, 1),
        ] {
            both_find!(store, tx, count_bounded(what), count);
        }
        let counts: BTreeMap<String, i64> = tx
            .count_policy()
            .await
            .unwrap()
            .into_iter()
            .map(|(what, count)| (format!("{what:?}"), count))
            .collect();
        assert_eq!(
            (counts["Groups"], counts["GroupRoles"], counts.len()),
            (2, 2, 10)
        );
        both_find!(store, tx, count_levels_of_group("berlin"), 1);
        both_find!(store, tx, count_levels_of_group("europe"), 0);
    }
}

#[tokio::test]
async fn a_policy_a_resource_server_and_a_resource_are_found_alone() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let policy = Policy {
            cedar: "permit (principal, action, resource);".to_owned(),
            description: None,
            enabled: false,
        };
        tx.save_policy("open", &policy).await.unwrap();
        let orders = Resource {
            identifier: "https://orders.example.com".to_owned(),
            name: Some("Orders".to_owned()),
            scopes: Scope::parse("orders:read orders:write").unwrap(),
            scope_permissions: BTreeMap::from([(
                "orders:write".to_owned(),
                Permission::parse("order:write").unwrap(),
            )]),
            access_token_claims: vec!["email".to_owned()],
            access_token_typ: AccessTokenTyp::Jwt,
            access_token_signing_alg: Some(SigningAlg::Ps256),
        };
        tx.save_resource(&orders).await.unwrap();
        let name = ResourceName {
            kind: "Document".to_owned(),
            id: "42".to_owned(),
        };
        let object = Object {
            organization: Some(OrganizationName::stored("acme".to_owned())),
            attributes: attributes(json!({ "public": true })),
        };
        tx.save_object(&name, &object).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.db().begin().await.unwrap();

        both_find!(store, tx, find_policy("open"), Some(policy.clone()));
        both_find!(store, tx, find_policy("shut"), None);
        both_find!(store, tx, count_bounded(Bounded::Policies), 1);
        let identifier = "https://orders.example.com";
        both_find!(store, tx, find_resource(identifier), Some(orders.clone()));
        both_find!(store, tx, find_resource("orders"), None);
        let slash = "https://orders.example.com/";
        both_find!(store, tx, find_resource(slash), Some(orders.clone()));
        both_find!(store, tx, list_resources(), vec![orders.clone()]);
        both_find!(store, tx, count_bounded(Bounded::Resources), 1);
        both_find!(store, tx, list_object_types(), names(["Document"]));
        both_find!(store, tx, find_object_record(&name), Some(object.clone()));
    }
}

#[tokio::test]
async fn a_declaration_is_found_alone() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let text = Declaration {
            kind: AttributeType::parse("string").unwrap(),
            required: false,
        };
        let document = Of::Resource("Document".to_owned());
        tx.save_declaration(&Of::User, "department", text)
            .await
            .unwrap();
        tx.save_declaration(&document, "owner", text).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.db().begin().await.unwrap();

        both_find!(
            store,
            tx,
            find_declaration(&Of::User, "department"),
            Some(text)
        );
        both_find!(store, tx, find_declaration(&Of::User, "owner"), None);
        let mut of_documents = Declarations::default();
        of_documents.insert(document.clone(), "owner".to_owned(), text);
        let mut all = of_documents;
        all.insert(Of::User, "department".to_owned(), text);
        both_find!(store, tx, list_declarations(), all.clone());
    }
}
