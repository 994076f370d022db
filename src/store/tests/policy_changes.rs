//! What instances read of the policies after a change, on both engines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, json};

use super::super::Store;
use super::super::assignments::Holder;
use super::super::changes::{POLICY, Version, bump_changes};
use super::super::db::Tx;
use super::super::policy_changes::Since;
use super::stores;
use crate::domain::directory::{GroupName, Organization, Policy, Role, RoleName};
use crate::domain::policy::{
    Assignment, AttributeType, Changes, Declaration, Level, Of, Permission, ResourceName, Snapshot,
};

async fn commit<T>(store: &Store, act: impl AsyncFnOnce(&mut Tx) -> T) -> T {
    let mut tx = store.db().begin().await.unwrap();
    let outcome = act(&mut tx).await;
    tx.commit().await.unwrap();
    outcome
}

/// An instance: what it has in memory, and of which version that is.
struct Instance {
    version: Version,
    snapshot: Snapshot,
}

impl Instance {
    async fn start(store: &Store) -> Self {
        let (version, written) = store.read_policy().await.unwrap();
        let snapshot = Snapshot::compile(written);
        Self { version, snapshot }
    }

    /// Looks, and finds itself to be as if it had started just now. What it read.
    async fn look(&mut self, store: &Store, after: &str) -> Changes {
        let (version, changes) = match store.read_policy_changes(self.version).await.unwrap() {
            Since::Changed(changed) => (changed.version, changed.changes),
            other => panic!("{after}: {other:?}"),
        };
        let now = Self::start(store).await;
        assert_eq!(version, now.version, "{after}");
        self.snapshot = self.snapshot.with(changes.clone());
        self.version = version;
        assert_eq!(self.snapshot.dump(), now.snapshot.dump(), "{after}");
        changes
    }
}

fn role(parents: &[&str], permissions: &[&str]) -> Role {
    let parents = parents.iter();
    let permissions = permissions.iter();
    Role {
        description: None,
        parents: parents
            .map(|it| RoleName::stored((*it).to_owned()))
            .collect(),
        permissions: permissions
            .map(|it| Permission::parse(it).unwrap())
            .collect(),
    }
}

async fn save_role(tx: &mut Tx, name: &str, is: &Role) {
    tx.save_role(name, None).await.unwrap();
    tx.replace_role_contents(name, is).await.unwrap();
}

fn group_name(name: &str) -> GroupName {
    GroupName::stored(name.to_owned())
}

fn given(role: &str, organization: Option<&str>) -> Assignment {
    Assignment {
        organization: organization.map(str::to_owned),
        ..Assignment::of(role)
    }
}

#[tokio::test]
async fn a_change_is_read_alone_and_gives_what_reading_everything_gives() {
    for (_fresh, store) in stores().await {
        let sales = Holder::Group("sales".to_owned());
        let parents = BTreeSet::from([group_name("all")]);
        let mut instance = Instance::start(&store).await;

        commit(&store, async |tx| {
            save_role(tx, "reader", &role(&[], &["doc:read"])).await;
            save_role(tx, "editor", &role(&["reader"], &["doc:write"])).await;
        })
        .await;
        let read = instance.look(&store, "two roles").await;
        assert_eq!(read.roles.len(), 2);
        assert!(read.groups.is_empty() && read.policies.is_empty());

        commit(&store, async |tx| {
            let organization = Organization::default();
            tx.save_organization("acme", &organization).await.unwrap();
            tx.save_group("all", None, &Map::new()).await.unwrap();
            tx.save_group("sales", None, &Map::new()).await.unwrap();
            let none = BTreeSet::new();
            let name = group_name("sales");
            let replace = tx.replace_group_parents(&name, &none, &parents);
            replace.await.unwrap();
            tx.assign(&sales, &given("editor", None)).await.unwrap();
            let for_one = given("reader", Some("acme"));
            tx.assign(&sales, &for_one).await.unwrap();
        })
        .await;
        let read = instance.look(&store, "groups and an organization").await;
        assert_eq!((read.groups.len(), read.organizations.len()), (2, 1));

        let document = ResourceName {
            kind: "doc".to_owned(),
            id: "1".to_owned(),
        };
        let level = async |level| {
            commit(&store, async |tx| {
                tx.set_level(&sales, &document, level).await.unwrap();
            })
            .await;
        };
        level(Some(Level::Write)).await;
        let read = instance.look(&store, "a level").await;
        assert_eq!(read.groups.keys().collect::<Vec<_>>(), ["sales"]);
        level(None).await;
        instance.look(&store, "no level").await;

        // Made again at once under its name, it is another one: others have nothing of it.
        commit(&store, async |tx| {
            tx.delete_role("reader").await.unwrap();
            save_role(tx, "reader", &role(&[], &["doc:delete"])).await;
        })
        .await;
        instance.look(&store, "another role of that name").await;
        commit(&store, async |tx| {
            tx.delete_group("all").await.unwrap();
        })
        .await;
        commit(&store, async |tx| {
            tx.save_group("all", None, &Map::new()).await.unwrap();
        })
        .await;
        instance.look(&store, "another group of that name").await;
        commit(&store, async |tx| {
            tx.delete_organization("acme").await.unwrap();
        })
        .await;
        instance.look(&store, "no organization").await;
        commit(&store, async |tx| {
            tx.unassign(&sales, "editor", None).await.unwrap();
        })
        .await;
        instance.look(&store, "a role taken").await;
    }
}

#[tokio::test]
async fn a_change_of_a_policy_or_a_declaration_is_read_alone() {
    for (_fresh, store) in stores().await {
        let mut instance = Instance::start(&store).await;
        let mut policy = Policy {
            cedar: "permit(principal, action, resource);".to_owned(),
            description: None,
            enabled: true,
        };
        let save = async |policy: &Policy| {
            commit(&store, async |tx| {
                tx.save_policy("p", policy).await.unwrap();
            })
            .await;
        };
        save(&policy).await;
        instance.look(&store, "a policy").await;
        policy.enabled = false;
        save(&policy).await;
        let read = instance.look(&store, "a disabled policy").await;
        assert_eq!(read.policies["p"], None);
        commit(&store, async |tx| tx.delete_policy("p").await.unwrap()).await;
        instance.look(&store, "no policy").await;

        commit(&store, async |tx| {
            let declaration = Declaration {
                kind: AttributeType::Bool,
                required: false,
            };
            let save = tx.save_declaration(&Of::Group, "open", declaration);
            save.await.unwrap();
            let attributes = Map::from_iter([("open".to_owned(), json!(true))]);
            tx.save_group("all", None, &attributes).await.unwrap();
        })
        .await;
        let read = instance.look(&store, "a declaration").await;
        assert!(read.declarations.is_some());
    }
}

#[tokio::test]
async fn what_was_undone_is_not_told() {
    for (_fresh, store) in stores().await {
        let before = store.policy_versions().await.unwrap();
        let mut tx = store.db().begin().await.unwrap();
        save_role(&mut tx, "reader", &role(&[], &[])).await;
        drop(tx);
        assert_eq!(store.policy_versions().await.unwrap(), before);
        let read = store.read_policy_changes(before.policy).await.unwrap();
        assert!(matches!(read, Since::Nothing));
    }
}

#[tokio::test]
async fn an_instance_that_misses_something_reads_everything() {
    for (_fresh, store) in stores().await {
        let from = store.policy_versions().await.unwrap().policy;
        // How much was changed since, if that is known.
        let changed_since = async |from| match store.read_policy_changes(from).await.unwrap() {
            Since::Nothing => Some(0),
            Since::Changed(changed) => Some(changed.changes.roles.len()),
            Since::Unknown => None,
        };
        assert_eq!(changed_since(from).await, Some(0));
        // The database is a backup of before.
        let later = Version {
            number: from.number + 1,
            mark: Some(7),
        };
        assert_eq!(changed_since(later).await, None);
        let save = async |name: &str| {
            commit(&store, async |tx| {
                save_role(tx, name, &role(&[], &[])).await;
            })
            .await;
        };
        save("one").await;
        assert_eq!(changed_since(from).await, Some(1));

        // Another version of Signet says that something changed, and not what.
        commit(&store, async |tx| bump_changes(tx, POLICY).await.unwrap()).await;
        assert_eq!(changed_since(from).await, None);
        save("two").await;
        assert_eq!(changed_since(from).await, None);

        // More than is worth it, in one act and in many.
        let from = store.policy_versions().await.unwrap().policy;
        commit(&store, async |tx| {
            for number in 0..201 {
                tx.save_role(&format!("r{number}"), None).await.unwrap();
            }
        })
        .await;
        assert_eq!(changed_since(from).await, None);
        let from = store.policy_versions().await.unwrap().policy;
        for number in 0..200 {
            save(&format!("s{number}")).await;
        }
        assert_eq!(changed_since(from).await, Some(200));
        save("s200").await;
        assert_eq!(changed_since(from).await, None);

        // What is older than the newest thousand versions is forgotten, and missed.
        for _ in 0..1000 {
            commit(&store, async |tx| bump_changes(tx, POLICY).await.unwrap()).await;
        }
        assert!(store.purge_policy_changes().await.unwrap() > 200);
        assert_eq!(changed_since(from).await, None);
        let from = store.policy_versions().await.unwrap().policy;
        save("last").await;
        assert_eq!(changed_since(from).await, Some(1));
    }
}

#[tokio::test]
async fn a_database_that_was_restored_and_changed_again_is_read_anew() {
    for (_fresh, store) in stores().await {
        let save = async |name: &str| {
            commit(&store, async |tx| {
                save_role(tx, name, &role(&[], &[])).await;
            })
            .await;
            store.policy_versions().await.unwrap().policy
        };
        let backup = save("kept").await;
        let known = save("lost").await;
        let is_known = async |version| {
            let read = store.read_policy_changes(version).await.unwrap();
            !matches!(read, Since::Unknown)
        };
        assert!(is_known(backup).await && is_known(known).await);
        let db = store.db();
        let lost = "DELETE FROM roles WHERE name = 'lost'";
        assert_eq!(db.w(lost).exec().await.unwrap(), 1);
        let noted = db.w("DELETE FROM policy_changes WHERE version > $1");
        noted.bind(backup.number).exec().await.unwrap();
        let back = "UPDATE changes SET version = $1, mark = $2 WHERE topic = 'policy'";
        let back = db.w(back).bind(backup.number).bind(backup.mark);
        back.exec().await.unwrap();
        assert!(!is_known(known).await, "it went back");
        let again = save("other").await;
        assert_eq!(again.number, known.number);
        assert!(!is_known(known).await, "the same number, another history");
        save("third").await;
        assert!(!is_known(known).await);
        assert!(is_known(backup).await && is_known(again).await);
    }
}

/// An instance that only reads follows one that writes all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_steady_writer_leaves_no_instance_behind() {
    for (_fresh, store) in stores().await {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("r{}", number % 40);
                    let permission = format!("doc:do{number}");
                    commit(&store, async |tx| {
                        save_role(tx, &name, &role(&[], &[&permission])).await;
                    })
                    .await;
                }
            })
        };
        let mut instance = Instance::start(&store).await;
        let mut looks = 0;
        while looks < 20 {
            let read = store.read_policy_changes(instance.version).await.unwrap();
            match read {
                Since::Changed(changed) => {
                    instance.snapshot = instance.snapshot.with(changed.changes);
                    instance.version = changed.version;
                    looks += 1;
                }
                Since::Nothing => {}
                // Too much for one look of a busy machine.
                Since::Unknown => instance = Instance::start(&store).await,
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        writer.await.unwrap();
        if let Since::Changed(changed) = store.read_policy_changes(instance.version).await.unwrap()
        {
            instance.snapshot = instance.snapshot.with(changed.changes);
            instance.version = changed.version;
        }
        let now = Instance::start(&store).await;
        assert_eq!(instance.version, now.version);
        assert_eq!(instance.snapshot.dump(), now.snapshot.dump());
    }
}
