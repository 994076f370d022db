//! Signet, an OAuth 2.0 and OpenID Connect identity provider in one small binary.
//!
//! `src/README.md` is the map: what each room is for and what may import what. Nothing is promised to other crates:
//! the rooms are private, so rustc finds what nothing uses.

mod admin;
mod app;
mod cli;
mod config;
mod crypto;
mod domain;
mod http;
mod protocol;
mod service;
mod spec;
mod store;
mod telemetry;
mod web;

pub use cli::main;

/// What `tests/` and the measurements name of the inside.
///
/// A type stands here as itself where its methods are few. [`Store`](doors::Store) and
/// [`Services`](doors::Services) are thin wrappers: as themselves they would open everything.
#[doc(hidden)]
pub mod doors {
    use std::sync::Arc;

    pub use crate::config::Config;
    pub use crate::crypto::jose::SigningKey;
    pub use crate::crypto::password::{PasswordParams, Passwords};
    pub use crate::domain::ids::UserId;
    pub use crate::domain::policy::{
        Assignment, Levels, Object, Permission, Question, Role, Snapshot, Subject, Written,
    };
    pub use crate::http::server::{ServerLimits, serve};
    pub use crate::service::decisions::{DecisionRequest, Who};
    pub use crate::spec::alg::SigningAlg;
    pub use crate::spec::claims::{Claim, Place};
    pub use crate::spec::time::Clock;

    use crate::domain::policy::Decision;
    use crate::service::{self, StartError};
    use crate::spec::time::Ts;
    use crate::store;
    use crate::store::error::StoreError;

    /// The durable store, as far as it is read from outside.
    pub struct Store(store::Store);

    impl Store {
        /// Connects to a database.
        pub async fn open(database_url: &str, max_connections: u32) -> Result<Self, StoreError> {
            let store = store::Store::open(database_url, max_connections).await?;
            Ok(Self(store))
        }

        /// The version and the contents of roles, groups and policies.
        pub async fn read_policy(&self) -> Result<(i64, Written), StoreError> {
            let (version, written) = self.0.read_policy().await?;
            Ok((version.number, written))
        }
    }

    /// The services, as far as they are asked from outside.
    pub struct Services {
        /// The clock.
        pub clock: Clock,
        /// Who may do what.
        pub decisions: Decisions,
    }

    impl Services {
        /// Opens the store and makes everything ready.
        pub async fn start(config: Config) -> Result<Self, StartError> {
            let services = service::Services::start(config).await?;
            Ok(Self {
                clock: services.clock.clone(),
                decisions: Decisions(services),
            })
        }
    }

    /// Decisions of the services.
    pub struct Decisions(Arc<service::Services>);

    impl Decisions {
        /// Decides one question.
        pub async fn decide(
            &self,
            asked: &DecisionRequest,
            now: Ts,
        ) -> Result<Decision, StoreError> {
            self.0.decisions.decide(asked, now).await
        }
    }
}
