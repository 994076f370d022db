use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::config::{Config, Secret};
use crate::crypto::password::Verified;
use crate::crypto::secret::PlainToken;
use crate::domain::resource::Resource;
use crate::domain::user::username_key;
use crate::service::{client_secrets, revoke, users as people};
use crate::spec::auth_method::AuthMethod;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;
use crate::store::roles::PolicyRecord;

struct Site {
    services: Arc<Services>,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let settings = [
            (
                "SIGNET_DATABASE_URL",
                format!("sqlite://{}", path("signet.db")),
            ),
            ("SIGNET_KEYS_DIR", path("keys")),
            ("SIGNET_PASSWORD_HASH_MEMORY_KIB", "7168".to_owned()),
            ("SIGNET_PASSWORD_HASH_ITERATIONS", "5".to_owned()),
            ("SIGNET_PASSWORD_HASH_THREADS", "2".to_owned()),
        ];
        let nowhere = directory.path().join("signet.toml");
        std::fs::write(&nowhere, "").unwrap();
        let env = settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let config = Config::load(Some(Path::new(&nowhere)), env, Vec::new()).unwrap();
        Self {
            services: Services::start(config).await.unwrap(),
            _directory: directory,
        }
    }

    async fn apply(&self, desired: &Desired, options: Options) -> Result<Report, ApplyError> {
        let now = self.services.clock.now();
        apply(&self.services, desired, options, now).await
    }

    async fn make(&self, desired: &Desired) -> Report {
        self.apply(desired, Options::default()).await.unwrap()
    }

    async fn user(&self, name: &str) -> Option<crate::store::users::UserWithPassword> {
        let key = username_key(name).unwrap();
        self.services.store.find_user_by_key(&key).await.unwrap()
    }

    async fn client(&self, id: &str) -> Option<crate::domain::client::Client> {
        let id = ClientId::parse(id).unwrap();
        self.services.store.find_client(&id).await.unwrap()
    }

    async fn knows_password(&self, name: &str, password: &str) -> bool {
        let phc = self.user(name).await.unwrap().password_hash;
        let verified = self.services.passwords.verify(password.to_owned(), phc);
        matches!(verified.await.unwrap(), Verified::Match { .. })
    }
}

const PRUNE: Options = Options {
    dry_run: false,
    prune: true,
    only_new: false,
};

const SECRET: &str = "a-long-random-secret-of-the-operator";

fn client(id: &str, secret: Option<&str>) -> DesiredClient {
    DesiredClient {
        id: id.to_owned(),
        secret: secret.map(Secret::new),
        metadata: ClientMetadata {
            redirect_uris: vec!["http://127.0.0.1:9000/callback".to_owned()],
            ..ClientMetadata::default()
        },
    }
}

fn user(name: &str, password: &str, roles: &[&str]) -> DesiredUser {
    DesiredUser {
        username: name.to_owned(),
        password: Some(DesiredPassword::Plain(Secret::new(password))),
        roles: Some(roles.iter().map(|role| (*role).to_owned()).collect()),
        ..DesiredUser::default()
    }
}

fn role(name: &str, parents: &[&str], permissions: &[&str]) -> DesiredRole {
    let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    DesiredRole {
        name: name.to_owned(),
        role: RoleRecord {
            description: None,
            parents: set(parents),
            permissions: set(permissions),
        },
    }
}

fn site() -> Desired {
    Desired {
        resources: vec![Resource {
            identifier: "https://api.example.test".to_owned(),
            name: None,
            scopes: ["orders:read"].into_iter().collect(),
        }],
        clients: vec![client("web", Some(SECRET)), client("made", None)],
        users: vec![
            user("Alice", "correct horse", &["support"]),
            user("root", "battery staple", &["admin"]),
        ],
        roles: vec![role("support", &["employee"], &["order:read"])],
        policies: vec![DesiredPolicy {
            id: "own".to_owned(),
            policy: PolicyRecord {
                cedar: "permit(principal, action, resource);".to_owned(),
                description: None,
                enabled: true,
            },
        }],
    }
}

fn outcomes(report: &Report) -> Vec<(Kind, &str, &str)> {
    let items = report.items.iter();
    items
        .map(|item| (item.kind, item.name.as_str(), item.outcome.as_str()))
        .collect()
}

fn changed(report: &Report) -> Vec<&str> {
    let items = report.items.iter();
    items
        .flat_map(|item| match &item.outcome {
            Outcome::Changed(fields) => fields.iter().map(String::as_str).collect(),
            Outcome::Created | Outcome::Unchanged | Outcome::Deleted => Vec::new(),
        })
        .collect()
}

#[tokio::test]
async fn applying_twice_changes_nothing_and_says_so() {
    let at = Site::new().await;
    let first = at.make(&site()).await;
    assert_eq!(
        outcomes(&first),
        [
            (Kind::Resource, "https://api.example.test", "created"),
            (Kind::Role, "admin", "created"),
            (Kind::Role, "employee", "created"),
            (Kind::Role, "support", "created"),
            (Kind::Client, "web", "created"),
            (Kind::Client, "made", "created"),
            (Kind::User, "Alice", "created"),
            (Kind::User, "root", "created"),
            (Kind::Policy, "own", "created"),
        ]
    );
    assert_eq!(first.generated.len(), 1);
    assert!(first.generated[0].secret.expose().starts_with("sgs_"));
    assert_eq!(first.warnings.len(), 1, "{:?}", first.warnings);

    let before = at.user("alice").await.unwrap();
    let second = at.make(&site()).await;
    assert!(second.is_unchanged(), "{:?}", second.items);
    assert!(second.generated.is_empty() && second.warnings.is_empty());
    assert_eq!(second.kept[&Kind::Role], 2);
    let after = at.user("alice").await.unwrap();
    assert_eq!(before.password_hash, after.password_hash);
    assert_eq!(after.user.token_version, 0);
    let now = at.services.clock.now();
    let made = at.client("made").await.unwrap();
    assert!(made.secret_matches(first.generated[0].secret.digest(), now));
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let at = Site::new().await;
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let report = at.apply(&site(), dry).await.unwrap();
    assert_eq!(report.items.len(), 9);
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
    let desired = Desired {
        resources: vec![Resource {
            identifier: "api".to_owned(),
            name: None,
            scopes: crate::spec::scope::Scope::default(),
        }],
        clients: vec![client("a b", None), public, wild, bare],
        users: vec![
            user("al\u{7}", "long enough", &[]),
            user("bob", "short", &["nobody"]),
            user("BOB ", "long enough", &[]),
            DesiredUser {
                username: "carol".to_owned(),
                password: Some(DesiredPassword::Hash(Secret::new("$2b$12$nope"))),
                email: Some("carol".to_owned()),
                ..DesiredUser::default()
            },
        ],
        roles: vec![
            role("a", &["b"], &["order"]),
            role("b", &["c"], &[]),
            role("c", &["a"], &[]),
        ],
        policies: vec![DesiredPolicy {
            id: "p".to_owned(),
            policy: PolicyRecord {
                cedar: " ".to_owned(),
                description: Some("\0".to_owned()),
                enabled: true,
            },
        }],
    };
    let Err(ApplyError::Invalid(problems)) = at.apply(&desired, Options::default()).await else {
        panic!("it was applied");
    };
    let places: BTreeSet<(Kind, &str, &str)> = problems
        .iter()
        .map(|problem| (problem.kind, problem.name.as_str(), problem.field.as_str()))
        .collect();
    let expected = BTreeSet::from([
        (Kind::Resource, "api", "identifier"),
        (Kind::Client, "a b", "client_id"),
        (Kind::Client, "public", "client_secret"),
        (Kind::Client, "wild", "client_secret"),
        (Kind::Client, "wild", "default_resource"),
        (Kind::Client, "wild", "access_token_lifetime"),
        (Kind::Client, "bare", "redirect_uris"),
        (Kind::User, "al\u{7}", "username"),
        (Kind::User, "bob", "password"),
        (Kind::User, "bob", "roles"),
        (Kind::User, "bob", "username"),
        (Kind::User, "carol", "password_hash"),
        (Kind::User, "carol", "email"),
        (Kind::Role, "a", "permissions"),
        (Kind::Role, "a", "parents"),
        (Kind::Role, "b", "parents"),
        (Kind::Role, "c", "parents"),
        (Kind::Policy, "p", "cedar"),
        (Kind::Policy, "p", "description"),
    ]);
    assert_eq!(places, expected);
    let text = ApplyError::Invalid(problems).to_string();
    assert!(!text.contains("$2b$") && !text.contains(SECRET), "{text}");
    assert!(at.user("bob").await.is_none());
}

#[tokio::test]
async fn a_cycle_through_roles_that_are_there_already_is_refused() {
    let at = Site::new().await;
    let of = |roles| Desired {
        roles,
        ..Desired::default()
    };
    at.make(&of(vec![role("a", &["b"], &[]), role("b", &[], &[])]))
        .await;
    let cycle = of(vec![role("b", &["a"], &[])]);
    assert!(matches!(
        at.apply(&cycle, Options::default()).await,
        Err(ApplyError::Invalid(problems)) if problems[0].field == "parents"
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
    let rest = Desired {
        users: vec![user("root", "battery staple", &["admin"])],
        ..Desired::default()
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
            (Kind::Resource, "https://api.example.test", "deleted"),
            (Kind::Role, "employee", "deleted"),
            (Kind::Role, "support", "deleted"),
            (Kind::Client, "made", "deleted"),
            (Kind::Client, "web", "deleted"),
            (Kind::User, "root", "unchanged"),
            (Kind::User, "alice", "deleted"),
            (Kind::Policy, "own", "deleted"),
        ]
    );
    let keys = [Key::Client("web"), Key::User(alice.bytes())];
    let standing = at.services.revocations.check(&keys).await.unwrap();
    assert_eq!(standing.values, [Some(i64::MAX), Some(i64::MAX)]);

    // Created again, its new tokens count and the old ones do not.
    let before = at.services.clock.now();
    at.make(&site()).await;
    let standing = at.services.revocations.check(&keys[..1]).await.unwrap();
    let from = Ts(standing.values[0].unwrap());
    assert!(from > before && from <= before.plus(std::time::Duration::from_secs(2)));
    assert_eq!(at.client("web").await.unwrap().not_before, from);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let at = Site::new().await;
    at.make(&site()).await;
    let refused = |result| matches!(result, Err(ApplyError::LastAdministrator));
    assert!(refused(at.apply(&Desired::default(), PRUNE).await));
    let mut root = user("root", "battery staple", &[]);
    let of = |user: &DesiredUser| Desired {
        users: vec![user.clone()],
        ..Desired::default()
    };
    assert!(refused(at.apply(&of(&root), Options::default()).await));
    root.roles = None;
    root.disabled = Some(true);
    assert!(refused(at.apply(&of(&root), Options::default()).await));
    assert!(at.client("web").await.is_some() && at.user("root").await.is_some());
}

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
    let rotated = client_secrets::rotate(services, &id, std::time::Duration::ZERO, now)
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
async fn another_password_signs_out_and_the_same_one_does_not() {
    let at = Site::new().await;
    at.make(&site()).await;
    let mut alice = user("alice", "correct horse", &["support"]);
    alice.email = Some("alice@example.test".to_owned());
    alice.email_verified = Some(true);
    alice.claims.name = Some("Alice".to_owned());
    let of = |user: &DesiredUser| Desired {
        users: vec![user.clone()],
        ..Desired::default()
    };
    let report = at.make(&of(&alice)).await;
    assert_eq!(
        changed(&report),
        ["username", "email", "email_verified", "name"]
    );
    assert_eq!(at.user("alice").await.unwrap().user.token_version, 0);

    alice.password = Some(DesiredPassword::Plain(Secret::new("another horse")));
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
    alice.password = Some(DesiredPassword::Hash(Secret::new(weak)));
    let desired = Desired {
        users: vec![alice],
        ..Desired::default()
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
async fn two_who_apply_at_the_same_time_both_succeed() {
    let at = Site::new().await;
    let desired = site();
    let (one, other) = tokio::join!(at.make(&desired), at.make(&desired));
    assert_ne!(one.is_unchanged(), other.is_unchanged());
    assert_eq!(one.generated.len() + other.generated.len(), 1);
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
        revoke::disable_client(&at.services, &id, now)
            .await
            .unwrap()
    );
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.client("web").await.unwrap().disabled_at.is_some());
    people::disable(&at.services, "alice", now).await.unwrap();
    assert!(at.make(&site()).await.is_unchanged());
    assert!(at.user("alice").await.unwrap().user.disabled_at.is_some());
}

#[tokio::test]
async fn the_demo_is_seeded_once_and_its_secret_is_new_each_time() {
    let at = Site::new().await;
    let one = crate::service::demo::seed(&at.services).await.unwrap();
    let other = crate::service::demo::seed(&at.services).await.unwrap();
    assert_eq!(one.url, "http://localhost:8080/playground");
    let api = at.client(other.api_client_id).await.unwrap();
    let now = at.services.clock.now();
    assert!(api.metadata.may_introspect);
    assert!(api.secret_matches(other.api_client_secret.digest(), now));
    assert!(at.client(one.client_id).await.unwrap().is_public());
    assert!(at.knows_password(one.username, one.password).await);
    assert_eq!(at.user(one.username).await.unwrap().user.token_version, 0);
}
