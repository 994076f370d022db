//! Redeeming codes and refresh tokens: the one statement that decides (`grants.generation`).
//!
//! Redemptions that wait together are redeemed together. A batch never holds the same grant twice, so the row
//! that comes back belongs to exactly one request; whatever does not come back is read and told apart singly.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::batch::Batcher;
use super::db::{Db, Engine};
use super::error::StoreError;
use super::grants::{GrantRow, grant_columns};
use crate::domain::grant::{CodeProofs, Grant, GrantLimits, Presented, Redeemed, Refusal, Verdict};
use crate::spec::time::Ts;

/// A redemption on its way into a batch.
pub(super) struct Redemption {
    presented: Presented,
    now: Ts,
    idle_since: Ts,
}

type Outcome = Result<Option<Grant>, StoreError>;

/// The queue of redemptions.
pub(super) type Redemptions = Batcher<Redemption, Outcome>;

/// Arrays are at least this long, with grants that do not exist.
const PLANNED: usize = 12;

/// At most this many redemptions in one statement.
const MAX_BATCH: usize = 64;

pub(super) fn spawn(db: Db) -> Redemptions {
    let in_flight = match db.engine() {
        Engine::Postgres => 2,
        Engine::Sqlite => 1,
    };
    Batcher::spawn(
        MAX_BATCH,
        in_flight,
        |redemption: &Redemption| redemption.presented.grant_id.bytes().to_vec(),
        move |batch| {
            let db = db.clone();
            async move { advance(&db, batch).await }
        },
    )
}

impl Store {
    /// Redeems a credential: exactly one of any number of racing requests is told `Advanced`.
    ///
    /// `Refused(Replayed)` means that the caller must revoke the grant.
    pub async fn redeem(
        &self,
        presented: Presented,
        now: Ts,
        limits: GrantLimits,
    ) -> Result<Redeemed, StoreError> {
        let request = Redemption {
            presented: presented.clone(),
            now,
            idle_since: now.minus(limits.idle),
        };
        if let Some(grant) = self.redemptions.submit(request).await?? {
            return Ok(Redeemed::Advanced(Box::new(grant)));
        }
        let Some(found) = self.find_grant(presented.grant_id, now).await? else {
            return Ok(Redeemed::Refused(Refusal::Unknown));
        };
        Ok(
            match found.grant.classify(&presented, found.alive, now, limits) {
                Verdict::Retry => Redeemed::Retry(Box::new(found.grant)),
                Verdict::Refused(refusal) => Redeemed::Refused(refusal),
                // The guard said no and the row says yes: the user, session or client was restored in between.
                // The client may simply ask again.
                Verdict::Advance => {
                    return Err(StoreError::Unavailable(
                        "the grant changed while it was redeemed".to_owned(),
                    ));
                }
            },
        )
    }
}

/// Runs one batch; the answers are in the order of the requests. A broken row fails only its own request.
async fn advance(db: &Db, batch: Vec<Redemption>) -> Result<Vec<Outcome>, StoreError> {
    let rows = match db.engine() {
        Engine::Postgres => advance_postgres(db, &batch).await?,
        Engine::Sqlite => advance_sqlite(db, &batch).await?,
    };
    let mut rows: HashMap<Uuid, GrantRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut answer = |redemption: &Redemption| {
        rows.remove(&redemption.presented.grant_id.0)
            .map(GrantRow::into_grant)
            .transpose()
    };
    Ok(batch.iter().map(&mut answer).collect())
}

async fn advance_postgres(db: &Db, batch: &[Redemption]) -> Result<Vec<GrantRow>, StoreError> {
    let columns = Columns::of(batch);
    db.w(ADVANCE_POSTGRES)
        .bind_pg(columns.id)
        .bind_pg(columns.generation)
        .bind_pg(columns.client_id)
        .bind_pg(columns.redirect_uri)
        .bind_pg(columns.code_challenge)
        .bind_pg(columns.binding)
        .bind_pg(columns.step)
        .bind_pg(columns.now)
        .bind_pg(columns.idle_since)
        .all::<GrantRow>()
        .await
}

async fn advance_sqlite(db: &Db, batch: &[Redemption]) -> Result<Vec<GrantRow>, StoreError> {
    let rows: Vec<SqliteRedemption<'_>> = batch.iter().map(SqliteRedemption::of).collect();
    let json = serde_json::to_string(&rows)?;
    db.w(ADVANCE_SQLITE).bind(json).all::<GrantRow>().await
}

/// The batch as one JSON array, for `json_each`.
#[derive(Serialize)]
struct SqliteRedemption<'a> {
    id: String,
    generation: i64,
    client_id: &'a str,
    redirect_uri: Option<&'a str>,
    code_challenge: Option<&'a str>,
    binding: Option<String>,
    step: i64,
    now: i64,
    idle_since: i64,
}

impl<'a> SqliteRedemption<'a> {
    fn of(redemption: &'a Redemption) -> Self {
        let presented = &redemption.presented;
        let code = presented.code.as_ref();
        Self {
            id: presented.grant_id.0.simple().to_string(),
            generation: presented.generation,
            client_id: presented.client_id.as_str(),
            redirect_uri: code.and_then(CodeProofs::redirect_uri),
            code_challenge: code.and_then(CodeProofs::code_challenge),
            binding: presented.binding.to_column(),
            step: i64::from(presented.rotate),
            now: redemption.now.micros(),
            idle_since: redemption.idle_since.micros(),
        }
    }
}

/// The batch as columns, for `UNNEST`.
#[derive(Default)]
struct Columns {
    id: Vec<Uuid>,
    generation: Vec<i64>,
    client_id: Vec<String>,
    redirect_uri: Vec<Option<String>>,
    code_challenge: Vec<Option<String>>,
    binding: Vec<Option<String>>,
    step: Vec<i64>,
    now: Vec<i64>,
    idle_since: Vec<i64>,
}

impl Columns {
    fn of(batch: &[Redemption]) -> Self {
        let mut columns = Self::default();
        for Redemption {
            presented,
            now,
            idle_since,
        } in batch
        {
            columns.id.push(presented.grant_id.0);
            columns.generation.push(presented.generation);
            columns
                .client_id
                .push(presented.client_id.as_str().to_owned());
            let code = presented.code.as_ref();
            let redirect_uri = code.and_then(CodeProofs::redirect_uri);
            let code_challenge = code.and_then(CodeProofs::code_challenge);
            columns.redirect_uri.push(redirect_uri.map(str::to_owned));
            columns
                .code_challenge
                .push(code_challenge.map(str::to_owned));
            columns.binding.push(presented.binding.to_column());
            columns.step.push(i64::from(presented.rotate));
            columns.now.push(now.micros());
            columns.idle_since.push(idle_since.micros());
        }
        // Short arrays look cheap to PostgreSQL, which then plans each of them anew instead of keeping one plan.
        while columns.id.len() < PLANNED {
            columns.id.push(Uuid::nil());
            columns.generation.push(-1);
            columns.client_id.push(String::new());
            columns.redirect_uri.push(None);
            columns.code_challenge.push(None);
            columns.binding.push(None);
            columns.step.push(0);
            columns.now.push(0);
            columns.idle_since.push(0);
        }
        columns
    }
}

/// What the guard moves.
macro_rules! moved {
    () => {
        " SET generation = grants.generation + b.step, advanced_at = b.now FROM "
    };
}

/// The guard: every proof that was presented, against the grant and what it hangs on.
macro_rules! guard {
    () => {
        " WHERE grants.id = b.id AND grants.generation = b.generation AND grants.client_id = b.client_id \
        AND grants.binding IS NOT DISTINCT FROM b.binding \
        AND (b.generation > 0 OR ((grants.redirect_uri = b.redirect_uri \
                OR (b.redirect_uri IS NULL AND b.code_challenge IS NOT NULL)) \
            AND grants.code_challenge IS NOT DISTINCT FROM b.code_challenge AND grants.code_expires_at > b.now)) \
        AND (b.generation = 0 OR grants.advanced_at > b.idle_since) \
        AND grants.revoked_at IS NULL AND grants.expires_at > b.now \
        AND EXISTS (SELECT 1 FROM users u WHERE u.id = grants.user_id AND u.token_version = grants.user_version \
            AND u.disabled_at IS NULL) \
        AND EXISTS (SELECT 1 FROM clients c WHERE c.id = grants.client_id AND c.disabled_at IS NULL \
            AND c.not_before <= grants.created_at) \
        AND (grants.offline OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = grants.session_id \
            AND s.ended_at IS NULL AND s.expires_at > b.now)) RETURNING "
    };
}

// The two texts differ only in how the batch is read. Rows are locked in key order, so that batches of
// different instances cannot deadlock.
const ADVANCE_POSTGRES: &str = concat!(
    "WITH locked AS MATERIALIZED (SELECT id FROM grants WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) UPDATE grants",
    moved!(),
    "locked JOIN UNNEST($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], \
    $8::bigint[], $9::bigint[]) AS b (id, generation, client_id, redirect_uri, code_challenge, binding, step, now, \
    idle_since) ON b.id = locked.id",
    guard!(),
    grant_columns!("grants.")
);

const ADVANCE_SQLITE: &str = concat!(
    "UPDATE grants",
    moved!(),
    "(SELECT unhex(value ->> '$.id') AS id, value ->> '$.generation' AS generation, value ->> '$.client_id' AS client_id, \
    value ->> '$.redirect_uri' AS redirect_uri, value ->> '$.code_challenge' AS code_challenge, \
    value ->> '$.binding' AS binding, value ->> '$.step' AS step, value ->> '$.now' AS now, \
    value ->> '$.idle_since' AS idle_since FROM json_each($1)) AS b",
    guard!(),
    grant_columns!()
);

#[cfg(test)]
mod tests;
