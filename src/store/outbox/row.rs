//! Rows of the `outbox` table.

use uuid::Uuid;

use crate::domain::ids::DeliveryId;
use crate::domain::outbox::{Lane, State};
use crate::spec::time::Ts;
use crate::store::db::{Readable, row};
use crate::store::error::StoreError;

/// One message on its way to one receiver.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its own id.
    pub id: DeliveryId,
    /// The receiver.
    pub lane: Lane,
    /// The message's id, by which the receiver knows it when it comes again.
    pub message: Uuid,
    /// What the message is about; the type of a webhook's event.
    pub topic: String,
    /// What is sent.
    pub body: String,
    /// What became of it.
    pub state: State,
    /// How often it was sent.
    pub attempts: i64,
    /// When it is sent next.
    pub next_at: Option<Ts>,
    /// The code that was answered last.
    pub last_status: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Ts,
    /// Since when it waits, or waited: since it was written or sent again by hand.
    pub queued_at: Ts,
    /// When it was delivered or given up.
    pub finished_at: Option<Ts>,
}

impl Delivery {
    /// A delivery that is due at once.
    #[must_use]
    pub const fn new(
        id: DeliveryId,
        lane: Lane,
        message: Uuid,
        topic: String,
        body: String,
        now: Ts,
    ) -> Self {
        Self {
            id,
            lane,
            message,
            topic,
            body,
            state: State::Pending,
            attempts: 0,
            next_at: Some(now),
            last_status: None,
            last_error: None,
            created_at: now,
            queued_at: now,
            finished_at: None,
        }
    }
}

/// Deliveries that were leased.
#[derive(Debug, Default)]
pub struct Leased {
    /// Those that can be sent.
    pub deliveries: Vec<Delivery>,
    /// Those whose rows cannot be read: they failed for good, and are not leased again.
    pub unreadable: Vec<DeliveryId>,
}

/// A row of which the rest may not be readable.
#[derive(sqlx::FromRow)]
pub(super) struct NamedRow {
    id: Uuid,
    #[sqlx(flatten)]
    row: Readable<DeliveryRow>,
}

pub(super) fn read(rows: Vec<NamedRow>, lane: &Lane) -> Leased {
    let mut leased = Leased::default();
    for NamedRow { id, row } in rows {
        match row.0.and_then(|row| row.into_delivery(lane).ok()) {
            Some(delivery) => leased.deliveries.push(delivery),
            None => leased.unreadable.push(DeliveryId(id)),
        }
    }
    leased
}

row! { $
    /// A row as it is read, and as it is written in JSON.
    #[derive(serde::Serialize)]
    pub(super) struct DeliveryRow, delivery_columns {
        id: Uuid,
        lane: String,
        message_id: Uuid,
        topic: String,
        body: String,
        state: String,
        attempts: i64,
        next_at: Option<i64>,
        last_status: Option<i64>,
        last_error: Option<String>,
        created_at: i64,
        queued_at: Option<i64>,
        finished_at: Option<i64>,
    }
}

pub(super) use delivery_columns;

impl DeliveryRow {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.0,
            lane: delivery.lane.to_string(),
            message_id: delivery.message,
            topic: delivery.topic.clone(),
            body: delivery.body.clone(),
            state: delivery.state.as_str().to_owned(),
            attempts: delivery.attempts,
            next_at: delivery.next_at.map(Ts::micros),
            last_status: delivery.last_status,
            last_error: delivery.last_error.clone(),
            created_at: delivery.created_at.micros(),
            queued_at: Some(delivery.queued_at.micros()),
            finished_at: delivery.finished_at.map(Ts::micros),
        }
    }

    /// The row of the version before, in a lane; what waits begins to wait now.
    pub(super) fn adopted_by(self, lane: &Lane, now: Ts) -> Self {
        Self {
            lane: lane.to_string(),
            queued_at: self.next_at.map(|_| now.micros()),
            ..self
        }
    }

    /// The delivery of a lane by which the row was found.
    pub(super) fn into_delivery(self, lane: &Lane) -> Result<Delivery, StoreError> {
        let state = State::parse(&self.state).ok_or_else(|| StoreError::Inconsistent {
            table: "outbox",
            column: "state",
            id: self.id.to_string(),
        })?;
        Ok(Delivery {
            id: DeliveryId(self.id),
            lane: lane.clone(),
            message: self.message_id,
            topic: self.topic,
            body: self.body,
            state,
            attempts: self.attempts,
            next_at: self.next_at.map(Ts),
            last_status: self.last_status,
            last_error: self.last_error,
            created_at: Ts(self.created_at),
            queued_at: Ts(self.queued_at.unwrap_or(self.created_at)),
            finished_at: self.finished_at.map(Ts),
        })
    }
}
