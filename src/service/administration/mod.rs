//! Acts of administrators: who may do them, that nobody gives what they do not have, and that a repeated request does
//! not do them again.

mod guards;
mod idempotency;
pub(in crate::service) mod imported_hash;
mod rights;
mod writing;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::Value;
use thiserror::Error;

use super::Services;
use super::apply::ApplyError;
use super::decisions::{Asked, Who};
use crate::domain::audit::Origin;
use crate::domain::ids::{ClientId, UserId};
use crate::service::decisions::access::SignIn;
use crate::spec::time::Ts;
use crate::store::error::StoreError;

pub use idempotency::{Idempotency, KEPT_FOR, RequestKey};
pub use rights::{Named, Rights};
pub use writing::{Answered, Begun, Writing, begin};

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
    /// everything: only an operator, or somebody who may do everything, can register one for that.
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
    fn asked(&self, user: UserId, action: &str, organization: Option<&str>, now: Ts) -> Asked {
        let attributes = organization.map(|name| ("organization".to_owned(), Value::from(name)));
        Asked {
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

/// Why an act of an administrator was not done.
#[derive(Debug, Error)]
pub enum AdministrationError {
    /// It would give somebody, or take over, more than the administrator has.
    #[error("you do not have {what} yourself")]
    Beyond {
        /// What they lack.
        what: String,
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
    /// Nobody could administrate any more.
    #[error("this would leave nobody who can sign in with the role \"admin\"")]
    LastAdministrator,
    /// A member that cannot be so.
    #[error("{detail}")]
    Invalid {
        /// Which.
        param: String,
        /// What is wrong.
        detail: String,
    },
    /// Mistakes, and what else can go wrong in writing.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
