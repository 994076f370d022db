//! The audit trail: the `audit_events` table. Events are written in the transaction of the act, with
//! [`Tx::record_event`]; a background task links them into the chain afterwards.

pub mod chain;
pub mod linking;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use crate::crypto::{b64, random};
use crate::domain::audit::{Columns, Event, EventId, EventType, Hash};
use crate::domain::ids::{ClientId, UserId};
use crate::spec::time::Ts;

/// At most so many events in one page.
pub const MAX_PAGE: i64 = 1000;

/// Which events to list; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Who acted: a user id, a client id or the name of an account.
    pub actor_id: Option<String>,
    /// Who acted: `person`, `client`, `operator`, `anonymous` or `system`.
    pub actor_kind: Option<String>,
    /// The person concerned.
    pub user: Option<UserId>,
    /// The client concerned.
    pub client: Option<ClientId>,
    /// What happened.
    pub kind: Option<EventType>,
    /// What kind of thing it was done to.
    pub target_kind: Option<String>,
    /// Which one.
    pub target_id: Option<String>,
    /// The organization concerned.
    pub organization: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// At this time or later.
    pub since: Option<Ts>,
    /// Before this time.
    pub until: Option<Ts>,
}

/// An event as it is stored.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its name.
    pub id: EventId,
    /// What it is found by.
    pub columns: Columns,
    /// The JSON text that the chain hashes.
    pub body: String,
    /// Its place in the chain, once it is linked.
    pub position: Option<i64>,
    /// The hash up to there.
    pub hash: Option<Vec<u8>>,
}

impl Tx {
    /// Writes an event down in the transaction of the act: both happen, or neither.
    pub async fn record_event(&mut self, event: &Event) -> Result<EventId, StoreError> {
        let id = EventId::new(event.at(), random::bytes());
        let columns = event.columns();
        self.q(INSERT)
            .bind(id.0)
            .bind(columns.at.micros())
            .bind(columns.kind)
            .bind(columns.actor_kind)
            .bind(columns.actor_id)
            .bind(columns.user_id)
            .bind(columns.client_id)
            .bind(columns.target_kind)
            .bind(columns.target_id)
            .bind(columns.organization)
            .bind(columns.request_id)
            .bind(event.body(id)?)
            .exec()
            .await?;
        Ok(id)
    }
}

impl Store {
    /// Events that match, newest first: at most `limit` of those older than `before`, the last one of the page
    /// before. New events never move what a reader has not seen yet.
    pub async fn list_events(
        &self,
        filter: &EventFilter,
        before: Option<EventId>,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let floor = EventId::first_at(filter.since.unwrap_or(Ts(0)));
        // Names are exact to the millisecond: those of the last one are looked through.
        let until = filter
            .until
            .map(|until| until.plus(Duration::from_millis(1)));
        let ceiling = until.map_or(EventId::last(), EventId::first_at);
        let before = before.map_or(ceiling, |before| before.min(ceiling));
        let rows = self
            .db
            .q(filter.text())
            .bind(before.0)
            .bind(floor.0)
            .bind(filter.since.unwrap_or(Ts(0)).micros())
            .bind(filter.until.unwrap_or(Ts(i64::MAX)).micros())
            .bind(filter.kind.map(|kind| kind.as_str().to_owned()))
            .bind(filter.actor_kind.clone())
            .bind(filter.actor_id.clone())
            .bind(filter.user.map(|id| id.0))
            .bind(filter.client.as_ref().map(|id| id.as_str().to_owned()))
            .bind(filter.target_kind.clone())
            .bind(filter.target_id.clone())
            .bind(filter.organization.clone())
            .bind(filter.request_id.clone())
            .bind(limit.clamp(1, MAX_PAGE))
            .all::<EventRow>()
            .await?;
        Ok(rows.into_iter().map(EventRow::into_event).collect())
    }

    /// One event.
    pub async fn find_event(&self, id: EventId) -> Result<Option<StoredEvent>, StoreError> {
        let row = self.db.q(FIND).bind(id.0).opt::<EventRow>().await?;
        Ok(row.map(EventRow::into_event))
    }
}

impl EventFilter {
    /// The text that begins with the filter which leaves the least.
    fn text(&self) -> &'static str {
        if self.request_id.is_some() {
            LIST_REQUEST
        } else if self.target_id.is_some() {
            LIST_TARGET
        } else if self.user.is_some() {
            LIST_USER
        } else if self.actor_id.is_some() {
            LIST_ACTOR
        } else if self.client.is_some() {
            LIST_CLIENT
        } else if self.organization.is_some() {
            LIST_ORGANIZATION
        } else if self.kind.is_some() {
            LIST_TYPE
        } else {
            LIST
        }
    }
}

/// The columns of an [`EventRow`].
macro_rules! event_columns {
    () => {
        "id, at, type, actor_kind, actor_id, user_id, client_id, target_kind, target_id, organization, request_id, \
         body, position, hash"
    };
}

use event_columns;

#[derive(sqlx::FromRow)]
pub(super) struct EventRow {
    id: Uuid,
    at: i64,
    r#type: String,
    actor_kind: String,
    actor_id: Option<String>,
    user_id: Option<Uuid>,
    client_id: Option<String>,
    target_kind: Option<String>,
    target_id: Option<String>,
    organization: Option<String>,
    request_id: Option<String>,
    body: String,
    position: Option<i64>,
    hash: Option<Vec<u8>>,
}

impl EventRow {
    pub(super) fn into_event(self) -> StoredEvent {
        StoredEvent {
            id: EventId(self.id),
            columns: Columns {
                at: Ts(self.at),
                kind: self.r#type,
                actor_kind: self.actor_kind,
                actor_id: self.actor_id,
                user_id: self.user_id,
                client_id: self.client_id,
                target_kind: self.target_kind,
                target_id: self.target_id,
                organization: self.organization,
                request_id: self.request_id,
            },
            body: self.body,
            position: self.position,
            hash: self.hash,
        }
    }
}

impl StoredEvent {
    /// The event as callers read it: its body, its `position` and its `hash` (base64url), null until it is linked.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut shown = serde_json::from_str(&self.body).unwrap_or_default();
        if let Value::Object(members) = &mut shown {
            members.insert("position".to_owned(), self.position.into());
            let hash = self.hash.as_deref().map(b64::encode);
            members.insert("hash".to_owned(), hash.into());
        }
        shown
    }

    /// The hash, if it has the length of one.
    #[must_use]
    pub fn whole_hash(&self) -> Option<Hash> {
        self.hash.as_deref()?.try_into().ok()
    }
}

const INSERT: &str = "INSERT INTO audit_events (id, at, type, actor_kind, actor_id, user_id, client_id, target_kind, \
    target_id, organization, request_id, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const FIND: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM audit_events WHERE id = $1"
);

/// One text per index, with the same parameters in each.
macro_rules! list {
    ($first:literal) => {
        concat!(
            "SELECT ",
            event_columns!(),
            " FROM audit_events WHERE ",
            $first,
            "id < $1 AND id >= $2 AND at >= $3 AND at < $4 \
             AND (CAST($5 AS TEXT) IS NULL OR type = $5) \
             AND (CAST($6 AS TEXT) IS NULL OR actor_kind = $6) \
             AND (CAST($7 AS TEXT) IS NULL OR actor_id = $7) \
             AND ($8 IS NULL OR user_id = $8) \
             AND (CAST($9 AS TEXT) IS NULL OR client_id = $9) \
             AND (CAST($10 AS TEXT) IS NULL OR target_kind = $10) \
             AND (CAST($11 AS TEXT) IS NULL OR target_id = $11) \
             AND (CAST($12 AS TEXT) IS NULL OR organization = $12) \
             AND (CAST($13 AS TEXT) IS NULL OR request_id = $13) \
             ORDER BY id DESC LIMIT $14"
        )
    };
}

const LIST: &str = list!("");
const LIST_REQUEST: &str = list!("request_id = $13 AND ");
const LIST_TARGET: &str = list!("target_id = $11 AND ");
const LIST_USER: &str = list!("user_id = $8 AND ");
const LIST_ACTOR: &str = list!("actor_id = $7 AND ");
const LIST_CLIENT: &str = list!("client_id = $9 AND ");
const LIST_ORGANIZATION: &str = list!("organization = $12 AND ");
const LIST_TYPE: &str = list!("type = $5 AND ");
