//! What stands beside the body of an event, to find it by.

use serde_json::Value;
use uuid::Uuid;

use super::{EventId, EventType};
use crate::spec::time::Ts;

/// The columns by which events are found. The same values stand in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// When.
    pub at: Ts,
    /// The dotted name of the type.
    pub kind: String,
    /// [`Actor::kind`].
    pub actor_kind: String,
    /// [`Actor::id`].
    pub actor_id: Option<String>,
    /// The person concerned.
    pub user_id: Option<Uuid>,
    /// The client concerned.
    pub client_id: Option<String>,
    /// What kind of thing it was done to.
    pub target_kind: Option<String>,
    /// Which one.
    pub target_id: Option<String>,
    /// The organization concerned.
    pub organization: Option<String>,
    /// The request.
    pub request_id: Option<String>,
}

impl Columns {
    /// The first column that says something else than the body does, or `body` when that is no event.
    #[must_use]
    pub fn differs_from(&self, id: EventId, body: &str) -> Option<&'static str> {
        let Ok(Value::Object(body)) = serde_json::from_str::<Value>(body) else {
            return Some("body");
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let routine = EventType::parse(&self.kind).is_some_and(EventType::is_routine);
        let inner = |outer: &str, name: &str| body.get(outer)?.get(name)?.as_str();
        let (user, time) = (
            self.user_id.map(|id| id.to_string()),
            self.at.rfc3339_micros(),
        );
        let pairs = [
            ("id", text("id"), Some(id.to_string())),
            ("at", text("time"), Some(time)),
            ("type", text("type"), Some(self.kind.clone())),
            (
                "actor_kind",
                inner("actor", "kind"),
                Some(self.actor_kind.clone()),
            ),
            ("actor_id", inner("actor", "id"), self.actor_id.clone()),
            ("user_id", text("user_id"), user),
            ("client_id", text("client_id"), self.client_id.clone()),
            (
                "target_kind",
                inner("target", "type").filter(|_| !routine),
                self.target_kind.clone(),
            ),
            (
                "target_id",
                inner("target", "id").filter(|_| !routine),
                self.target_id.clone(),
            ),
            (
                "organization",
                text("organization"),
                self.organization.clone(),
            ),
            (
                "request_id",
                text("request_id").filter(|_| !routine),
                self.request_id.clone(),
            ),
        ];
        pairs
            .into_iter()
            .find(|(_, said, stored)| *said != stored.as_deref())
            .map(|(name, ..)| name)
    }
}
