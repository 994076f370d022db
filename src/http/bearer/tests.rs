//! The gate, with tokens that no endpoint issues yet.

use serde_json::Value;

use super::*;
use crate::config::Config;
use crate::domain::audience::{Audience, Servers};
use crate::domain::audit::Origin;
use crate::domain::binding::{Binding, Thumbprint};
use crate::domain::ids::ClientId;
use crate::service::Services;
use crate::service::tokens::issue::{Basis, Issuance, issue};
use crate::service::tokens::revoke;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::grant_type::GrantType;

const KEY: Binding = Binding::Jkt(Thumbprint([1; 32]));
const CERTIFICATE: Binding = Binding::X5t(Thumbprint([1; 32]));

/// A site with one client that may ask for decisions.
struct Setting {
    site: Site,
    client: Client,
    _directory: tempfile::TempDir,
}

impl Setting {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/signet.db", directory.path().display());
        let keys = directory.path().join("keys").display().to_string();
        let file = directory.path().join("signet.toml");
        std::fs::write(&file, "").unwrap();
        let env = [("SIGNET_DATABASE_URL", database), ("SIGNET_KEYS_DIR", keys)];
        let env = env.map(|(name, value)| (name.to_owned(), value));
        let config = Config::load(Some(&file), env.into_iter(), Vec::new()).unwrap();
        let services = Services::start(config).await.unwrap();
        let now = services.clock.now();
        services.keys.ensure(now).await.unwrap();
        let metadata = ClientMetadata {
            grant_types: Some(vec![GrantType::ClientCredentials]),
            scope: Some(Scope::parse(Scope::DECIDE).unwrap()),
            ..ClientMetadata::default()
        };
        let client = Client::register(ClientId::parse("robot").unwrap(), metadata).unwrap();
        let mut tx = services.store.db().begin().await.unwrap();
        tx.insert_client(&client, now).await.unwrap();
        tx.commit().await.unwrap();
        Self {
            site: Site::new(services),
            client,
            _directory: directory,
        }
    }

    /// The answer of the token endpoint to a request that proves this key.
    async fn issued(&self, binding: Binding) -> Value {
        let services = &self.site.services;
        let servers = Servers {
            all: &[],
            issuer: services.config.issuer.as_str(),
        };
        let targeted = Audience::decide(servers, &self.client, [], &self.client.scope).unwrap();
        let issuance = Issuance {
            client: &self.client,
            grant_type: GrantType::ClientCredentials,
            basis: Basis::Client,
            scope: &self.client.scope,
            audience: &targeted.audience,
            binding,
            origin: &Origin::system(),
            now: services.clock.now(),
        };
        let response = issue(services, issuance).await.unwrap();
        serde_json::to_value(&response).unwrap()
    }

    /// What the gate says to a request with a token that proves this key.
    async fn admit(&self, issued: &Value, proven: Binding) -> Result<Admitted, Refused> {
        let token = issued["access_token"].as_str().unwrap();
        let (caller, rest) = (caller(proven), std::future::ready(()));
        let admitted = admit(&self.site, &caller, token, TokenUse::Decisions, rest).await;
        admitted.map(|(admitted, ())| admitted)
    }
}

fn caller(binding: Binding) -> Caller {
    Caller {
        headers: HeaderMap::new(),
        ip: [127, 0, 0, 1].into(),
        binding,
        origin: Origin::system(),
    }
}

#[tokio::test]
async fn a_bound_token_needs_the_proof_of_its_key_rfc9449_7_1() {
    let at = Setting::new().await;
    let all = [Binding::None, KEY, CERTIFICATE];
    for bound in all {
        let issued = at.issued(bound).await;
        for proven in all {
            let answer = at.admit(&issued, proven).await;
            match answer {
                Ok(admitted) => {
                    assert_eq!(bound, proven);
                    assert_eq!(admitted.token().binding, bound);
                }
                Err(Refused::InvalidToken(sentence)) => {
                    assert_ne!(bound, proven, "{sentence}");
                    assert!(sentence.contains("key"), "{sentence}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_binding_is_told_in_the_response_the_token_and_the_introspection_rfc7800_3() {
    let at = Setting::new().await;
    let types = [
        (Binding::None, "Bearer"),
        (KEY, "DPoP"),
        (CERTIFICATE, "Bearer"),
    ];
    for (binding, token_type) in types {
        let issued = at.issued(binding).await;
        assert_eq!(issued["token_type"], token_type);
        let admitted = at.admit(&issued, binding).await.unwrap();
        let told: Value = serde_json::from_str(&admitted.token().introspection).unwrap();
        assert_eq!(told["token_type"], token_type);
        assert_eq!(told.get("cnf"), binding.cnf().as_ref());
    }
}

#[tokio::test]
async fn what_happens_while_the_rest_of_a_request_is_awaited_counts() {
    let at = Setting::new().await;
    let issued = at.issued(Binding::None).await;
    let token = issued["access_token"].as_str().unwrap();
    let admitted = at.admit(&issued, Binding::None).await.unwrap();
    let services = &at.site.services;
    let rest = async {
        let (jti, until) = (&admitted.token().jti, admitted.token().expires_at);
        let now = services.clock.now();
        revoke::access_token(services, jti, until, &Origin::system(), now).await
    };
    let caller = caller(Binding::None);
    let admitting = admit(&at.site, &caller, token, TokenUse::Decisions, rest);
    let answer = Box::pin(admitting).await;
    assert!(matches!(
        answer,
        Err(Refused::InvalidToken("the token was revoked"))
    ));
    assert!(!admitted.is_still_valid(&at.site).await.unwrap());
}
