//! Acts of administrators: who may do them, that an administrator gives only what they have, and that a repeated request
//! does not do them again.
//!
//! An [`Act`] is one transaction. What can be done in it are acts on single things: [`Act::put`] and [`Act::remove`] for
//! every [`Kind`], and the methods of people, clients and what they hold. Each judges the change from what was to what
//! is to be, so that no caller has a rule of its own. `signet apply` folds them over a document ([`document`]).

pub mod accounts;
mod act;
mod attributes;
mod checking;
mod client_rules;
mod clients;
pub mod demo;
pub mod document;
mod groups;
mod guards;
mod holdings;
mod idempotency;
mod imported_hash;
mod kind;
mod levels;
mod objects;
mod operator;
mod organizations;
mod passwords;
mod policies;
mod report;
mod resources;
mod rights;
mod roles;
pub mod setup;
pub mod signing_keys;
mod user_rows;
mod users;
mod vocabulary;
mod webhooks;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::Value;
use thiserror::Error;

use super::Services;
use super::decisions::{DecisionRequest, Who};
use crate::crypto::password::PasswordError;
use crate::domain::audit::Origin;
use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::ADMIN_ROLE;
use crate::service::decisions::access::SignIn;
use crate::service::tokens::keys::KeyError;
use crate::service::webhooks::WebhookError;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

pub use crate::domain::policy::Named;
pub use act::{Act, Answered, Begun, begin};
pub use attributes::AttributeKey;
pub use client_rules::ClientRow;
pub use clients::ClientPut;
pub use idempotency::{Idempotency, KEPT_FOR, RequestKey};
pub use kind::Kind;
pub use operator::act_of_operator;
pub use passwords::hash_password;
pub use report::{Item, KindName, Mistake, Outcome, Report};
pub use rights::Rights;
pub use user_rows::{MIN_PASSWORD_CHARS, NewPassword, UserRow};
pub use vocabulary::validate_policy;

/// The action that changing what policies may ask needs: it can open as much as a role.
const WRITE_ATTRIBUTES: &str = "attributes.write";

/// Signet's own administration, as a resource type of decisions.
pub const RESOURCE_TYPE: &str = "signet";

/// Every action on it: what the operations of the API ask for, and asking for decisions.
pub const ACTIONS: [&str; 30] = [
    "assignments.read",
    "assignments.write",
    "attributes.write",
    "audit.read",
    "clients.read",
    "clients.write",
    "configuration.read",
    "decide",
    "groups.read",
    "groups.write",
    "keys.read",
    "keys.write",
    "levels.read",
    "levels.write",
    "objects.read",
    "organizations.members",
    "organizations.read",
    "organizations.write",
    "policies.read",
    "policies.write",
    "resources.read",
    "resources.write",
    "roles.read",
    "roles.write",
    "sessions.read",
    "sessions.write",
    "users.read",
    "users.write",
    "webhooks.read",
    "webhooks.write",
];

/// Who administrates.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// The person, if it is one; else the client acts for itself.
    pub user: Option<UserId>,
    /// The client through which they act, or that acts for itself.
    pub client: ClientId,
    /// How they are signed in.
    pub sign_in: SignIn,
    /// From where.
    pub ip: IpAddr,
    /// All of it, as the audit trail names it.
    pub origin: Origin,
}

impl Administrator {
    /// A name for what is kept for this caller alone.
    #[must_use]
    pub fn name(&self) -> String {
        match self.user {
            Some(user) => format!("user:{user}"),
            None => format!("client:{}", self.client.as_str()),
        }
    }

    /// Whether they may do this to a resource of that organization, or of none. A client that acts for itself may do
    /// everything: only an operator, or a user with all rights, can register one for that.
    pub async fn may(
        &self,
        services: &Services,
        action: &str,
        organization: Option<&str>,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let Some(user) = self.user else {
            return Ok(true);
        };
        let asked = self.asked(user, action, organization, now);
        Ok(Box::pin(services.decisions.decide(&asked, now))
            .await?
            .allowed)
    }

    /// The question whether a person may do this, in the circumstances of this administrator.
    fn asked(
        &self,
        user: UserId,
        action: &str,
        organization: Option<&str>,
        now: Ts,
    ) -> DecisionRequest {
        let attributes = organization.map(|name| ("organization".to_owned(), Value::from(name)));
        DecisionRequest {
            subject: Who::Id(user),
            action: action.to_owned(),
            resource_type: RESOURCE_TYPE.to_owned(),
            resource_id: RESOURCE_TYPE.to_owned(),
            resource_attributes: attributes.into_iter().collect(),
            context: self.sign_in.context(&self.client, self.ip, now),
            client: None,
            why: false,
        }
    }
}

/// Why an act of an administrator was not done, or not wholly.
#[derive(Debug, Error)]
pub enum AdministrationError {
    /// The operation needs this action on `signet`.
    #[error("this needs the permission signet:{0}")]
    Forbidden(String),
    /// It would give, or take over, more than the administrator has.
    #[error("{detail}")]
    Beyond {
        /// What they lack, as a sentence.
        detail: String,
        /// The member that would give it.
        param: Option<String>,
    },
    /// The same key came with another request before.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The same request is being worked on.
    #[error("a request with this Idempotency-Key is being worked on")]
    Running,
    /// It is not any more what the administrator saw.
    #[error("it was changed since you read it")]
    Changed,
    /// There is no such thing.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// What kind of thing.
        kind: KindName,
        /// Its name.
        name: String,
    },
    /// There is one already.
    #[error("the {kind} {name:?} exists already")]
    Exists {
        /// What kind of thing.
        kind: KindName,
        /// Its name.
        name: String,
    },
    /// Another act or job did the same in the same moment. A sentence.
    #[error("{0}")]
    Overtaken(&'static str),
    /// The client has no use for a secret.
    #[error("client {id} authenticates with {method}, which needs no secret")]
    NoSecret {
        /// The client.
        id: ClientId,
        /// `token_endpoint_auth_method`.
        method: &'static str,
    },
    /// It cannot be changed so. A sentence.
    #[error("{0}")]
    BuiltIn(&'static str),
    /// Mistakes, all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Mistake>),
    /// Something that is stored would not fit any more.
    #[error("{} {:?}: {}", .0.kind, .0.name, .0.problem)]
    Contradicted(Box<Mistake>),
    /// A password that is too short or too long.
    #[error("a password has at least {MIN_PASSWORD_CHARS} characters and at most 1024 bytes")]
    BadPassword,
    /// No administrator would be left.
    #[error(
        "no user with the role \"{ADMIN_ROLE}\" would be left who can sign in; give the role to another user first"
    )]
    LastAdministrator,
    /// More than instances hold in memory. A sentence.
    #[error("{0}")]
    TooMany(String),
    /// Another act changed the password in the same moment.
    #[error("the password of user {0:?} was changed at the same time; apply again")]
    Moved(String),
    /// The answer cannot be written down.
    #[error("the answer to this request cannot be stored")]
    Unwritable,
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// Signing keys.
    #[error(transparent)]
    Keys(KeyError),
    /// Hashing.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Everything is written, but not every running server may know yet.
    #[error("everything is written, but running servers may not know yet; apply again: {source}")]
    NotPublished {
        /// What was written, with the secrets that were made.
        report: Box<Report>,
        /// Why.
        source: StoreError,
    },
}

impl AdministrationError {
    fn not_found<K: Kind>(key: &K::Key) -> Self {
        Self::NotFound {
            kind: K::KIND,
            name: key.to_string(),
        }
    }

    fn exists<K: Kind>(key: &K::Key) -> Self {
        Self::Exists {
            kind: K::KIND,
            name: key.to_string(),
        }
    }

    fn mistake(kind: KindName, name: &str, field: &str, problem: &str) -> Self {
        Self::Invalid(vec![Mistake {
            kind,
            name: name.to_owned(),
            field: field.to_owned(),
            problem: problem.to_owned(),
            refers: false,
            hint: None,
        }])
    }

    /// Whether another act was in the way, so that the same may succeed at once.
    pub(super) const fn is_collision(&self) -> bool {
        matches!(
            self,
            Self::Moved(_) | Self::Store(StoreError::Retryable(_) | StoreError::Conflict { .. })
        )
    }
}

impl From<KeyError> for AdministrationError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => Self::Store(error),
            KeyError::Jose(_)
            | KeyError::Sealed { .. }
            | KeyError::NotNeeded(_)
            | KeyError::NoActiveKey(_)
            | KeyError::Generation(_) => Self::Keys(error),
        }
    }
}

fn list(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
