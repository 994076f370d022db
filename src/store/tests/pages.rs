//! What administrators list, a page at a time, on both engines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};

use super::super::assignments::Holder;
use super::super::consents::Consent;
use super::super::db::Tx;
use super::super::users::{Memberships, UserFields, UserFilter};
use super::stores;
use crate::crypto::secret::{KeyedDigest, TokenDigest};
use crate::domain::binding::Binding;
use crate::domain::client::Client;
use crate::domain::directory::{GroupName, Object, Organization, Policy, Role, RoleName};
use crate::domain::grant::{CodeBinding, Grant};
use crate::domain::ids::{ClientId, GrantId, SessionId, UserId};
use crate::domain::policy::{Assignment, Level, Permission, ResourceName};
use crate::domain::session::Session;
use crate::spec::claims_request::ClaimsRequest;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

const NAMES: [&str; 3] = ["a_one", "a_two", "b"];

async fn insert_user(tx: &mut Tx, number: u8) -> UserId {
    let id = UserId::from_random([number; 16]);
    let fields = UserFields {
        username: format!("User{number}"),
        username_key: format!("user{number}"),
        ..UserFields::default()
    };
    tx.insert_user(id, &fields, None, Ts(0)).await.unwrap();
    id
}

fn document(id: &str) -> ResourceName {
    ResourceName {
        kind: "Document".to_owned(),
        id: id.to_owned(),
    }
}

#[tokio::test]
async fn described_things_are_listed_by_name() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        for name in NAMES {
            tx.save_role(name, Some(name)).await.unwrap();
            tx.save_group(name, Some(name), &Map::new()).await.unwrap();
            let organization = Organization {
                description: Some(name.to_owned()),
                ..Organization::default()
            };
            tx.save_organization(name, &organization).await.unwrap();
            let policy = Policy {
                cedar: name.to_owned(),
                description: None,
                enabled: true,
            };
            tx.save_policy(name, &policy).await.unwrap();
            let object = Object::default();
            tx.save_object(&document(name), &object).await.unwrap();
            let client = Client::register(ClientId::parse(name).unwrap(), metadata()).unwrap();
            tx.insert_client(&client, Ts(1)).await.unwrap();
            let digest = KeyedDigest::from_slice(&[1; 32]).unwrap();
            tx.insert_client_secret(&client.id, digest, Ts(1))
                .await
                .unwrap();
        }
        let a_two = GroupName::stored("a_two".to_owned());
        let below_b = BTreeSet::from([GroupName::stored("b".to_owned())]);
        let role = Role {
            description: Some("a_two".to_owned()),
            parents: BTreeSet::from([RoleName::stored("b".to_owned())]),
            permissions: BTreeSet::from([Permission::parse("order:read").unwrap()]),
        };
        tx.replace_role_contents("a_two", &role).await.unwrap();
        let gone = BTreeSet::from([GroupName::stored("a_one".to_owned())]);
        let none = BTreeSet::new();
        for (was, is) in [(&none, &gone), (&gone, &below_b)] {
            tx.replace_group_parents(&a_two, was, is).await.unwrap();
        }
        let holder = Holder::Group("a_two".to_owned());
        let role_b = Assignment::of("b");
        tx.assign(&holder, &role_b).await.unwrap();
        let one = document("1");
        let set = tx.set_level(&holder, &one, Some(Level::Read));
        assert!(set.await.unwrap());
        assert_eq!(tx.list_policies().await.unwrap().len(), 3);
        assert_eq!(tx.list_organizations().await.unwrap().len(), 3);
        assert_eq!(tx.list_objects().await.unwrap().len(), 3);
        let groups = tx.list_groups().await.unwrap();
        assert_eq!(groups["a_two"].parents, below_b);
        assert_eq!(groups.len(), 3);
        let levels = tx.list_levels_of(&holder).await.unwrap();
        assert_eq!(levels, BTreeMap::from([(document("1"), Level::Read)]));
        let roles = tx.list_assignments_of(&holder).await.unwrap();
        assert_eq!(roles, BTreeSet::from([role_b]));
        assert_eq!(tx.list_roles().await.unwrap()["a_two"], role);
        tx.commit().await.unwrap();

        let page = store.page_of_roles("a_", "a_one", 10).await.unwrap();
        assert_eq!(page, [(RoleName::stored("a_two".to_owned()), role)]);
        let page = store.page_of_groups("A_", "a_one", 10).await.unwrap();
        let named: Vec<&str> = page.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, ["a_two"]);
        assert_eq!(page[0].1.parents, below_b);
        let page = store.page_of_organizations("", "a_one", 1).await.unwrap();
        assert_eq!(page[0].0.as_str(), "a_two");
        assert_eq!(page.len(), 1);
        // An underscore is no wildcard.
        let page = store.page_of_policies("a_", "", 10).await.unwrap();
        assert_eq!(page.len(), 2);
        let page = store.page_of_policies("__", "", 10).await.unwrap();
        assert!(page.is_empty());
        let page = store.page_of_objects("Document", "a_one", 10).await;
        assert_eq!(page.unwrap().len(), 2);
        let page = store.page_of_clients("a_", "", 10).await.unwrap();
        assert_eq!(page.len(), 2);
        assert!(page.iter().all(|client| client.secrets.len() == 1));
        assert_eq!(store.list_clients("a_two", 10).await.unwrap().len(), 1);
    }
}

fn metadata() -> ClientMetadata {
    serde_json::from_value(json!({
        "redirect_uris": ["https://app.example.com/callback"],
    }))
    .unwrap()
}

#[tokio::test]
async fn memberships_and_levels_are_changed_singly_and_listed_by_page() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let (alice, bob) = (insert_user(&mut tx, 1).await, insert_user(&mut tx, 2).await);
        tx.save_group("berlin", None, &Map::new()).await.unwrap();
        tx.save_role("support", None).await.unwrap();
        let acme = Organization::default();
        tx.save_organization("acme", &acme).await.unwrap();
        for user in [alice, bob] {
            assert!(tx.add_group_member(user, "berlin").await.unwrap());
            assert!(!tx.add_group_member(user, "berlin").await.unwrap());
            assert!(tx.add_organization_member(user, "acme").await.unwrap());
            assert!(!tx.add_organization_member(user, "acme").await.unwrap());
        }
        let berlin = Holder::Group("berlin".to_owned());
        for holder in [&Holder::User(alice), &berlin] {
            for (id, level) in [("1", Level::Read), ("2", Level::Write)] {
                let set = tx.set_level(holder, &document(id), Some(level)).await;
                assert!(set.unwrap());
                let again = tx.set_level(holder, &document(id), Some(level)).await;
                assert!(!again.unwrap());
            }
            let found = tx.find_level(holder, &document("2")).await.unwrap();
            assert_eq!(found, Some(Level::Write));
            assert!(!tx.set_level(holder, &document("3"), None).await.unwrap());
        }
        let given = Assignment {
            role: "support".to_owned(),
            organization: Some("acme".to_owned()),
            until: None,
        };
        tx.assign(&berlin, &given).await.unwrap();
        let roles = tx.list_roles_given_for("acme").await.unwrap();
        assert_eq!(roles, ["support"]);
        tx.commit().await.unwrap();

        let members = store.page_of_group_members("berlin", Some(alice), 10).await;
        assert_eq!(members.unwrap()[0].username, "User2");
        let members = store.page_of_organization_members("acme", None, 10).await;
        assert_eq!(members.unwrap().len(), 2);
        assert_eq!(store.list_organizations_of(bob).await.unwrap(), ["acme"]);
        let first = ("Document".to_owned(), "1".to_owned());
        let levels = store.page_of_user_levels(alice, &first, 10).await.unwrap();
        assert_eq!(levels[0].resource, document("2"));
        assert_eq!(levels.len(), 1);
        let levels = store.page_of_group_levels("berlin", &first, 10).await;
        assert_eq!(levels.unwrap()[0].level, Level::Write);

        let mut tx = store.db().begin().await.unwrap();
        let expected = Memberships {
            groups: BTreeSet::from(["berlin".to_owned()]),
            organizations: BTreeSet::from(["acme".to_owned()]),
            levels: BTreeMap::from([(document("1"), Level::Read), (document("2"), Level::Write)]),
        };
        assert_eq!(tx.list_memberships_of(alice).await.unwrap(), expected);
        let levels: Vec<_> = expected.levels.iter().map(|(of, it)| (of, *it)).collect();
        tx.set_levels(&Holder::User(bob), &levels).await.unwrap();
        assert_eq!(tx.list_memberships_of(bob).await.unwrap(), expected);
        assert!(tx.remove_group_member(bob, "berlin").await.unwrap());
        assert!(tx.remove_organization_member(bob, "acme").await.unwrap());
        for id in ["1", "2"] {
            let taken = tx.set_level(&Holder::User(bob), &document(id), None).await;
            assert!(taken.unwrap());
        }
        let nothing = Memberships::default();
        assert_eq!(tx.list_memberships_of(bob).await.unwrap(), nothing);
        assert!(tx.remove_group_member(alice, "berlin").await.unwrap());
        assert!(!tx.remove_group_member(alice, "berlin").await.unwrap());
        assert!(tx.remove_organization_member(alice, "acme").await.unwrap());
        tx.delete_organization("acme").await.unwrap();
        tx.delete_group("berlin").await.unwrap();
        assert!(tx.find_organization("acme").await.unwrap().is_none());
        assert!(tx.find_group("berlin").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn users_are_found_and_listed() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let (alice, bob) = (insert_user(&mut tx, 1).await, insert_user(&mut tx, 2).await);
        let found = tx.find_user_with_password(alice).await.unwrap().unwrap();
        assert_eq!(found.user.username, "User1");
        assert!(tx.find_user_by_key("user2").await.unwrap().is_some());
        tx.commit().await.unwrap();

        assert_eq!(store.find_user(bob).await.unwrap().unwrap().id, bob);
        let found = store.find_user_with_password(bob).await.unwrap();
        assert_eq!(found.unwrap().password_hash, None);
        assert!(store.find_user_by_key("User2").await.unwrap().is_none());
        let listed = store.list_users("user1", 10).await.unwrap();
        assert_eq!(listed[0].id, bob);
        let listed = store.list_users_by_id(Some(alice), 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        let all = store.search_users(&UserFilter::default(), "", 10).await;
        assert_eq!(all.unwrap().len(), 2);
    }
}

fn session(user_id: UserId, number: u8, expires_at: Ts) -> Session {
    Session {
        id: SessionId::from_random([number; 16]),
        user_id,
        username: String::new(),
        user_version: 0,
        auth_time: Ts(1),
        amr: vec!["pwd".to_owned()],
        acr: "an acr".to_owned(),
        expires_at,
        last_seen_at: Ts(1),
    }
}

#[tokio::test]
async fn living_sessions_are_found_and_listed() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let alice = insert_user(&mut tx, 1).await;
        for number in 1..=3 {
            let expires_at = Ts(if number == 3 { 50 } else { 1000 });
            let session = session(alice, number, expires_at);
            let token = TokenDigest::from_slice(&[number; 32]).unwrap();
            assert!(tx.insert_session(&session, token).await.unwrap());
        }
        tx.commit().await.unwrap();

        let (first, second) = (
            SessionId::from_random([1; 16]),
            SessionId::from_random([2; 16]),
        );
        let page = store
            .page_of_sessions(alice, Some(first), 10, Ts(100))
            .await;
        let page = page.unwrap();
        assert_eq!(page.len(), 1);
        assert_eq!((page[0].id, page[0].username.as_str()), (second, "User1"));
        let found = store.find_session_by_id(first, Ts(100)).await.unwrap();
        assert_eq!(found.unwrap().acr, "an acr");
        let token = TokenDigest::from_slice(&[3; 32]).unwrap();
        let living = store.find_session(token, Ts(10), Ts(0)).await.unwrap();
        assert_eq!(living.unwrap().expires_at, Ts(50));
        let ended = store.find_session(token, Ts(100), Ts(0)).await.unwrap();
        assert!(ended.is_none());
    }
}

#[tokio::test]
async fn living_grants_are_found_and_listed() {
    for (_fresh, store) in stores().await {
        let mut tx = store.db().begin().await.unwrap();
        let alice = insert_user(&mut tx, 1).await;
        let client = Client::register(ClientId::parse("app").unwrap(), metadata()).unwrap();
        tx.insert_client(&client, Ts(0)).await.unwrap();
        let session = session(alice, 1, Ts(1000));
        let token = TokenDigest::from_slice(&[1; 32]).unwrap();
        assert!(tx.insert_session(&session, token).await.unwrap());
        tx.commit().await.unwrap();
        for number in 1..=3 {
            let grant = Grant {
                id: GrantId::from_random([number; 16]),
                client_id: client.id.clone(),
                user_id: alice,
                user_version: 0,
                session_id: session.id,
                offline: false,
                scope: Scope::parse("openid").unwrap(),
                resources: vec!["https://api.example.com".to_owned()],
                nonce: Some("n".to_owned()),
                claims: ClaimsRequest::default(),
                bound_to: CodeBinding {
                    redirect_uri: "https://app.example.com/callback".to_owned(),
                    code_challenge: None,
                },
                binding: Binding::None,
                auth_time: Ts(1),
                acr: session.acr.clone(),
                amr: session.amr.clone(),
                ip: Some([127, 0, 0, 1].into()),
                generation: 0,
                created_at: Ts(1),
                advanced_at: Ts(1),
                code_expires_at: Ts(if number == 3 { 50 } else { 500 }),
                expires_at: Ts(900),
                revoked_at: None,
            };
            assert!(store.insert_grant(&grant, false).await.unwrap());
        }

        let id = |number| GrantId::from_random([number; 16]);
        let page = store.page_of_grants(alice, "app", Some(id(1)), 10, Ts(100));
        let page = page.await.unwrap();
        // A code that was not redeemed in time is no grant.
        assert_eq!(page.len(), 1);
        assert_eq!(
            (page[0].id, page[0].ip),
            (id(2), Some([127, 0, 0, 1].into()))
        );
        let of_another = store.page_of_grants(alice, "other", None, 10, Ts(100));
        assert!(of_another.await.unwrap().is_empty());
        let found = store.find_living_grant(id(1), Ts(100)).await.unwrap();
        assert_eq!(found.unwrap().nonce.as_deref(), Some("n"));
        let ended = store.find_living_grant(id(1), Ts(900)).await.unwrap();
        assert!(ended.is_none());
        let mut tx = store.db().begin().await.unwrap();
        let whose = tx.revoke_grant(id(1), Ts(200)).await.unwrap();
        assert_eq!(whose, Some((alice, client.id.clone())));
        let ended = tx.revoke_grants_of(alice, &client.id, Ts(250)).await;
        assert_eq!(ended.unwrap(), [id(2).0, id(3).0]);
        let since = tx.list_revoked_grants_of(alice, &client.id, Ts(200)).await;
        assert_eq!(since.unwrap().len(), 2);
        let scope = Scope::parse("openid").unwrap();
        let share = ("https://orders.example".to_owned(), scope.clone());
        let consent = Consent {
            client_id: client.id.as_str().to_owned(),
            scope,
            resources: vec![share.0.clone()],
            shares: Some(BTreeMap::from([share])),
            granted_at: Ts(1),
        };
        tx.save_consent(alice, &consent).await.unwrap();
        tx.commit().await.unwrap();
        let found = store.find_consent(alice, &client.id).await.unwrap();
        assert_eq!(found, Some(consent));
        assert_eq!(store.list_consents(alice).await.unwrap().len(), 1);
        let revoked = store.find_living_grant(id(1), Ts(300)).await.unwrap();
        assert!(revoked.is_none());
        let found = store.find_grant(id(1), Ts(300)).await.unwrap().unwrap();
        assert_eq!(found.grant.revoked_at, Some(Ts(200)));
    }
}
