//! Clients and their secrets.

use super::*;

#[tokio::test]
async fn a_changed_secret_leaves_the_old_one_valid_for_a_day() {
    let at = Site::new().await;
    let with = |secret| Document {
        clients: vec![client("web", secret)],
        ..Document::default()
    };
    let other = "another-long-random-secret-of-theirs";
    at.make(&with(Some(SECRET))).await;
    let report = at.make(&with(Some(other))).await;
    assert_eq!(changed(&report), ["client_secret"]);
    let secrets = &at.services.client_secrets;
    let valid = |secret: &str, client: &crate::domain::client::Client, at: Ts| {
        let presented = secrets.present(&PlainToken::new(secret));
        client.secret_matches(&presented, at)
    };
    let now = at.services.clock.now();
    let later = now.plus(client_secrets::KEEP * 2);
    let web = at.client("web").await.unwrap();
    assert!(valid(SECRET, &web, now) && valid(other, &web, now));
    assert!(!valid(SECRET, &web, later) && valid(other, &web, later));

    // Nothing said: it keeps what it has. Said again: nothing changes. Back to the first: it lasts again.
    assert!(at.make(&with(None)).await.is_unchanged());
    assert!(at.make(&with(Some(other))).await.is_unchanged());
    at.make(&with(Some(SECRET))).await;
    let web = at.client("web").await.unwrap();
    assert!(valid(SECRET, &web, later) && !valid(other, &web, later));

    let id = ClientId::parse("web").unwrap();
    let services = &at.services;
    let (keep, origin) = (std::time::Duration::ZERO, Origin::system());
    let rotated = accounts::rotate_client_secret(services, &id, keep, &origin, now);
    let rotated = rotated.await.unwrap();
    let web = at.client("web").await.unwrap();
    assert!(web.secret_matches(&secrets.present(&rotated), now));
    assert!(!valid(SECRET, &web, now));
}

#[tokio::test]
async fn what_is_removed_from_a_client_is_gone() {
    let at = Site::new().await;
    let mut api = client("api", Some(SECRET));
    api.metadata.may_introspect = true;
    api.metadata.grant_types = Some(vec![GrantType::AuthorizationCode]);
    let of = |client: &ClientRow| Document {
        clients: vec![client.clone()],
        ..Document::default()
    };
    at.make(&of(&api)).await;
    api.metadata.may_introspect = false;
    let report = at.make(&of(&api)).await;
    assert_eq!(changed(&report), ["may_introspect"]);
    let id = ClientId::parse("api").unwrap();
    let cached = at.services.clients.find(&id).await.unwrap().unwrap();
    assert!(!cached.metadata.may_introspect);
}

#[tokio::test]
async fn only_new_refuses_what_is_there() {
    let at = Site::new().await;
    at.make(&site()).await;
    let now = at.services.clock.now();
    let row = client("web", None);
    let registered = accounts::register(&at.services, &row, &Origin::system(), now).await;
    let Err(refused) = registered else {
        panic!("it was registered again");
    };
    assert_eq!(refused.to_string(), "the client \"web\" exists already");
}

#[tokio::test]
async fn a_disabled_client_stays_disabled() {
    let at = Site::new().await;
    at.make(&site()).await;
    let id = ClientId::parse("web").unwrap();
    let now = at.services.clock.now();
    let (state, origin) = (ClientState::Disabled, Origin::system());
    let disabled = accounts::set_client_state(&at.services, &id, state, &origin, now);
    disabled.await.unwrap();
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.client("web").await.unwrap().disabled_at.is_some());
    accounts::disable(&at.services, "alice", &Origin::system(), now)
        .await
        .unwrap();
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.user("alice").await.unwrap().user.disabled_at.is_some());
}

#[tokio::test]
async fn a_digest_of_an_older_version_is_put_under_the_master_key_a_day_later() {
    use crate::crypto::client_secret::StoredSecret;
    use std::time::Duration;

    const BARE: &str = "UPDATE client_secrets SET digest = $1, keyed_at = NULL";
    let at = Site::new().await;
    let with = |secret| Document {
        clients: vec![client("web", secret)],
        ..Document::default()
    };
    at.make(&with(Some(SECRET))).await;
    let secret = PlainToken::new(SECRET);
    let presented = at.services.client_secrets.present(&secret);
    let bare = secret.digest();
    let written = at.services.store.db().w(BARE);
    let written = written.bind(bare.as_bytes().to_vec()).exec().await;
    assert_eq!(written.unwrap(), 1);
    let now = at.services.clock.now();
    let stored = async || at.client("web").await.unwrap().secrets;

    // It is good as it is, and a document that names it changes nothing.
    assert_eq!(stored().await[0].digest, StoredSecret::Bare(bare));
    assert!(
        at.client("web")
            .await
            .unwrap()
            .secret_matches(&presented, now)
    );
    assert!(at.make(&with(Some(SECRET))).await.is_unchanged());
    // An older version may still run beside this one, and could not check what is keyed.
    assert_eq!(
        client_secrets::key_bare_ones(&at.services, now)
            .await
            .unwrap(),
        0
    );
    let later = now.plus(Duration::from_hours(25));
    assert_eq!(
        client_secrets::key_bare_ones(&at.services, later)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        client_secrets::key_bare_ones(&at.services, later)
            .await
            .unwrap(),
        0
    );
    let keyed = at.services.client_secrets.digest(&secret);
    let is = stored().await;
    assert_eq!(is.len(), 1);
    assert_eq!(is[0].digest, StoredSecret::Keyed(keyed));
    assert!(
        at.client("web")
            .await
            .unwrap()
            .secret_matches(&presented, later)
    );
    assert!(at.make(&with(Some(SECRET))).await.is_unchanged());
}

#[tokio::test]
async fn a_client_made_again_long_after_its_predecessor_counts_from_then_on() {
    use std::time::Duration;

    let at = Site::new().await;
    let with = |id: &str| Document {
        clients: vec![client(id, Some(SECRET))],
        ..Document::default()
    };
    at.make(&with("web")).await;
    let prune = Options {
        prune: true,
        ..Options::default()
    };
    let (origin, now) = (Origin::system(), at.services.clock.now());
    let deleted = apply(&at.services, &with("other"), prune, &origin, now).await;
    deleted.unwrap();
    assert!(at.client("web").await.is_none());
    // The revocation is forgotten once every access token of that time has expired; grants may live for months.
    let later = now.plus(Duration::from_hours(3));
    at.services
        .revocations
        .purge_expired(later, 500)
        .await
        .unwrap();
    let before = at.services.clock.now();
    at.make(&with("web")).await;
    assert!(at.client("web").await.unwrap().not_before >= before);
}
