//! A question as a caller asks it, before anything was read.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::ids::UserId;
use crate::domain::policy::{Application, Object, Question, Subject};
use crate::spec::time::Ts;

/// A question as a caller asks it.
#[derive(Clone, Debug)]
pub struct DecisionRequest {
    /// Who.
    pub subject: Who,
    /// Does what.
    pub action: String,
    /// To a resource of this type.
    pub resource_type: String,
    /// And this id.
    pub resource_id: String,
    /// What the caller knows of the resource; what is in the store goes before it.
    pub resource_attributes: Map<String, Value>,
    /// Circumstances.
    pub context: Map<String, Value>,
    /// The application with which they do it; `None`: the one that `client_id` of the context names, if any.
    pub client: Option<Arc<Application>>,
    /// Whether a refusal should name what would have allowed it.
    pub why: bool,
}

/// A user, by one of their two names, if there is such a user.
#[derive(Clone, Debug)]
pub enum Who {
    /// `sub`.
    Id(UserId),
    /// The name they sign in with.
    Username(String),
    /// No user that is known here.
    Unknown,
}

impl Who {
    /// A `sub` if it looks like one, else a user name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        UserId::parse(text).map_or_else(|| Self::Username(text.to_owned()), Self::Id)
    }
}

impl DecisionRequest {
    /// The resource as the store knows it, over what the caller says of it.
    pub(super) fn object(&self, stored: Option<Arc<Object>>) -> Arc<Object> {
        let mut attributes = self.resource_attributes.clone();
        let mut organization = attributes
            .get("organization")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Some(stored) = stored {
            if self.resource_attributes.is_empty() {
                return stored;
            }
            // A record that names no organization leaves that to the resource server.
            if stored.organization.is_some() {
                attributes.remove("organization");
                attributes.remove("org");
                organization.clone_from(&stored.organization);
            }
            attributes.extend(stored.attributes.clone());
        }
        Arc::new(Object {
            kind: self.resource_type.clone(),
            id: self.resource_id.clone(),
            organization,
            attributes,
        })
    }

    pub(super) fn question<'a>(
        &'a self,
        subject: &'a Subject,
        object: &'a Object,
        client: Option<&'a Application>,
        now: Ts,
    ) -> Question<'a> {
        Question {
            subject,
            action: &self.action,
            object,
            context: &self.context,
            client,
            now,
            why: self.why,
        }
    }
}
