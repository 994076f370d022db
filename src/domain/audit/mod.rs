//! The audit trail's events: who did what to whom, when and from where, with secrets left out.
//!
//! [`Event::body`] is the one text of an event. It is what the chain hashes, what the API answers and what webhooks
//! carry; the columns beside it exist only to find it.

mod chain;
mod columns;
mod event_type;
mod guard;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ids::{ClientId, UserId};
use crate::spec::auth_method::AuthMethod;
use crate::spec::time::Ts;

pub use chain::{Hash, Link};
pub use columns::Columns;
pub use event_type::EventType;

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person who is signed in.
    Person(UserId),
    /// A client that has authenticated.
    Client(ClientId),
    /// An operator at the command line, by the account on that machine if it has a name.
    Operator(Option<String>),
    /// A caller who has not proven who they are.
    Anonymous,
    /// Signet itself.
    System,
}

impl Actor {
    /// Which of them it is: `person`, `client`, `operator`, `anonymous` or `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Person(_) => "person",
            Self::Client(_) => "client",
            Self::Operator(_) => "operator",
            Self::Anonymous => "anonymous",
            Self::System => "system",
        }
    }

    /// Their name.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Person(id) => Some(id.to_string()),
            Self::Client(id) => Some(id.as_str().to_owned()),
            Self::Operator(account) => account.as_deref().map(guard::name),
            Self::Anonymous | Self::System => None,
        }
    }
}

/// Where an act comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who acts.
    pub actor: Actor,
    /// The client through which a person acts.
    pub client_id: Option<ClientId>,
    /// The address of the browser or the client.
    pub ip: Option<IpAddr>,
    /// The request's id, as in the logs and in its answer.
    pub request_id: Option<String>,
    /// How the client that acts has authenticated in this request.
    pub auth_method: Option<AuthMethod>,
}

impl Origin {
    /// What Signet does by itself.
    #[must_use]
    pub const fn system() -> Self {
        Self::of(Actor::System)
    }

    /// What is done at the command line, by that account.
    #[must_use]
    pub const fn operator(account: Option<String>) -> Self {
        Self::of(Actor::Operator(account))
    }

    /// Where a request comes from, before the caller is known.
    #[must_use]
    pub const fn request(ip: IpAddr, request_id: String) -> Self {
        Self {
            actor: Actor::Anonymous,
            client_id: None,
            ip: Some(ip),
            request_id: Some(request_id),
            auth_method: None,
        }
    }

    /// The same place, with the caller who is known by now.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self {
            actor,
            auth_method: None,
            ..self.clone()
        }
    }

    /// The same place, with a client that has authenticated so.
    #[must_use]
    pub fn by_client(&self, id: &ClientId, auth_method: AuthMethod) -> Self {
        Self {
            auth_method: Some(auth_method),
            ..self.by(Actor::Client(id.clone()))
        }
    }

    /// The same, through this client.
    #[must_use]
    pub fn through(mut self, client: &ClientId) -> Self {
        self.client_id = Some(client.clone());
        self
    }

    const fn of(actor: Actor) -> Self {
        Self {
            actor,
            client_id: None,
            ip: None,
            request_id: None,
            auth_method: None,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    kind: EventType,
    at: Ts,
    origin: Origin,
    target: Option<(&'static str, String)>,
    user: Option<UserId>,
    client: Option<ClientId>,
    organization: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
    detail: Option<Value>,
}

impl Event {
    /// An event of that type, from there, at that time.
    #[must_use]
    pub fn new(kind: EventType, origin: &Origin, at: Ts) -> Self {
        Self {
            kind,
            at,
            origin: origin.clone(),
            target: None,
            user: None,
            client: None,
            organization: None,
            before: None,
            after: None,
            detail: None,
        }
    }

    /// What it was done to: `user`, `client`, `role` … and its id.
    #[must_use]
    pub fn target(mut self, kind: &'static str, id: &(impl ToString + ?Sized)) -> Self {
        self.target = Some((kind, guard::name(&id.to_string())));
        self
    }

    /// The person it concerns.
    #[must_use]
    pub const fn user(mut self, id: UserId) -> Self {
        self.user = Some(id);
        self
    }

    /// The client it concerns.
    #[must_use]
    pub fn client(mut self, id: &ClientId) -> Self {
        self.client = Some(id.clone());
        self
    }

    /// The organization it concerns.
    #[must_use]
    pub fn organization(mut self, name: &str) -> Self {
        self.organization = Some(guard::name(name));
        self
    }

    /// How the target was, without secrets.
    #[must_use]
    pub fn before(mut self, view: Value) -> Self {
        self.before = Some(view);
        self
    }

    /// How the target is now, without secrets.
    #[must_use]
    pub fn after(mut self, view: Value) -> Self {
        self.after = Some(view);
        self
    }

    /// Something more to say, such as the `reason`.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let detail = self.detail.get_or_insert_with(|| json!({}));
        if let Value::Object(detail) = detail {
            detail.insert(name.to_owned(), value.into());
        }
        self
    }

    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> EventType {
        self.kind
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Ts {
        self.at
    }

    /// The event as one JSON object: bounded, and without members that are named like secrets.
    pub fn body(&self, id: EventId) -> serde_json::Result<String> {
        let body = Body {
            id: id.to_string(),
            time: self.at.rfc3339_micros(),
            r#type: self.kind.as_str(),
            actor: BodyActor {
                kind: self.origin.actor.kind(),
                id: self.origin.actor.id(),
                client_id: self.origin.client_id.as_ref().map(ClientId::as_str),
                auth_method: self.origin.auth_method.map(AuthMethod::as_str),
            },
            ip: self.origin.ip,
            request_id: self.request_id(),
            target: self
                .target
                .as_ref()
                .map(|(kind, id)| BodyTarget { r#type: kind, id }),
            user_id: self.user,
            client_id: self.client.as_ref().map(ClientId::as_str),
            organization: self.organization.as_deref(),
            before: self.before.as_ref().map(guard::view),
            after: self.after.as_ref().map(guard::view),
            detail: self.detail.as_ref().map(guard::view),
        };
        serde_json::to_string(&body)
    }

    /// What stands beside the body, to find it by.
    #[must_use]
    pub fn columns(&self) -> Columns {
        let target = self.target.as_ref().filter(|_| !self.kind.is_routine());
        Columns {
            at: self.at,
            kind: self.kind.as_str().to_owned(),
            actor_kind: self.origin.actor.kind().to_owned(),
            actor_id: self.origin.actor.id(),
            user_id: self.user.map(|id| id.0),
            client_id: self.client.as_ref().map(|id| id.as_str().to_owned()),
            target_kind: target.map(|(kind, _)| (*kind).to_owned()),
            target_id: target.map(|(_, id)| id.clone()),
            organization: self.organization.clone(),
            request_id: self.request_id().filter(|_| !self.kind.is_routine()),
        }
    }

    fn request_id(&self) -> Option<String> {
        self.origin.request_id.as_deref().map(guard::name)
    }
}

/// The JSON of an event. What has no value has no member.
#[derive(Serialize)]
struct Body<'a> {
    id: String,
    time: String,
    r#type: &'a str,
    actor: BodyActor<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<BodyTarget<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Cow<'a, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, Value>>,
}

#[derive(Serialize)]
struct BodyActor<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<&'static str>,
}

#[derive(Serialize)]
struct BodyTarget<'a> {
    r#type: &'a str,
    id: &'a str,
}

/// The name of an event: a UUID of version 7, so that names sort by time
/// ([RFC 9562 §5.7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub Uuid);

impl EventId {
    /// The id of an event at that time, with ten random bytes from the caller.
    #[must_use]
    pub fn new(at: Ts, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(millis(at), &random).into_uuid())
    }

    /// Not after the name of any event at that time or later.
    #[must_use]
    pub fn first_at(at: Ts) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes
            .iter_mut()
            .zip(millis(at).to_be_bytes().iter().skip(2))
        {
            *to = *from;
        }
        Self(Uuid::from_bytes(bytes))
    }

    /// Not before the name of any event.
    #[must_use]
    pub const fn last() -> Self {
        Self(Uuid::max())
    }

    /// Reads the hyphenated form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok().map(Self))
            .flatten()
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn millis(at: Ts) -> u64 {
    let millis = u64::try_from(at.micros().div_euclid(1000)).unwrap_or(0);
    // The field has 48 bits.
    millis.min((1 << 48) - 1)
}
