//! Passwords as factors, beside a process of the version before that knows only the column.

use super::super::assignments::Holder;
use super::super::db::Db;
use super::super::db::tests::both;
use super::super::error::StoreError;
use super::super::factors::Credentials;
use super::super::users::{UserFields, UserFilter};
use super::super::{MIGRATIONS, Store, migrate};
use super::stores;
use crate::domain::ids::UserId;
use crate::domain::policy::Assignment;
use crate::domain::sign_in::Factor;
use crate::spec::time::Ts;

const ALICE: UserId = UserId(uuid::Uuid::from_u128(1));

async fn store_alice(store: &Store, hash: Option<&str>) {
    let fields = UserFields {
        username: "Alice".to_owned(),
        username_key: "alice".to_owned(),
        ..UserFields::default()
    };
    let mut tx = store.db().begin().await.unwrap();
    let hash = hash.map(str::to_owned);
    tx.insert_user(ALICE, &fields, hash, Ts(1)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn set(store: &Store, hash: &str) {
    let mut tx = store.db().begin().await.unwrap();
    tx.set_password_hash(ALICE, hash.to_owned()).await.unwrap();
    tx.commit().await.unwrap();
}

/// What the version before this one reads.
async fn column(store: &Store) -> Option<String> {
    let read = store
        .db()
        .q("SELECT password_hash FROM users WHERE id = $1");
    let row = read.bind(ALICE.0).one::<(Option<String>,)>();
    row.await.unwrap().0
}

/// What the version after this one will read.
async fn row(store: &Store) -> Option<String> {
    let read = store
        .db()
        .q("SELECT verifier FROM factors WHERE user_id = $1 AND id = $1 AND kind = 'password'");
    let row = read.bind(ALICE.0).opt::<(String,)>();
    row.await.unwrap().map(|(verifier,)| verifier)
}

async fn column_set_to(store: &Store, hash: Option<&str>) {
    let write = store
        .db()
        .w("UPDATE users SET password_hash = $2 WHERE id = $1");
    let write = write.bind(ALICE.0).bind(hash.map(str::to_owned));
    write.exec().await.unwrap();
}

async fn credentials(store: &Store) -> Credentials {
    store.find_credentials("alice").await.unwrap().unwrap()
}

/// Every read of a password says the same.
async fn read(store: &Store) -> Option<String> {
    let found = credentials(store).await;
    let hash = found.password_hash;
    assert_eq!(found.account.user.id, ALICE);
    let has_password = found.account.factors.contains(&Factor::Password);
    assert_eq!(has_password, hash.is_some());
    let by_id = store.find_user_with_password(ALICE).await.unwrap().unwrap();
    let by_key = store.find_user_by_key("alice").await.unwrap().unwrap();
    let listed = store
        .search_users(&UserFilter::default(), "", 10)
        .await
        .unwrap();
    assert_eq!(
        [
            &by_id.password_hash,
            &by_key.password_hash,
            &listed[0].password_hash
        ],
        [&hash; 3]
    );
    hash
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is read is an option, to be compared with"
)]
fn some(hash: &str) -> Option<String> {
    Some(hash.to_owned())
}

#[tokio::test]
async fn a_password_is_a_row_and_the_version_before_reads_it_too() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$first")).await;
        assert_eq!(
            (column(&store).await, row(&store).await),
            (some("$first"), some("$first"))
        );
        assert_eq!(read(&store).await, some("$first"));
        set(&store, "$second").await;
        assert_eq!(
            (column(&store).await, row(&store).await),
            (some("$second"), some("$second"))
        );
        assert_eq!(read(&store).await, some("$second"));
        store
            .rehash_password(ALICE, "$second", "$third")
            .await
            .unwrap();
        assert_eq!(
            (column(&store).await, row(&store).await),
            (some("$third"), some("$third"))
        );
        assert!(store.find_credentials("bob").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_account_without_a_password_has_no_factor_until_one_is_set() {
    for (_fresh, store) in stores().await {
        store_alice(&store, None).await;
        assert_eq!((column(&store).await, row(&store).await), (None, None));
        assert_eq!(read(&store).await, None);
        set(&store, "$first").await;
        assert_eq!(
            (read(&store).await, row(&store).await),
            (some("$first"), some("$first"))
        );
    }
}

#[tokio::test]
async fn a_password_that_the_version_before_sets_replaces_the_old_one_at_once() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$known to a thief")).await;
        column_set_to(&store, Some("$new")).await;
        assert_eq!(read(&store).await, some("$new"));
        // Both places agree again with the next write.
        store
            .rehash_password(ALICE, "$new", "$stronger")
            .await
            .unwrap();
        assert_eq!(
            (read(&store).await, row(&store).await),
            (some("$stronger"), some("$stronger"))
        );
    }
}

#[tokio::test]
async fn a_user_whom_the_version_before_creates_signs_in_with_this_one() {
    for (_fresh, store) in stores().await {
        store_alice(&store, None).await;
        column_set_to(&store, Some("$theirs")).await;
        assert_eq!(
            (read(&store).await, row(&store).await),
            (some("$theirs"), None)
        );
    }
}

#[tokio::test]
async fn the_row_alone_suffices_once_the_column_is_no_longer_written() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$first")).await;
        column_set_to(&store, None).await;
        assert_eq!(read(&store).await, some("$first"));
        store
            .rehash_password(ALICE, "$first", "$second")
            .await
            .unwrap();
        assert_eq!(read(&store).await, some("$second"));
        column_set_to(&store, None).await;
        let mut tx = store.db().begin().await.unwrap();
        let admin = Assignment::of("admin");
        tx.assign(&Holder::User(ALICE), &admin).await.unwrap();
        tx.commit().await.unwrap();
        assert!(store.has_holder("admin").await.unwrap(), "she can sign in");
    }
}

#[tokio::test]
async fn a_rehash_does_not_bring_back_a_password_that_was_changed_meanwhile() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$old")).await;
        set(&store, "$new").await;
        store
            .rehash_password(ALICE, "$old", "$old but stronger")
            .await
            .unwrap();
        assert_eq!(
            (column(&store).await, row(&store).await),
            (some("$new"), some("$new"))
        );
    }
}

#[tokio::test]
async fn an_account_with_a_factor_of_a_later_version_is_not_signed_in_without_it() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$first")).await;
        let later =
            "INSERT INTO factors (user_id, id, kind, verifier) VALUES ($1, $2, 'retina', 'x')";
        let later = store
            .db()
            .w(later)
            .bind(ALICE.0)
            .bind(uuid::Uuid::from_u128(9));
        later.exec().await.unwrap();
        let error = store.find_credentials("alice").await.unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Inconsistent {
                    table: "factors",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn factors_go_with_their_user() {
    for (_fresh, store) in stores().await {
        store_alice(&store, Some("$first")).await;
        let mut tx = store.db().begin().await.unwrap();
        tx.delete_user(ALICE).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(row(&store).await, None);
    }
}

#[tokio::test]
async fn passwords_from_before_the_migration_become_rows() {
    for fresh in both().await {
        let db = Db::open(&fresh.url, 4).await.unwrap();
        let at = MIGRATIONS
            .iter()
            .position(|migration| migration.number == 12);
        migrate::migrate(&db, &MIGRATIONS[..at.unwrap()])
            .await
            .unwrap();
        let insert = "INSERT INTO users (id, username, username_key, password_hash, email_verified, claims, attributes, \
            token_version, created_at, updated_at) VALUES ($1, 'Alice', 'alice', '$before', FALSE, '{}', '{}', 0, 1, 1)";
        db.w(insert).bind(ALICE.0).exec().await.unwrap();
        let store = Store::open(&fresh.url, 4).await.unwrap();
        store.migrate().await.unwrap();
        assert_eq!(
            (read(&store).await, row(&store).await),
            (some("$before"), some("$before"))
        );
    }
}
