mod bounds;
mod clients;
mod documents;
mod people;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Map;

use super::super::{NewPassword, Outcome, accounts};
use super::*;
use crate::config::{Config, Secret};
use crate::crypto::password::Verified;
use crate::crypto::secret::PlainToken;
use crate::domain::audit::Origin;
use crate::domain::ids::ClientId;
use crate::domain::policy::{Assignment, Permission};
use crate::domain::user::username_key;
use crate::service::registry::client_secrets;
use crate::service::tokens::revoke::ClientState;
use crate::spec::auth_method::AuthMethod;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;
use crate::store::changes::bump_changes;
use crate::store::revocations::Key;

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

    async fn apply(
        &self,
        desired: &Document,
        options: Options,
    ) -> Result<Report, AdministrationError> {
        let now = self.services.clock.now();
        apply(&self.services, desired, options, &Origin::system(), now).await
    }

    async fn make(&self, desired: &Document) -> Report {
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
};

const SECRET: &str = "a-long-random-secret-of-the-operator";

fn client(id: &str, secret: Option<&str>) -> ClientRow {
    ClientRow {
        id: id.to_owned(),
        secret: secret.map(Secret::new),
        metadata: ClientMetadata {
            redirect_uris: vec!["http://127.0.0.1:9000/callback".to_owned()],
            ..ClientMetadata::default()
        },
    }
}

fn user(name: &str, password: &str, roles: &[&str]) -> UserRow {
    UserRow {
        username: name.to_owned(),
        password: Some(NewPassword::Plain(Secret::new(password))),
        roles: Some(roles.iter().map(|role| Assignment::of(*role)).collect()),
        ..UserRow::default()
    }
}

fn role(name: &str, parents: &[&str], permissions: &[&str]) -> (RoleName, Role) {
    let parents = parents.iter().map(|name| RoleName::parse(name).unwrap());
    let permissions = permissions.iter();
    let role = Role {
        description: None,
        parents: parents.collect(),
        permissions: permissions
            .map(|text| Permission::parse(text).unwrap())
            .collect(),
    };
    (RoleName::parse(name).unwrap(), role)
}

fn resource(identifier: &str, scopes: &[&str]) -> (Identifier, Resource) {
    let resource = Resource {
        scopes: scopes.iter().copied().collect(),
        ..Resource::default()
    };
    (Identifier::stored(identifier.to_owned()), resource)
}

fn policy(id: &str, cedar: &str) -> (PolicyId, Policy) {
    let policy = Policy {
        cedar: cedar.to_owned(),
        description: None,
        enabled: true,
    };
    (PolicyId::parse(id).unwrap(), policy)
}

fn site() -> Document {
    Document {
        resources: vec![resource("https://api.example.test", &["orders:read"])],
        clients: vec![client("web", Some(SECRET)), client("made", None)],
        users: vec![
            user("Alice", "correct horse", &["support"]),
            user("root", "battery staple", &["admin"]),
        ],
        roles: vec![role("support", &["employee"], &["order:read"])],
        policies: vec![policy("own", "permit(principal, action, resource);")],
        ..Document::default()
    }
}

fn outcomes(report: &Report) -> Vec<(KindName, &str, &str)> {
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
