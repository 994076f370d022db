//! Each thing that is created, changed or deleted is an event in the same transaction.

use serde_json::Value;

use super::super::audit::views;
use super::{Kind, Work};
use crate::domain::audit::{Event, EventType};
use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::Assignment;
use crate::store::assignments::Holder;
use crate::store::error::StoreError;

impl Work {
    /// Writes down that something was created (there is no `before`), changed, or deleted (there is no `after`).
    pub(in crate::service) async fn note(
        &mut self,
        kind: Kind,
        name: &str,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), StoreError> {
        let mut event = self.event(event_type(kind, before.is_some(), after.is_some()));
        event = event.target(kind.as_str(), name);
        if kind == Kind::Organization {
            event = event.organization(name);
        }
        if kind == Kind::Client
            && let Some(id) = ClientId::parse(name)
        {
            event = event.client(&id);
        }
        self.record(with(event, before, after)).await
    }

    /// The same of a person.
    pub(super) async fn note_user(
        &mut self,
        id: UserId,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), StoreError> {
        let kind = event_type(Kind::User, before.is_some(), after.is_some());
        let event = self.event(kind).target(Kind::User.as_str(), &id).user(id);
        self.record(with(event, before, after)).await
    }

    /// Writes down what was done to a person.
    pub(in crate::service) async fn note_act(
        &mut self,
        kind: EventType,
        id: UserId,
    ) -> Result<(), StoreError> {
        let event = self.event(kind).target(Kind::User.as_str(), &id).user(id);
        self.record(event).await
    }

    /// Writes down that somebody was given a role (there is no `before`), has it until another time, or lost it (there is
    /// no `after`).
    pub(in crate::service) async fn note_assignment(
        &mut self,
        holder: &Holder,
        before: Option<&Assignment>,
        after: Option<&Assignment>,
    ) -> Result<(), StoreError> {
        let kind = match after {
            Some(_) => EventType::AssignmentCreated,
            None => EventType::AssignmentDeleted,
        };
        let mut event = match holder {
            Holder::User(id) => self.event(kind).target(Kind::User.as_str(), id).user(*id),
            Holder::Group(name) => self.event(kind).target(Kind::Group.as_str(), name),
        };
        if let Some(organization) = before.or(after).and_then(|it| it.organization.as_ref()) {
            event = event.organization(organization);
        }
        let view = |assignment| views::held(holder, assignment);
        self.record(with(event, before.map(view), after.map(view)))
            .await
    }

    /// An event of this work.
    pub(in crate::service) fn event(&self, kind: EventType) -> Event {
        Event::new(kind, &self.origin, self.now)
    }

    /// Writes an event down.
    pub(in crate::service) async fn record(&mut self, event: Event) -> Result<(), StoreError> {
        self.tx.record_event(&event).await.map(drop)
    }
}

fn with(mut event: Event, before: Option<Value>, after: Option<Value>) -> Event {
    if let Some(before) = before {
        event = event.before(before);
    }
    if let Some(after) = after {
        event = event.after(after);
    }
    event
}

const fn event_type(kind: Kind, before: bool, after: bool) -> EventType {
    let (created, updated, deleted) = match kind {
        Kind::Resource => (
            EventType::ResourceCreated,
            EventType::ResourceUpdated,
            EventType::ResourceDeleted,
        ),
        Kind::Role => (
            EventType::RoleCreated,
            EventType::RoleUpdated,
            EventType::RoleDeleted,
        ),
        Kind::Client => (
            EventType::ClientCreated,
            EventType::ClientUpdated,
            EventType::ClientDeleted,
        ),
        Kind::User => (
            EventType::UserCreated,
            EventType::UserUpdated,
            EventType::UserDeleted,
        ),
        Kind::Policy => (
            EventType::PolicyCreated,
            EventType::PolicyUpdated,
            EventType::PolicyDeleted,
        ),
        Kind::Organization => (
            EventType::OrganizationCreated,
            EventType::OrganizationUpdated,
            EventType::OrganizationDeleted,
        ),
        Kind::Group => (
            EventType::GroupCreated,
            EventType::GroupUpdated,
            EventType::GroupDeleted,
        ),
        Kind::Attribute => (
            EventType::AttributeCreated,
            EventType::AttributeUpdated,
            EventType::AttributeDeleted,
        ),
        Kind::Object => (
            EventType::ObjectCreated,
            EventType::ObjectUpdated,
            EventType::ObjectDeleted,
        ),
    };
    match (before, after) {
        (false, _) => created,
        (true, true) => updated,
        (true, false) => deleted,
    }
}
