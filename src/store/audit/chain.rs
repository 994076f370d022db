//! The chain: its head, its checkpoints, and the rows that a check walks over.
//!
//! The instance that links holds the row of `audit_head` locked, so one instance links at a time; the others wait and then see
//! what it did.

use uuid::Uuid;

use super::super::Store;
use super::super::db::{Run, Tx, reads, row};
use super::super::dialect;
use super::super::error::StoreError;
use super::{EventRow, StoredEvent, event_columns};
use crate::domain::audit::{EventId, Hash, Link};
use crate::spec::time::Ts;

/// Where the chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest event that is linked.
    pub link: Link,
    /// The number of the newest checkpoint.
    pub checkpoint: i64,
    /// Which event it speaks of.
    pub checkpoint_position: i64,
    /// When it was signed.
    pub checkpoint_at: Ts,
    /// The last event that retention removed.
    pub base: i64,
    /// The message tag of all this; none before the first instance started.
    pub seal: Option<Vec<u8>>,
}

/// A signed statement of where the chain stood.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Checkpoint {
    /// From 1, without gaps.
    pub number: i64,
    /// Which event it speaks of.
    pub position: i64,
    /// The statement as a compact JWS.
    pub jws: String,
}

/// What a look at the chain tells: whether there is something to do.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Whether an event waits.
    pub waiting: bool,
    /// Where the chain stands.
    pub head: Head,
}

reads! {
    /// Linked events after a place, in order.
    list_chain(after: i64, limit: i64) -> Vec<StoredEvent> = list_chain;

    /// The signed place where the chain begins, if retention ever removed anything.
    audit_base() -> Option<String> = base;
}

async fn list_chain(
    run: &mut impl Run,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = run.q(CHAIN).bind(after).bind(limit);
    let rows = rows.all::<EventRow>().await?;
    Ok(rows.into_iter().map(EventRow::into_event).collect())
}

async fn base(run: &mut impl Run) -> Result<Option<String>, StoreError> {
    let row = run.q(BASE).opt::<(String,)>().await?;
    Ok(row.map(|(jws,)| jws))
}

impl Tx {
    /// Locks the head until this transaction ends.
    pub async fn lock_audit_head(&mut self) -> Result<Head, StoreError> {
        let text = dialect::pick(self.engine(), LOCK_POSTGRES, HEAD);
        self.q(text).one::<HeadRow>().await?.into_head()
    }

    /// Moves the head.
    pub async fn save_audit_head(&mut self, head: &Head) -> Result<(), StoreError> {
        self.q(SAVE_HEAD)
            .bind(head.link.position)
            .bind(head.link.hash.to_vec())
            .bind(head.checkpoint)
            .bind(head.checkpoint_position)
            .bind(head.checkpoint_at.micros())
            .bind(head.base)
            .bind(head.seal.clone())
            .exec()
            .await?;
        Ok(())
    }

    /// Stores a checkpoint.
    pub async fn insert_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.q(INSERT_CHECKPOINT)
            .bind(checkpoint.number)
            .bind(checkpoint.position)
            .bind(checkpoint.jws.clone())
            .exec()
            .await?;
        Ok(())
    }

    /// One checkpoint.
    pub async fn find_checkpoint(&mut self, number: i64) -> Result<Option<Checkpoint>, StoreError> {
        self.q(CHECKPOINT).bind(number).opt().await
    }

    /// Whether a signing key was made since there is an audit trail.
    pub async fn has_audited_key(&mut self) -> Result<bool, StoreError> {
        let row = self.q(AUDITED_KEY).opt::<(i64,)>().await?;
        Ok(row.is_some())
    }

    /// Forgets every event up to a place, the checkpoints of those places, and says so in a signed base.
    pub async fn trim_audit(&mut self, last: i64, base: &str) -> Result<(), StoreError> {
        self.q(TRIM_EVENTS).bind(last).exec().await?;
        self.q(TRIM_CHECKPOINTS).bind(last).exec().await?;
        self.q(SAVE_BASE).bind(base.to_owned()).exec().await?;
        Ok(())
    }

    /// The last event that has a place, and the number of the last checkpoint.
    pub async fn audit_ends(&mut self) -> Result<(Option<Link>, i64), StoreError> {
        let last = self.q(LAST_LINK).opt::<(i64, Vec<u8>)>().await?;
        let link = |(position, hash): (i64, Vec<u8>)| {
            let hash = hash.try_into().ok()?;
            Some(Link { position, hash })
        };
        let (_, checkpoint) = self.q(EXTENT).one::<(i64, i64)>().await?;
        Ok((last.and_then(link), checkpoint))
    }

    /// The number of the first checkpoint of a place after this one.
    pub async fn first_checkpoint_after(&mut self, last: i64) -> Result<Option<i64>, StoreError> {
        let row = self.q(CHECKPOINT_AFTER).bind(last).one::<(Option<i64>,)>();
        Ok(row.await?.0)
    }
}

impl Store {
    /// Whether there is something to link, and where the chain stands.
    pub async fn audit_outlook(&self) -> Result<Outlook, StoreError> {
        let waiting = self.db.q(WAITING).opt::<(i64,)>().await?.is_some();
        let head = self.audit_head().await?;
        Ok(Outlook { waiting, head })
    }

    /// Where the chain stands.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        self.db.q(HEAD).one::<HeadRow>().await?.into_head()
    }

    /// Checkpoints from a number on, in order.
    pub async fn list_checkpoints(
        &self,
        from: i64,
        limit: i64,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let checkpoints = self.db.q(CHECKPOINTS).bind(from).bind(limit);
        checkpoints.all().await
    }

    /// The newest place and the newest checkpoint that any row speaks of.
    pub async fn audit_extent(&self) -> Result<(i64, i64), StoreError> {
        self.db.q(EXTENT).one().await
    }

    /// How many events wait to be linked, counted up to `limit`.
    pub async fn count_unlinked(&self, limit: i64) -> Result<i64, StoreError> {
        let row = self.db.q(COUNT_UNLINKED).bind(limit);
        Ok(row.one::<(i64,)>().await?.0)
    }

    /// The event that is linked next, if one waits.
    pub async fn next_unlinked(&self) -> Result<Option<EventId>, StoreError> {
        let row = self.db.q(NEXT_UNLINKED).opt::<(Uuid,)>().await?;
        Ok(row.map(|(id,)| EventId(id)))
    }
}

row! { $
    struct HeadRow, head_columns {
        position: i64,
        hash: Option<Vec<u8>>,
        checkpoint: i64,
        checkpoint_position: i64,
        checkpoint_at: i64,
        base: i64,
        seal: Option<Vec<u8>>,
    }
}

/// The columns of a [`Checkpoint`].
macro_rules! checkpoint_columns {
    () => {
        "number, position, jws"
    };
}

impl HeadRow {
    fn into_head(self) -> Result<Head, StoreError> {
        let hash: Hash = match self.hash {
            None => Link::START.hash,
            Some(hash) => hash.try_into().map_err(|_| StoreError::Inconsistent {
                table: "audit_head",
                column: "hash",
                id: "1".to_owned(),
            })?,
        };
        Ok(Head {
            link: Link {
                position: self.position,
                hash,
            },
            checkpoint: self.checkpoint,
            checkpoint_position: self.checkpoint_position,
            checkpoint_at: Ts(self.checkpoint_at),
            base: self.base,
            seal: self.seal,
        })
    }
}

const HEAD: &str = concat!("SELECT ", head_columns!(), " FROM audit_head WHERE id = 1");

const LOCK_POSTGRES: &str = concat!(
    "SELECT ",
    head_columns!(),
    " FROM audit_head WHERE id = 1 FOR UPDATE"
);

const SAVE_HEAD: &str = "UPDATE audit_head SET position = $1, hash = $2, checkpoint = $3, checkpoint_position = $4, checkpoint_at = $5, \
    base = $6, seal = $7 WHERE id = 1";

const WAITING: &str = "SELECT CAST(1 AS BIGINT) FROM audit_events WHERE position IS NULL LIMIT 1";

const COUNT_UNLINKED: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT id FROM audit_events WHERE position IS NULL ORDER BY id LIMIT $1) AS waiting";

const NEXT_UNLINKED: &str =
    "SELECT id FROM audit_events WHERE position IS NULL ORDER BY id LIMIT 1";

const INSERT_CHECKPOINT: &str =
    "INSERT INTO audit_checkpoints (number, position, jws) VALUES ($1, $2, $3)";

const CHECKPOINTS: &str = concat!(
    "SELECT ",
    checkpoint_columns!(),
    " FROM audit_checkpoints WHERE number >= $1 ORDER BY number LIMIT $2"
);

const CHECKPOINT_AFTER: &str = "SELECT MIN(number) FROM audit_checkpoints WHERE position > $1";

const BASE: &str = "SELECT jws FROM audit_base WHERE id = 1";

const SAVE_BASE: &str = "INSERT INTO audit_base (id, jws) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET jws = excluded.jws";

const CHECKPOINT: &str = concat!(
    "SELECT ",
    checkpoint_columns!(),
    " FROM audit_checkpoints WHERE number = $1"
);

/// `0004_audit.sql` made the tables of the audit trail.
const AUDITED_KEY: &str = "SELECT CAST(1 AS BIGINT) FROM signing_keys \
    WHERE created_at >= COALESCE((SELECT applied_at FROM schema_migrations WHERE number = 4), 0) LIMIT 1";

const LAST_LINK: &str = "SELECT position, hash FROM audit_events WHERE position IS NOT NULL AND hash IS NOT NULL ORDER BY position DESC LIMIT 1";

const TRIM_EVENTS: &str = "DELETE FROM audit_events WHERE position <= $1";

const TRIM_CHECKPOINTS: &str = "DELETE FROM audit_checkpoints WHERE position <= $1";

const CHAIN: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2"
);

const EXTENT: &str = "SELECT COALESCE((SELECT MAX(position) FROM audit_events), 0), COALESCE((SELECT MAX(number) FROM audit_checkpoints), 0)";
