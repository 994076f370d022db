//! Messages that the version before this one wrote to `webhook_deliveries`: they are moved to the outbox.
//! `migrations/0016_outbox.sql` says why.

use uuid::Uuid;

use super::row::DeliveryRow;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::Lane;
use crate::spec::time::Ts;
use crate::store::Store;
use crate::store::db::{Readable, Tx};
use crate::store::dialect;
use crate::store::error::StoreError;

/// What was moved.
#[derive(Debug, Default)]
pub struct Adopted {
    /// How many rows were taken.
    pub rows: usize,
    /// Those of them that could not be read and are lost.
    pub unreadable: Vec<DeliveryId>,
}

impl Store {
    /// Moves at most `limit` rows here. A row whose lease ends between `now` and `leased` is left to the instance that
    /// sends it, so that its message is not sent twice.
    pub async fn adopt_webhook_deliveries(
        &self,
        now: Ts,
        leased: Ts,
        limit: i64,
    ) -> Result<Adopted, StoreError> {
        let any = self.db.q(ANY_OLDER).opt::<(i64,)>().await?;
        if any.is_none() {
            return Ok(Adopted::default());
        }
        let mut tx = self.db.begin().await?;
        let older = tx.q(TAKE_OLDER).bind(now.micros()).bind(leased.micros());
        let older = older.bind(limit).all::<OlderRow>().await?;
        let adopted = tx.adopt(older, now).await?;
        tx.commit().await?;
        Ok(adopted)
    }
}

impl Tx {
    /// Moves at most `limit` rows of a webhook, those too that an older instance sends just now. Nothing can be written
    /// for the webhook until the transaction ends.
    pub async fn adopt_deliveries_of(
        &mut self,
        webhook: WebhookId,
        limit: i64,
        now: Ts,
    ) -> Result<Adopted, StoreError> {
        let hold = dialect::pick(self.engine(), HOLD_POSTGRES, HOLD_SQLITE);
        self.q(hold).bind(webhook.0).opt::<(i64,)>().await?;
        let older = self.q(TAKE_OLDER_OF).bind(webhook.0).bind(limit);
        let older = older.all::<OlderRow>().await?;
        self.adopt(older, now).await
    }

    async fn adopt(&mut self, older: Vec<OlderRow>, now: Ts) -> Result<Adopted, StoreError> {
        let mut adopted = Adopted {
            rows: older.len(),
            unreadable: Vec::new(),
        };
        let mut rows = Vec::new();
        for older in older {
            match older.row.0 {
                Some(row) => {
                    let lane = Lane::Webhook(WebhookId(older.webhook_id));
                    rows.push(row.adopted_by(&lane, now));
                }
                None => adopted.unreadable.push(DeliveryId(older.id)),
            }
        }
        self.insert_delivery_rows(&rows).await?;
        Ok(adopted)
    }
}

/// A row of `webhook_deliveries` under the names of the outbox.
#[derive(sqlx::FromRow)]
struct OlderRow {
    id: Uuid,
    webhook_id: Uuid,
    #[sqlx(flatten)]
    row: Readable<DeliveryRow>,
}

/// The rows to take, and what is read of them; `lane` and `queued_at` are filled in.
macro_rules! take {
    ($which:literal) => {
        concat!(
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE ",
            $which,
            ") RETURNING webhook_id, id, '' AS lane, event_id AS message_id, type AS topic, body, state, attempts, \
            next_at, last_status, last_error, created_at, CAST(NULL AS BIGINT) AS queued_at, finished_at"
        )
    };
}

const ANY_OLDER: &str = "SELECT CAST(1 AS BIGINT) FROM webhook_deliveries LIMIT 1";

const TAKE_OLDER: &str = take!(
    "next_at IS NULL OR attempts = 0 OR next_at <= $1 OR next_at > $2 ORDER BY id DESC LIMIT $3"
);

const TAKE_OLDER_OF: &str = take!("webhook_id = $1 ORDER BY id DESC LIMIT $2");

// An older instance that writes for the webhook holds its key, and waits for the transaction that holds the row.
const HOLD_POSTGRES: &str = "SELECT CAST(1 AS BIGINT) FROM webhooks WHERE id = $1 FOR UPDATE";

// SQLite has one writer at a time.
const HOLD_SQLITE: &str = "SELECT CAST(1 AS BIGINT) FROM webhooks WHERE id = $1";
