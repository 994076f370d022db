//! What two callers share: issuing, redeeming, revoking, signing in, consent, keys. Each act that more than one
//! endpoint, page or command needs has its one implementation here.

pub mod administration;
pub mod audit;
pub mod authorization;
pub mod decisions;
pub mod fetch;
pub mod outbox;
pub mod rate_limits;
pub mod registry;
pub mod sign_in;
pub mod tokens;
pub mod webhooks;

use std::sync::Arc;

use thiserror::Error;

use crate::config::Config;
use crate::crypto::client_secret::ClientSecretMac;
use crate::crypto::credential::CredentialKeys;
use crate::crypto::master_key::{MasterKey, MasterKeyError};
use crate::crypto::password::{PasswordError, PasswordParams, Passwords};
use crate::crypto::seal::Mac;
use crate::domain::grant::GrantLimits;
use crate::spec::time::Clock;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::replay::Replay;
use crate::store::revocations::Revocations;

/// Everything a request needs, made once.
pub struct Services {
    /// The configuration.
    pub config: Config,
    /// The clock that requests read, once each.
    pub clock: Clock,
    /// The durable store.
    pub store: Store,
    /// What is revoked, everywhere.
    pub revocations: Revocations,
    /// What may be used once.
    pub replay: Replay,
    /// Clients, cached for reading.
    pub clients: registry::clients::Clients,
    /// Resource servers and their scopes.
    pub resources: registry::resources::Resources,
    /// Who may do what.
    pub decisions: decisions::Decisions,
    /// The audit trail.
    pub audit: audit::Audit,
    /// Seals the secrets of webhooks.
    pub webhooks: webhooks::Webhooks,
    /// Signing keys.
    pub keys: tokens::keys::KeyRing,
    /// Codes and refresh tokens.
    pub credentials: CredentialKeys,
    /// Password hashing, bounded.
    pub passwords: Passwords,
    /// What is stored of client secrets.
    pub client_secrets: ClientSecretMac,
    /// How often callers may try.
    pub limits: rate_limits::Limits,
    /// Browsers that have signed in before.
    pub browsers: rate_limits::browsers::KnownBrowsers,
    /// Access tokens that were verified before.
    pub access_tokens: tokens::access_token::AccessTokens,
    /// Pending authorization requests on their way through pages.
    pub flows: authorization::flow::Flows,
    /// Form tokens.
    pub csrf: Mac,
    /// Fetches of what clients publish.
    pub fetcher: fetch::Fetcher,
    /// Clients' public keys.
    pub client_keys: registry::client_keys::ClientKeys,
    /// Requests that may be repeated.
    pub idempotency: administration::Idempotency,
}

/// Why the services cannot start; each says what to do about it.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// Another master key sealed what is in the store.
    #[error(
        "this database was sealed with another master key (fingerprint {stored}; the one given has {given}): \
         give the key that was used before, through keys_dir, SIGNET_MASTER_KEY or SIGNET_MASTER_KEY_FILE"
    )]
    OtherMasterKey {
        /// The fingerprint in the store.
        stored: String,
        /// The fingerprint of the key at hand.
        given: String,
    },
    /// The password pool.
    #[error("the password hashing settings cannot be used: {0}")]
    Passwords(#[from] PasswordError),
    /// Signing keys.
    #[error("the signing keys cannot be used: {0}")]
    Keys(#[from] tokens::keys::KeyError),
    /// The audit trail's key.
    #[error("the key of the audit trail cannot be made: {0}")]
    Audit(#[from] crate::crypto::jose::JoseError),
    /// The outbound client.
    #[error("outbound fetches cannot be set up: {0}")]
    Fetch(String),
}

impl Services {
    /// Opens the store, brings it to this version's shape and makes everything ready but the signing keys,
    /// which [`tokens::keys::KeyRing::ensure`] makes.
    pub async fn start(config: Config) -> Result<Arc<Self>, StartError> {
        let master = master_key(&config)?;
        let store = Store::open(
            config.database_url.expose(),
            config.database_max_connections,
        )
        .await?;
        store.migrate().await?;
        let given = master.fingerprint();
        let stored = store.settle("master_key_fingerprint", &given).await?;
        if stored != given {
            return Err(StartError::OtherMasterKey { stored, given });
        }
        let revocations = Revocations::start(
            store.db().clone(),
            config
                .redis_url
                .as_ref()
                .map(super::config::secret::Secret::expose),
        )
        .await?;
        let passwords = Passwords::new(PasswordParams {
            memory_kib: config.password_hash_memory_kib,
            iterations: config.password_hash_iterations,
            parallelism: 1,
            threads: config.password_hash_threads,
            // About a second of work: one hash takes some 20 ms.
            queue: config.password_hash_threads.saturating_mul(50),
        })?;
        let audit = audit::Audit::new(&master, &config)?;
        Box::pin(audit.begin(&store)).await?;
        let fetcher = fetch::Fetcher::new(&config).map_err(StartError::Fetch)?;
        let clients = registry::clients::Clients::new(store.clone(), revocations.clone());
        Ok(Arc::new(Self {
            clock: Clock::system(),
            replay: Replay::new(store.db().clone()),
            clients: clients.clone(),
            resources: registry::resources::Resources::new(store.clone()),
            decisions: decisions::Decisions::new(store.clone(), clients),
            audit,
            webhooks: webhooks::Webhooks::new(&master),
            keys: tokens::keys::KeyRing::new(store.clone(), &master, &config),
            credentials: CredentialKeys::new(&master),
            passwords,
            client_secrets: ClientSecretMac::new(&master),
            limits: rate_limits::Limits::new(&config, &master)?,
            browsers: rate_limits::browsers::KnownBrowsers::new(&master),
            access_tokens: tokens::access_token::AccessTokens::new(),
            flows: authorization::flow::Flows::new(&master, config.login_lifetime),
            csrf: Mac::new(&master, "csrf"),
            client_keys: registry::client_keys::ClientKeys::new(fetcher.clone()),
            idempotency: administration::Idempotency::new(&master),
            fetcher,
            revocations,
            store,
            config,
        }))
    }

    /// How long things around a grant last.
    #[must_use]
    pub fn grant_limits(&self) -> GrantLimits {
        GrantLimits {
            retry_window: self.config.refresh_retry_window,
            idle: self.config.refresh_token_idle_lifetime,
        }
    }
}

fn master_key(config: &Config) -> Result<MasterKey, MasterKeyError> {
    match &config.master_key {
        Some(given) => MasterKey::from_base64(given.expose()),
        None => MasterKey::load_or_create(&config.keys_dir),
    }
}
