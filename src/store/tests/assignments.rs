//! Roles are held for each organization and listed page by page, on both engines.

use std::collections::BTreeSet;

use super::super::assignments::{Assigned, Filter, Holder, Place};
use super::super::db::Tx;
use super::super::users::UserFields;
use super::stores;
use crate::domain::directory::Organization;
use crate::domain::ids::UserId;
use crate::domain::policy::Assignment;
use crate::spec::time::Ts;

fn given(role: &str, organization: Option<&str>, until: Option<i64>) -> Assignment {
    Assignment {
        role: role.to_owned(),
        organization: organization.map(str::to_owned),
        until: until.map(Ts::from_secs),
    }
}

async fn user(tx: &mut Tx, number: u8) -> UserId {
    let id = UserId::from_random([number; 16]);
    let fields = UserFields {
        username: format!("user{number}"),
        username_key: format!("user{number}"),
        ..UserFields::default()
    };
    tx.insert_user(id, &fields, None, Ts(0)).await.unwrap();
    id
}

#[tokio::test]
async fn a_role_is_held_for_each_organization_and_listed_page_by_page() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        for role in ["manager", "support"] {
            tx.save_role(role, None).await.unwrap();
        }
        let acme = Organization::default();
        tx.save_organization("acme", &acme).await.unwrap();
        let asked = BTreeSet::from(["acme".to_owned(), "acne".to_owned()]);
        let found = tx.existing_organizations(&asked).await.unwrap();
        assert_eq!(found, BTreeSet::from(["acme".to_owned()]));
        tx.save_group("berlin", None, &serde_json::Map::new())
            .await
            .unwrap();
        let alice = Holder::User(user(&mut tx, 1).await);
        let bob = Holder::User(user(&mut tx, 2).await);
        let berlin = Holder::Group("berlin".to_owned());
        for holder in [&alice, &bob, &berlin] {
            for one in [
                given("manager", None, None),
                given("manager", Some("acme"), Some(100)),
                given("support", Some("acme"), None),
            ] {
                assert_eq!(tx.assign(holder, &one).await.unwrap(), Assigned::Created);
                assert_eq!(tx.assign(holder, &one).await.unwrap(), Assigned::Unchanged);
            }
        }
        let longer = given("manager", Some("acme"), Some(200));
        assert_eq!(tx.assign(&alice, &longer).await.unwrap(), Assigned::Changed);
        assert!(tx.unassign(&bob, "manager", None).await.unwrap());
        assert!(!tx.unassign(&bob, "manager", None).await.unwrap());
        for (role, organization) in [("manager", None), ("support", Some("acme"))] {
            assert!(tx.unassign(&berlin, role, organization).await.unwrap());
        }
        let only = given("manager", Some("acme"), None);
        for outcome in [Assigned::Changed, Assigned::Unchanged] {
            assert_eq!(tx.assign(&berlin, &only).await.unwrap(), outcome);
        }
        let held = tx.list_assignments_of(&berlin).await.unwrap();
        assert_eq!(held, BTreeSet::from([only]));
        tx.commit().await.unwrap();

        let all = Filter::default();
        let everything = store.list_assignments(&all, None, 100).await.unwrap();
        assert_eq!(everything.len(), 3 + 2 + 1);
        assert!(everything.is_sorted());
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .list_assignments(&all, after.as_ref(), 2)
                .await
                .unwrap();
            after = page.last().map(Place::of);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, everything);
        let count = async |filter: Filter| {
            let page = store.list_assignments(&filter, None, 100).await.unwrap();
            page.len()
        };
        let role = Some("support".to_owned());
        assert_eq!(
            count(Filter {
                role,
                ..Filter::default()
            })
            .await,
            2
        );
        let holder = Some(bob.clone());
        assert_eq!(
            count(Filter {
                holder,
                ..Filter::default()
            })
            .await,
            2
        );
        let holder = Some(berlin.clone());
        assert_eq!(
            count(Filter {
                holder,
                ..Filter::default()
            })
            .await,
            1
        );
        let organization = Some(String::new());
        assert_eq!(
            count(Filter {
                organization,
                ..Filter::default()
            })
            .await,
            1
        );
    }
}
