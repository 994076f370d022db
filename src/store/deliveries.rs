//! The outbox of webhooks: the `webhook_deliveries` table.
//!
//! Deliveries are written by whoever links the event, in that transaction, so none is lost. Whoever sends takes a
//! delivery for a while: `next_at` is moved by a guarded `UPDATE`, and comes up again when nobody finishes it.

use uuid::Uuid;

use super::Store;
use super::db::{Engine, Tx};
use super::error::StoreError;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::spec::time::Ts;

/// Something to be told to a webhook.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Its name.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Which event.
    pub event: Uuid,
    /// The event's type.
    pub kind: String,
    /// What is sent.
    pub body: String,
}

/// A delivery and how it stands.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Which event; the `webhook-id` of what is sent.
    pub event: Uuid,
    /// The event's type.
    pub kind: String,
    /// What is sent.
    pub body: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How often it was sent.
    pub attempts: i64,
    /// When it is sent next.
    pub next_at: Option<Ts>,
    /// What was answered last.
    pub last_status: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Ts,
    /// When it was delivered or given up.
    pub finished_at: Option<Ts>,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// `pending`, `delivered` or `failed`.
    pub state: &'static str,
    /// When it is tried again, if it is.
    pub next_at: Option<Ts>,
    /// The HTTP status that was answered.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Store {
    /// Deliveries of a webhook, newest first, older than `before`, at most `limit`; perhaps only those in a state.
    pub async fn list_deliveries(
        &self,
        webhook: WebhookId,
        state: Option<&str>,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let list = self.db.q(LIST_DELIVERIES).bind(webhook.0);
        let list = list.bind(state.map(str::to_owned));
        let list = list.bind(before.map_or(Uuid::max(), |id| id.0)).bind(limit);
        let rows = list.all::<DeliveryRow>().await?;
        Ok(rows.into_iter().map(DeliveryRow::into_delivery).collect())
    }

    /// Webhooks for which something is due, whoever waits longest first.
    pub async fn list_due_webhooks(&self, now: Ts) -> Result<Vec<WebhookId>, StoreError> {
        let due = self.db.q(DUE).bind(now.micros());
        let rows = due.all::<(Uuid,)>().await?;
        Ok(rows.into_iter().map(|(id,)| WebhookId(id)).collect())
    }

    /// Takes due deliveries of a webhook until `until`: nobody else sends them meanwhile.
    pub async fn lease_deliveries(
        &self,
        webhook: WebhookId,
        now: Ts,
        until: Ts,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let lease = self.db.w(LEASE).bind(webhook.0).bind(now.micros());
        let lease = lease.bind(until.micros()).bind(limit);
        let rows = lease.all::<DeliveryRow>().await?;
        Ok(rows.into_iter().map(DeliveryRow::into_delivery).collect())
    }

    /// How many deliveries wait for a webhook, counted up to `most`.
    pub async fn count_waiting_deliveries(
        &self,
        webhook: WebhookId,
        most: i64,
    ) -> Result<i64, StoreError> {
        let count = self.db.q(WAITING).bind(webhook.0).bind(most);
        let row = count.opt::<(i64,)>().await?;
        Ok(row.map_or(0, |(count,)| count))
    }

    /// Deletes at most `limit` deliveries that were finished before `before`; how many.
    pub async fn purge_deliveries(&self, before: Ts, limit: i64) -> Result<u64, StoreError> {
        let purge = self.db.w(PURGE).bind(before.micros()).bind(limit);
        purge.exec().await
    }
}

impl Tx {
    /// Gives up what waits for a webhook.
    pub async fn give_up_deliveries(&mut self, id: WebhookId, now: Ts) -> Result<u64, StoreError> {
        let give_up = self.q(GIVE_UP).bind(id.0).bind(now.micros());
        give_up.exec().await
    }

    /// Whether anything was delivered to a webhook since then.
    pub async fn was_told_since(&mut self, id: WebhookId, since: Ts) -> Result<bool, StoreError> {
        let told = self.q(TOLD).bind(id.0).bind(since.micros());
        Ok(told.opt::<(i64,)>().await?.is_some())
    }

    /// Writes what is to be told, at most a thousand at a time.
    pub async fn insert_deliveries(
        &mut self,
        deliveries: &[NewDelivery],
        now: Ts,
    ) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        match self.engine() {
            Engine::Postgres => {
                let column = |of: fn(&NewDelivery) -> Uuid| deliveries.iter().map(of);
                let ids: Vec<Uuid> = column(|it| it.id.0).collect();
                let webhooks: Vec<Uuid> = column(|it| it.webhook.0).collect();
                let events: Vec<Uuid> = column(|it| it.event).collect();
                let kinds: Vec<String> = deliveries.iter().map(|it| it.kind.clone()).collect();
                let bodies: Vec<String> = deliveries.iter().map(|it| it.body.clone()).collect();
                let insert = self.q(INSERT_POSTGRES).bind_pg(ids).bind_pg(webhooks);
                let insert = insert.bind_pg(events).bind_pg(kinds).bind_pg(bodies);
                insert.bind(now.micros()).exec().await?;
            }
            Engine::Sqlite => {
                let text = |id: Uuid| id.simple().to_string();
                let rows: Vec<serde_json::Value> = deliveries
                    .iter()
                    .map(|it| {
                        serde_json::json!([
                            text(it.id.0),
                            text(it.webhook.0),
                            text(it.event),
                            it.kind,
                            it.body
                        ])
                    })
                    .collect();
                let rows = serde_json::Value::from(rows).to_string();
                let insert = self.q(INSERT_SQLITE).bind(rows);
                insert.bind(now.micros()).exec().await?;
            }
        }
        Ok(())
    }

    /// A delivery.
    pub async fn find_delivery(&mut self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let row = self
            .q(FIND_DELIVERY)
            .bind(id.0)
            .opt::<DeliveryRow>()
            .await?;
        Ok(row.map(DeliveryRow::into_delivery))
    }

    /// Sends a delivery again from the beginning, whatever became of it.
    pub async fn redeliver(&mut self, id: DeliveryId, now: Ts) -> Result<(), StoreError> {
        self.q(REDELIVER)
            .bind(id.0)
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Writes what came of an attempt; `false` when the lease, which ended at `lease`, has gone to somebody else.
    pub async fn finish_attempt(
        &mut self,
        id: DeliveryId,
        lease: Ts,
        attempt: &Attempt,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let finished = attempt.next_at.is_none().then(|| now.micros());
        let rows = self
            .q(FINISH)
            .bind(id.0)
            .bind(lease.micros())
            .bind(attempt.state)
            .bind(attempt.next_at.map(Ts::micros))
            .bind(attempt.status.map(i64::from))
            .bind(attempt.error.clone())
            .bind(finished)
            .exec()
            .await?;
        Ok(rows == 1)
    }
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    id: Uuid,
    webhook_id: Uuid,
    event_id: Uuid,
    r#type: String,
    body: String,
    state: String,
    attempts: i64,
    next_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
}

impl DeliveryRow {
    fn into_delivery(self) -> Delivery {
        Delivery {
            id: DeliveryId(self.id),
            webhook: WebhookId(self.webhook_id),
            event: self.event_id,
            kind: self.r#type,
            body: self.body,
            state: self.state,
            attempts: self.attempts,
            next_at: self.next_at.map(Ts),
            last_status: self.last_status,
            last_error: self.last_error,
            created_at: Ts(self.created_at),
            finished_at: self.finished_at.map(Ts),
        }
    }
}

const INSERT_POSTGRES: &str = "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, next_at, created_at) \
    SELECT d.id, d.webhook_id, d.event_id, d.type, d.body, 'pending', 0, $6, $6 \
    FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS d (id, webhook_id, event_id, type, body)";

const INSERT_SQLITE: &str = "INSERT INTO webhook_deliveries (id, webhook_id, event_id, type, body, state, attempts, next_at, created_at) \
    SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4, 'pending', 0, $2, $2 \
    FROM json_each($1)";

const LIST_DELIVERIES: &str = "SELECT id, webhook_id, event_id, type, body, state, attempts, next_at, last_status, last_error, created_at, \
    finished_at FROM webhook_deliveries WHERE webhook_id = $1 AND (CAST($2 AS TEXT) IS NULL OR state = $2) AND id < $3 \
    ORDER BY id DESC LIMIT $4";

const FIND_DELIVERY: &str = "SELECT id, webhook_id, event_id, type, body, state, attempts, next_at, last_status, last_error, created_at, \
    finished_at FROM webhook_deliveries WHERE id = $1";

const DUE: &str = "SELECT due.id FROM (SELECT w.id AS id, (SELECT MIN(d.next_at) FROM webhook_deliveries d \
    WHERE d.webhook_id = w.id AND d.next_at IS NOT NULL) AS next_at FROM webhooks w) AS due \
    WHERE due.next_at <= $1 ORDER BY due.next_at";

// Whoever comes second waits for the row on PostgreSQL and then finds next_at moved.
const LEASE: &str = "UPDATE webhook_deliveries SET next_at = $3, attempts = attempts + 1 WHERE next_at <= $2 AND id IN \
    (SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND next_at <= $2 ORDER BY next_at LIMIT $4) \
    RETURNING id, webhook_id, event_id, type, body, state, attempts, next_at, last_status, last_error, created_at, finished_at";

const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM webhook_deliveries \
    WHERE webhook_id = $1 AND next_at IS NOT NULL LIMIT $2) AS waiting";

const FINISH: &str = "UPDATE webhook_deliveries SET state = $3, next_at = $4, last_status = $5, last_error = $6, finished_at = $7 \
    WHERE id = $1 AND next_at = $2";

const TOLD: &str = "SELECT CAST(1 AS BIGINT) FROM webhook_deliveries WHERE webhook_id = $1 AND finished_at >= $2 \
    AND state = 'delivered' LIMIT 1";

const GIVE_UP: &str = "UPDATE webhook_deliveries SET state = 'failed', next_at = NULL, finished_at = $2 \
    WHERE webhook_id = $1 AND next_at IS NOT NULL";

const REDELIVER: &str = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = $2, finished_at = NULL WHERE id = $1";

const PURGE: &str = "DELETE FROM webhook_deliveries WHERE id IN \
    (SELECT id FROM webhook_deliveries WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
