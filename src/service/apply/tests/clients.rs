//! Clients and their secrets.

use super::*;

#[tokio::test]
async fn a_changed_secret_leaves_the_old_one_valid_for_a_day() {
    let at = Site::new().await;
    let with = |secret| Desired {
        clients: vec![client("web", secret)],
        ..Desired::default()
    };
    let other = "another-long-random-secret-of-theirs";
    at.make(&with(Some(SECRET))).await;
    let report = at.make(&with(Some(other))).await;
    assert_eq!(changed(&report), ["client_secret"]);
    let valid = |secret: &str, client: &crate::domain::client::Client, at: Ts| {
        client.secret_matches(PlainToken::new(secret).digest(), at)
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
    let rotated = client_secrets::rotate(
        services,
        &id,
        std::time::Duration::ZERO,
        &Origin::system(),
        now,
    )
    .await
    .unwrap();
    let web = at.client("web").await.unwrap();
    assert!(web.secret_matches(rotated.digest(), now));
    assert!(!valid(SECRET, &web, now));
}

#[tokio::test]
async fn what_is_removed_from_a_client_is_gone() {
    let at = Site::new().await;
    let mut api = client("api", Some(SECRET));
    api.metadata.may_introspect = true;
    api.metadata.grant_types = Some(vec![GrantType::AuthorizationCode]);
    let of = |client: &DesiredClient| Desired {
        clients: vec![client.clone()],
        ..Desired::default()
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
    let options = Options {
        only_new: true,
        ..Options::default()
    };
    let desired = Desired {
        clients: vec![client("web", None)],
        ..Desired::default()
    };
    let refused = at.apply(&desired, options).await.unwrap_err();
    assert_eq!(refused.to_string(), "the client \"web\" exists already");
}

#[tokio::test]
async fn a_disabled_client_stays_disabled() {
    let at = Site::new().await;
    at.make(&site()).await;
    let id = ClientId::parse("web").unwrap();
    let now = at.services.clock.now();
    assert!(
        revoke::client(
            &at.services,
            &id,
            ClientStanding::Disabled,
            &Origin::system(),
            now
        )
        .await
        .unwrap()
    );
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.client("web").await.unwrap().disabled_at.is_some());
    accounts::disable(&at.services, "alice", &Origin::system(), now)
        .await
        .unwrap();
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.user("alice").await.unwrap().user.disabled_at.is_some());
}
