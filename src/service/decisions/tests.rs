//! What instances keep of a database that is restored to a backup while they run.

use serde_json::Map;

use crate::domain::ids::UserId;
use crate::service::webhooks::tests::{NOW, start};
use crate::spec::standard_claims::StandardClaims;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::changes::{FACTS, Version, bump_changes};
use crate::store::db::tests::both;
use crate::store::users::UserFields;

const ALICE: UserId = UserId(uuid::Uuid::from_u128(7));

async fn insert_alice(store: &Store) {
    let fields = UserFields {
        username: "alice".into(),
        username_key: "alice".into(),
        email: None,
        email_verified: false,
        claims: StandardClaims::default(),
        attributes: Map::new(),
    };
    let mut tx = store.db().begin().await.unwrap();
    tx.insert_user(ALICE, &fields, None, NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn set_disabled(store: &Store, disabled_at: Option<Ts>) {
    let mut tx = store.db().begin().await.unwrap();
    tx.set_user_disabled(ALICE, disabled_at).await.unwrap();
    tx.commit().await.unwrap();
}

/// Writes the version of the facts that stands in the backup.
async fn go_back(store: &Store, to: Version) {
    let back = "UPDATE changes SET version = $1, mark = $2 WHERE topic = 'facts'";
    let back = store.db().w(back).bind(to.number).bind(to.mark);
    assert_eq!(back.exec().await.unwrap(), 1);
}

#[tokio::test]
async fn what_was_kept_of_a_user_does_not_outlive_a_restored_backup() {
    for fresh in both().await {
        let directory = tempfile::tempdir().unwrap();
        let services = start(&fresh, &directory).await;
        let (store, decisions) = (&services.store, &services.decisions);
        let may_act = async || {
            decisions.refresh().await.unwrap();
            decisions.standing(ALICE, NOW).await.unwrap().is_some()
        };
        insert_alice(store).await;
        assert!(may_act().await);
        let backup = store.policy_versions().await.unwrap().facts;
        set_disabled(store, Some(NOW)).await;
        assert!(!may_act().await);
        let before = store.policy_versions().await.unwrap().facts;
        // The backup has Alice enabled. Another change raises the number to where it was.
        set_disabled(store, None).await;
        go_back(store, backup).await;
        let mut tx = store.db().begin().await.unwrap();
        bump_changes(&mut tx, FACTS).await.unwrap();
        tx.commit().await.unwrap();
        let now = store.policy_versions().await.unwrap().facts;
        assert_eq!(now.number, before.number);
        assert!(
            may_act().await,
            "what was kept before is not of this history"
        );
    }
}
