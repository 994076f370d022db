//! People and their passwords.

use super::*;

#[tokio::test]
async fn the_last_administrator_stays() {
    let at = Site::new().await;
    at.make(&site()).await;
    let refused = |result| matches!(result, Err(AdministrationError::LastAdministrator));
    assert!(refused(at.apply(&Document::default(), PRUNE).await));
    let mut root = user("root", "battery staple", &[]);
    let of = |user: &UserRow| Document {
        users: vec![user.clone()],
        ..Document::default()
    };
    assert!(refused(at.apply(&of(&root), Options::default()).await));
    root.roles = None;
    root.disabled = Some(true);
    assert!(refused(at.apply(&of(&root), Options::default()).await));
    assert!(at.client("web").await.is_some() && at.user("root").await.is_some());
}

#[tokio::test]
async fn another_password_signs_out_and_the_same_one_does_not() {
    let at = Site::new().await;
    at.make(&site()).await;
    let mut alice = user("alice", "correct horse", &["support"]);
    alice.email = Some("alice@example.test".to_owned());
    alice.email_verified = Some(true);
    alice.claims.name = Some("Alice".to_owned());
    let of = |user: &UserRow| Document {
        users: vec![user.clone()],
        ..Document::default()
    };
    let report = at.make(&of(&alice)).await;
    assert_eq!(
        changed(&report),
        ["username", "email", "email_verified", "name"]
    );
    assert_eq!(at.user("alice").await.unwrap().user.token_version, 0);

    alice.password = Some(NewPassword::Plain(Secret::new("another horse")));
    alice.email = Some("alice@example.org".to_owned());
    alice.email_verified = None;
    alice.claims.name = None;
    let report = at.make(&of(&alice)).await;
    assert_eq!(changed(&report), ["email", "email_verified", "password"]);
    let stored = at.user("alice").await.unwrap().user;
    assert_eq!(stored.token_version, 1);
    assert_eq!(stored.claims.name.as_deref(), Some("Alice"));
    assert!(at.knows_password("alice", "another horse").await);

    alice.disabled = Some(true);
    assert_eq!(changed(&at.make(&of(&alice)).await), ["disabled"]);
    assert!(at.make(&of(&alice)).await.is_unchanged());
    let stored = at.user("alice").await.unwrap().user;
    assert!(stored.disabled_at.is_some() && stored.token_version == 2);
    alice.disabled = Some(false);
    alice.roles = Some(BTreeSet::new());
    assert_eq!(changed(&at.make(&of(&alice)).await), ["disabled", "roles"]);
}

#[tokio::test]
async fn a_password_hash_is_applied_once() {
    let at = Site::new().await;
    at.make(&site()).await;
    let weak = "$argon2id$v=19$m=512,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$1oKHvYa9Xl0bhNzQ6HfW9rKcGQf3sYkq0mOaT2o6S0M";
    let mut alice = user("alice", "", &["support"]);
    alice.password = Some(NewPassword::Hash(Secret::new(weak)));
    let desired = Document {
        users: vec![alice],
        ..Document::default()
    };
    assert_eq!(changed(&at.make(&desired).await), ["username", "password"]);
    assert!(at.make(&desired).await.is_unchanged());
    // As a sign-in does with a hash made with weaker settings.
    let id = at.user("alice").await.unwrap().user.id;
    let store = &at.services.store;
    store.rehash_password(id, weak, "$other").await.unwrap();
    assert!(at.make(&desired).await.is_unchanged());
}

#[tokio::test]
async fn the_demo_is_seeded_once_and_its_secret_is_new_each_time() {
    let at = Site::new().await;
    let one = crate::service::administration::demo::seed(&at.services)
        .await
        .unwrap();
    let other = crate::service::administration::demo::seed(&at.services)
        .await
        .unwrap();
    assert_eq!(one.url, "http://localhost:8080/playground");
    let api = at.client(other.api_client_id).await.unwrap();
    let now = at.services.clock.now();
    assert!(api.metadata.may_introspect);
    assert!(api.secret_matches(
        &at.services.client_secrets.present(&other.api_client_secret),
        now
    ));
    assert!(at.client(one.client_id).await.unwrap().is_public());
    assert!(at.knows_password(one.username, one.password).await);
    assert_eq!(at.user(one.username).await.unwrap().user.token_version, 0);
}
