//! Whole documents: twice, dry, wrong, pruned.

use super::*;

#[tokio::test]
async fn applying_twice_changes_nothing_and_says_so() {
    let at = Site::new().await;
    let first = at.make(&site()).await;
    assert_eq!(
        outcomes(&first),
        [
            (KindName::Resource, "https://api.example.test", "created"),
            (KindName::Role, "employee", "created"),
            (KindName::Role, "support", "created"),
            (KindName::Client, "web", "created"),
            (KindName::Client, "made", "created"),
            (KindName::User, "Alice", "created"),
            (KindName::User, "root", "created"),
            (KindName::Policy, "own", "created"),
        ]
    );
    assert_eq!(first.generated.len(), 1);
    assert!(first.generated[0].secret.expose().starts_with("sgs_"));
    assert_eq!(first.warnings.len(), 1, "{:?}", first.warnings);

    let before = at.user("alice").await.unwrap();
    let second = at.make(&site()).await;
    assert!(second.is_unchanged(), "{:?}", second.items);
    assert!(second.generated.is_empty() && second.warnings.is_empty());
    assert_eq!(second.kept[&KindName::Role], 2);
    let after = at.user("alice").await.unwrap();
    assert_eq!(before.password_hash, after.password_hash);
    assert_eq!(after.user.token_version, 0);
    let now = at.services.clock.now();
    let made = at.client("made").await.unwrap();
    assert!(
        made.secret_matches(
            &at.services
                .client_secrets
                .present(&first.generated[0].secret),
            now
        )
    );
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let at = Site::new().await;
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let report = at.apply(&site(), dry).await.unwrap();
    assert_eq!(report.items.len(), 8);
    assert!(report.dry_run && report.generated.is_empty());
    assert!(at.user("alice").await.is_none() && at.client("web").await.is_none());
    assert!(at.services.store.list_resources().await.unwrap().is_empty());
    let real = at.make(&site()).await;
    assert_eq!(real.items, report.items);
}

#[tokio::test]
async fn every_mistake_is_reported_at_once_and_nothing_is_written() {
    let at = Site::new().await;
    let mut public = client("public", Some(SECRET));
    public.metadata.token_endpoint_auth_method = Some(AuthMethod::None);
    let mut wild = client("wild", Some("short"));
    wild.metadata.default_resource = Some("https://nowhere.example".to_owned());
    wild.metadata.access_token_lifetime = Some(4000);
    let mut bare = client("bare", None);
    bare.metadata.redirect_uris.clear();
    let desired = Document {
        resources: vec![resource("https://api.example.test", &["openid"])],
        clients: vec![client("a b", None), public, wild, bare],
        users: vec![
            user("al\u{7}", "long enough", &[]),
            user("bob", "short", &["nobody"]),
            user("BOB ", "long enough", &[]),
            UserRow {
                username: "carol".to_owned(),
                password: Some(NewPassword::Hash(Secret::new("$2b$12$nope"))),
                email: Some("carol".to_owned()),
                ..UserRow::default()
            },
        ],
        roles: vec![
            role("a", &["b"], &["order:read"]),
            role("b", &["c"], &[]),
            role("c", &["a"], &[]),
        ],
        policies: vec![(
            PolicyId::parse("p").unwrap(),
            Policy {
                cedar: " ".to_owned(),
                description: Some("\0".to_owned()),
                enabled: true,
            },
        )],
        ..Document::default()
    };
    let Err(AdministrationError::Invalid(problems)) = at.apply(&desired, Options::default()).await
    else {
        panic!("it was applied");
    };
    let places: BTreeSet<(KindName, &str, &str)> = problems
        .iter()
        .map(|problem| (problem.kind, problem.name.as_str(), problem.field.as_str()))
        .collect();
    let expected = BTreeSet::from([
        (KindName::Resource, "https://api.example.test", "scopes"),
        (KindName::Client, "a b", "client_id"),
        (KindName::Client, "public", "client_secret"),
        (KindName::Client, "wild", "client_secret"),
        (KindName::Client, "wild", "default_resource"),
        (KindName::Client, "wild", "access_token_lifetime"),
        (KindName::Client, "bare", "redirect_uris"),
        (KindName::User, "al\u{7}", "username"),
        (KindName::User, "bob", "password"),
        (KindName::User, "bob", "roles"),
        (KindName::User, "bob", "username"),
        (KindName::User, "carol", "password_hash"),
        (KindName::User, "carol", "email"),
        (KindName::Role, "a", "parents"),
        (KindName::Role, "b", "parents"),
        (KindName::Role, "c", "parents"),
        (KindName::Policy, "p", "cedar"),
        (KindName::Policy, "p", "description"),
    ]);
    assert_eq!(places, expected);
    let text = AdministrationError::Invalid(problems).to_string();
    assert!(!text.contains("$2b$") && !text.contains(SECRET), "{text}");
    assert!(at.user("bob").await.is_none());
}

#[tokio::test]
async fn a_cycle_through_roles_that_are_there_already_is_refused() {
    let at = Site::new().await;
    let of = |roles| Document {
        roles,
        ..Document::default()
    };
    at.make(&of(vec![role("a", &["b"], &[]), role("b", &[], &[])]))
        .await;
    let cycle = of(vec![role("b", &["a"], &[])]);
    assert!(matches!(
        at.apply(&cycle, Options::default()).await,
        Err(AdministrationError::Invalid(problems)) if problems[0].field == "parents"
    ));
    // Turned round in one document it is none.
    let report = at
        .make(&of(vec![role("b", &["a"], &[]), role("a", &[], &[])]))
        .await;
    assert_eq!(changed(&report), ["parents", "parents"]);
}

#[tokio::test]
async fn prune_deletes_what_is_not_named_and_ends_its_tokens() {
    let at = Site::new().await;
    at.make(&site()).await;
    let alice = at.user("alice").await.unwrap().user.id;
    let rest = Document {
        users: vec![user("root", "battery staple", &["admin"])],
        ..Document::default()
    };
    let kept = at.make(&rest).await;
    assert_eq!(
        kept.kept.values().sum::<usize>(),
        1 + 3 + 2 + 1 + 1,
        "{:?}",
        kept.kept
    );

    let report = at.apply(&rest, PRUNE).await.unwrap();
    assert_eq!(
        outcomes(&report),
        [
            (KindName::Resource, "https://api.example.test", "deleted"),
            (KindName::Role, "employee", "deleted"),
            (KindName::Role, "support", "deleted"),
            (KindName::Client, "made", "deleted"),
            (KindName::Client, "web", "deleted"),
            (KindName::User, "root", "unchanged"),
            (KindName::User, "alice", "deleted"),
            (KindName::Policy, "own", "deleted"),
        ]
    );
    let keys = [Key::Client("web"), Key::User(alice.bytes())];
    let recorded = at.services.revocations.check(&keys).await.unwrap();
    assert_eq!(recorded.values, [Some(i64::MAX), Some(i64::MAX)]);

    // Created again, its new tokens count and the old ones do not.
    let before = at.services.clock.now();
    at.make(&site()).await;
    let recorded = at.services.revocations.check(&keys[..1]).await.unwrap();
    let from = Ts(recorded.values[0].unwrap());
    assert!(from > before && from <= before.plus(std::time::Duration::from_secs(2)));
    assert_eq!(at.client("web").await.unwrap().not_before, from);
}

#[tokio::test]
async fn two_who_apply_at_the_same_time_both_succeed() {
    let at = Site::new().await;
    let desired = site();
    let (one, other) = tokio::join!(at.make(&desired), at.make(&desired));
    assert_ne!(one.is_unchanged(), other.is_unchanged());
    assert_eq!(one.generated.len() + other.generated.len(), 1);
}
