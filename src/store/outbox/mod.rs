//! What must be told elsewhere: the `outbox` table.
//!
//! A delivery is written in the transaction of what it tells, so none is lost. To send one, an instance leases it: a
//! guarded `UPDATE` moves `next_at`, and the delivery is due again at the end of the lease if nothing was noted.

mod older;
mod row;

use uuid::Uuid;

use super::Store;
use super::db::{Run, Tx, reads};
use super::dialect;
use super::error::StoreError;
use crate::domain::ids::DeliveryId;
use crate::domain::outbox::{AfterAttempt, Lane, State};
use crate::spec::time::Ts;

pub use row::{Delivery, Leased};
use row::{DeliveryRow, delivery_columns, read};

/// At most so many lanes are looked at in one turn; far more than can be busy or at rest.
const MOST_LANES: i64 = 1000;

/// What came of an attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What follows.
    pub next: AfterAttempt,
    /// The code that was answered.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

/// The message that waits longest in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oldest {
    /// Since when it waits.
    pub queued_at: Ts,
    /// How often it was sent since then.
    pub attempts: i64,
}

reads! {
    /// The message that waits longest in a lane.
    find_oldest_waiting(lane: &Lane) -> Option<Oldest> = find_oldest;
}

async fn find_oldest(run: &mut impl Run, lane: &Lane) -> Result<Option<Oldest>, StoreError> {
    let oldest = run.q(OLDEST).bind(lane.to_string());
    Ok(oldest
        .opt::<(i64, i64)>()
        .await?
        .map(|(at, attempts)| Oldest {
            queued_at: Ts(at),
            attempts,
        }))
}

impl Store {
    /// Deliveries of a lane, newest first, older than `before`, at most `limit`; perhaps only those in a state. Rows that
    /// cannot be read are left out.
    pub async fn list_deliveries(
        &self,
        lane: &Lane,
        state: Option<State>,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let list = self.db.q(LIST).bind(lane.to_string());
        let list = list.bind(state.map(|state| state.as_str().to_owned()));
        let list = list.bind(before.map_or(Uuid::max(), |id| id.0)).bind(limit);
        Ok(read(list.all().await?, lane).deliveries)
    }

    /// Lanes for which something is due, the one that waits longest first.
    pub async fn list_due_lanes(&self, now: Ts) -> Result<Vec<Lane>, StoreError> {
        let due = self.db.q(DUE).bind(now.micros()).bind(MOST_LANES);
        let rows = due.all::<(String,)>().await?;
        // A later version that runs beside this one sends what this one does not know.
        Ok(rows
            .iter()
            .filter_map(|(lane,)| Lane::parse(lane))
            .collect())
    }

    /// Takes due deliveries of a lane until `until`: no other instance sends them meanwhile. Those whose rows cannot be
    /// read are set aside.
    pub async fn lease_deliveries(
        &self,
        lane: &Lane,
        now: Ts,
        until: Ts,
        limit: i64,
    ) -> Result<Leased, StoreError> {
        let lease = self.db.w(LEASE).bind(lane.to_string()).bind(now.micros());
        let lease = lease.bind(until.micros()).bind(limit);
        let leased = read(lease.all().await?, lane);
        for id in &leased.unreadable {
            let aside = self.db.w(SET_ASIDE).bind(id.0).bind(until.micros());
            aside.bind(now.micros()).exec().await?;
        }
        Ok(leased)
    }

    /// How many deliveries wait in each lane that has any, counted up to `most`.
    pub async fn count_waiting_deliveries(
        &self,
        most: i64,
    ) -> Result<Vec<(Lane, i64)>, StoreError> {
        let rows = self.db.q(WAITING).bind(most).all::<(String, i64)>().await?;
        let known = |(lane, count): (String, i64)| Lane::parse(&lane).map(|lane| (lane, count));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Deletes at most `limit` deliveries that were finished before `before`; how many.
    pub async fn purge_deliveries(&self, before: Ts, limit: i64) -> Result<u64, StoreError> {
        let purge = self.db.w(PURGE).bind(before.micros()).bind(limit);
        purge.exec().await
    }

    /// Every lane that has any delivery, whatever became of it.
    pub async fn list_lanes(&self) -> Result<Vec<Lane>, StoreError> {
        let rows = self.db.q(ALL_LANES).all::<(String,)>().await?;
        Ok(rows
            .iter()
            .filter_map(|(lane,)| Lane::parse(lane))
            .collect())
    }

    /// Deletes at most `limit` deliveries of a lane, whatever became of them; how many.
    pub async fn purge_lane(&self, lane: &Lane, limit: i64) -> Result<u64, StoreError> {
        let purge = self.db.w(PURGE_LANE).bind(lane.to_string()).bind(limit);
        purge.exec().await
    }
}

impl Tx {
    /// Writes what is to be told, at most a thousand at a time.
    pub async fn insert_deliveries(&mut self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let rows: Vec<DeliveryRow> = deliveries.iter().map(DeliveryRow::of).collect();
        self.insert_delivery_rows(&rows).await
    }

    async fn insert_delivery_rows(&mut self, rows: &[DeliveryRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let insert = dialect::pick(self.engine(), INSERT_POSTGRES, INSERT_SQLITE);
        let rows = serde_json::to_string(rows)?;
        self.q(insert).bind(rows).exec().await?;
        Ok(())
    }

    /// A delivery of a lane.
    pub async fn find_delivery(
        &mut self,
        lane: &Lane,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        let find = self.q(FIND).bind(lane.to_string()).bind(id.0);
        let row = find.opt::<DeliveryRow>().await?;
        row.map(|row| row.into_delivery(lane)).transpose()
    }

    /// Sends a delivery of a lane again from the beginning, whatever became of it; `false` when there is none.
    pub async fn send_again(
        &mut self,
        lane: &Lane,
        id: DeliveryId,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let again = self.q(SEND_AGAIN).bind(lane.to_string()).bind(id.0);
        Ok(again.bind(now.micros()).exec().await? == 1)
    }

    /// Writes what came of an attempt; `false` when another instance has leased the delivery since `lease` ended.
    pub async fn finish_attempt(
        &mut self,
        id: DeliveryId,
        lease: Ts,
        attempt: &Attempt,
        now: Ts,
    ) -> Result<bool, StoreError> {
        let next_at = attempt.next.at();
        let finished = next_at.is_none().then(|| now.micros());
        let rows = self
            .q(FINISH)
            .bind(id.0)
            .bind(lease.micros())
            .bind(attempt.next.state().as_str())
            .bind(next_at.map(Ts::micros))
            .bind(attempt.status.map(i64::from))
            .bind(attempt.error.clone())
            .bind(finished)
            .exec()
            .await?;
        Ok(rows == 1)
    }

    /// Keeps other transactions from giving up a lane until this one ends. A transaction that changes the
    /// receiver of the lane takes this lock first: two that lock the same rows in different orders block each other.
    pub async fn lock_lane(&mut self, lane: &Lane) -> Result<(), StoreError> {
        self.q(LOCK_LANE).bind(lane.to_string()).exec().await?;
        Ok(())
    }

    /// Whether anything was delivered in a lane since then.
    pub async fn was_told_since(&mut self, lane: &Lane, since: Ts) -> Result<bool, StoreError> {
        let told = self.q(TOLD).bind(lane.to_string()).bind(since.micros());
        Ok(told.opt::<(i64,)>().await?.is_some())
    }

    /// Gives up what waits in a lane, at most a thousand messages; how many.
    pub async fn give_up_deliveries(&mut self, lane: &Lane, now: Ts) -> Result<u64, StoreError> {
        let give_up = self.q(GIVE_UP).bind(lane.to_string()).bind(now.micros());
        give_up.exec().await
    }
}

const INSERT_POSTGRES: &str = concat!(
    "INSERT INTO outbox (",
    delivery_columns!(),
    ") SELECT ",
    delivery_columns!(),
    " FROM json_to_recordset(CAST($1 AS json)) AS new (id uuid, lane text, message_id uuid, topic text, body text, \
    state text, attempts bigint, next_at bigint, last_status bigint, last_error text, created_at bigint, \
    queued_at bigint, finished_at bigint)"
);

const INSERT_SQLITE: &str = concat!(
    "INSERT INTO outbox (",
    delivery_columns!(),
    ") SELECT unhex(value ->> 'id', '-'), value ->> 'lane', unhex(value ->> 'message_id', '-'), value ->> 'topic', \
    value ->> 'body', value ->> 'state', value ->> 'attempts', value ->> 'next_at', value ->> 'last_status', \
    value ->> 'last_error', value ->> 'created_at', value ->> 'queued_at', value ->> 'finished_at' FROM json_each($1)"
);

const LIST: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM outbox WHERE lane = $1 AND (CAST($2 AS TEXT) IS NULL OR state = $2) AND id < $3 ORDER BY id DESC LIMIT $4"
);

const FIND: &str = concat!(
    "SELECT ",
    delivery_columns!(),
    " FROM outbox WHERE lane = $1 AND id = $2"
);

/// The lanes in which something waits, each found by one step in the index however much waits in it.
macro_rules! waiting_lanes {
    () => {
        "WITH RECURSIVE lanes (lane) AS (SELECT MIN(lane) FROM outbox WHERE next_at IS NOT NULL UNION ALL \
        SELECT (SELECT MIN(o.lane) FROM outbox o WHERE o.next_at IS NOT NULL AND o.lane > lanes.lane) \
        FROM lanes WHERE lanes.lane IS NOT NULL) "
    };
}

const ALL_LANES: &str = "WITH RECURSIVE lanes (lane) AS (SELECT MIN(lane) FROM outbox UNION ALL \
    SELECT (SELECT MIN(o.lane) FROM outbox o WHERE o.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL) \
    SELECT lane FROM lanes WHERE lane IS NOT NULL";

const DUE: &str = concat!(
    waiting_lanes!(),
    "SELECT due.lane FROM (SELECT lanes.lane AS lane, (SELECT MIN(o.next_at) FROM outbox o WHERE o.lane = lanes.lane \
    AND o.next_at IS NOT NULL) AS next_at FROM lanes WHERE lanes.lane IS NOT NULL) AS due \
    WHERE due.next_at <= $1 ORDER BY due.next_at LIMIT $2"
);

const WAITING: &str = concat!(
    waiting_lanes!(),
    "SELECT lanes.lane, (SELECT COUNT(*) FROM (SELECT 1 AS one FROM outbox o WHERE o.lane = lanes.lane \
    AND o.next_at IS NOT NULL LIMIT $1) AS waiting) FROM lanes WHERE lanes.lane IS NOT NULL"
);

// On PostgreSQL the second of two instances waits for the row and then finds next_at moved.
const LEASE: &str = concat!(
    "UPDATE outbox SET next_at = $3, attempts = attempts + 1 WHERE next_at <= $2 AND id IN \
    (SELECT id FROM outbox WHERE lane = $1 AND next_at <= $2 ORDER BY next_at LIMIT $4) RETURNING ",
    delivery_columns!()
);

const SET_ASIDE: &str = "UPDATE outbox SET state = 'failed', next_at = NULL, finished_at = $3, \
    last_error = 'the message cannot be read' WHERE id = $1 AND next_at = $2";

const OLDEST: &str = "SELECT COALESCE(queued_at, created_at), attempts FROM outbox \
    WHERE lane = $1 AND next_at IS NOT NULL ORDER BY COALESCE(queued_at, created_at) LIMIT 1";

const FINISH: &str = "UPDATE outbox SET state = $3, next_at = $4, last_status = $5, last_error = $6, finished_at = $7 \
    WHERE id = $1 AND next_at = $2";

// A write that changes nothing holds the lane's oldest row on both engines.
const LOCK_LANE: &str = "UPDATE outbox SET attempts = attempts \
    WHERE id = (SELECT id FROM outbox WHERE lane = $1 ORDER BY id LIMIT 1)";

const TOLD: &str = "SELECT CAST(1 AS BIGINT) FROM outbox WHERE lane = $1 AND finished_at >= $2 AND state = 'delivered' LIMIT 1";

const GIVE_UP: &str = "UPDATE outbox SET state = 'failed', next_at = NULL, finished_at = $2 \
    WHERE next_at IS NOT NULL AND id IN \
    (SELECT id FROM outbox WHERE lane = $1 AND next_at IS NOT NULL ORDER BY next_at LIMIT 1000)";

const SEND_AGAIN: &str = "UPDATE outbox SET state = 'pending', attempts = 0, next_at = $3, queued_at = $3, finished_at = NULL \
    WHERE lane = $1 AND id = $2";

const PURGE_LANE: &str = "DELETE FROM outbox WHERE id IN \
    (SELECT id FROM outbox WHERE lane = $1 ORDER BY id LIMIT $2)";

const PURGE: &str = "DELETE FROM outbox WHERE id IN \
    (SELECT id FROM outbox WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
