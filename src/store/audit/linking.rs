//! Giving events their places in the chain, many in one statement.

use std::sync::LazyLock;

use serde::Serialize;
use uuid::Uuid;

use super::super::db::{Engine, Q, Tx};
use super::super::error::StoreError;
use crate::crypto::random;
use crate::domain::audit::{Columns, Event, EventId, Link};

/// An event that waits to be linked.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Unlinked {
    /// Its name.
    pub id: Uuid,
    /// What happened.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// The text to hash.
    pub body: String,
}

/// An event that goes into the table with its place in the chain.
#[derive(Clone, Debug)]
pub struct Linked {
    /// Its name.
    pub id: EventId,
    /// What it is found by.
    pub columns: Columns,
    /// The text that is hashed.
    pub body: String,
    /// Its place.
    pub link: Link,
}

impl Linked {
    /// An event that is not linked yet.
    pub fn new(id: EventId, event: &Event) -> Result<Self, StoreError> {
        Ok(Self {
            id,
            columns: event.columns(),
            body: event.body(id)?,
            link: Link::START,
        })
    }
}

impl Tx {
    /// The oldest events that are not linked.
    pub async fn list_unlinked(&mut self, limit: i64) -> Result<Vec<Unlinked>, StoreError> {
        self.q(UNLINKED).bind(limit).all().await
    }

    /// Gives waiting events their places; an error when one of them is gone.
    pub async fn link_events(&mut self, links: &[(Uuid, Link)]) -> Result<(), StoreError> {
        if links.is_empty() {
            return Ok(());
        }
        let linked = match self.engine() {
            Engine::Postgres => {
                let mut ids: Vec<Uuid> = links.iter().map(|(id, _)| *id).collect();
                let mut positions: Vec<i64> = links.iter().map(|(_, link)| link.position).collect();
                let mut hashes: Vec<Vec<u8>> =
                    links.iter().map(|(_, link)| link.hash.to_vec()).collect();
                // Short arrays would be planned anew each time.
                let length = links.len().max(PLANNED);
                ids.resize(length, Uuid::nil());
                positions.resize(length, 0);
                hashes.resize(length, Vec::new());
                let update = self.q(LINK_POSTGRES).bind_pg(ids);
                update.bind_pg(positions).bind_pg(hashes).exec().await?
            }
            Engine::Sqlite => {
                let rows: Vec<_> = links.iter().map(SqliteLink::of).collect();
                self.q(LINK_SQLITE).bind(json(&rows)?).exec().await?
            }
        };
        if linked == links.len() as u64 {
            Ok(())
        } else {
            Err(StoreError::unavailable(
                "audit events went away while they were linked",
            ))
        }
    }

    /// Writes events down in the transaction of the act, many in one statement; they are linked later.
    pub async fn record_events(&mut self, events: &[Event]) -> Result<(), StoreError> {
        for some in events.chunks(AT_ONCE) {
            let named = some.iter().map(|event| {
                let id = EventId::new(event.at(), random::bytes());
                Linked::new(id, event)
            });
            let named: Vec<Linked> = named.collect::<Result<_, _>>()?;
            self.insert_rows(&named, Place::Later).await?;
        }
        Ok(())
    }

    /// Writes events with their places.
    pub async fn insert_linked(&mut self, events: &[Linked]) -> Result<(), StoreError> {
        self.insert_rows(events, Place::Known).await
    }

    async fn insert_rows(&mut self, events: &[Linked], place: Place) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        match self.engine() {
            Engine::Postgres => {
                let column = |of: fn(&Linked) -> Option<String>| events.iter().map(of).collect();
                let texts: [Vec<Option<String>>; 9] = [
                    column(|e| Some(e.columns.kind.clone())),
                    column(|e| Some(e.columns.actor_kind.clone())),
                    column(|e| e.columns.actor_id.clone()),
                    column(|e| e.columns.client_id.clone()),
                    column(|e| e.columns.target_kind.clone()),
                    column(|e| e.columns.target_id.clone()),
                    column(|e| e.columns.organization.clone()),
                    column(|e| e.columns.request_id.clone()),
                    column(|e| Some(e.body.clone())),
                ];
                let ids: Vec<Uuid> = events.iter().map(|e| e.id.0).collect();
                let times: Vec<i64> = events.iter().map(|e| e.columns.at.micros()).collect();
                let users: Vec<Option<Uuid>> = events.iter().map(|e| e.columns.user_id).collect();
                let places = events.iter().map(|e| place.of(&e.link));
                let (positions, hashes): (Vec<_>, Vec<_>) = places.unzip();
                let mut insert = self.q(INSERT_POSTGRES).bind_pg(ids).bind_pg(times);
                insert = insert.bind_pg(users).bind_pg(positions).bind_pg(hashes);
                for text in texts {
                    insert = insert.bind_pg(text);
                }
                insert.exec().await?;
            }
            Engine::Sqlite => {
                // Values cost half of what a JSON array of rows does.
                let (many, few) = (INSERT_MANY_SQLITE.as_str(), INSERT_ONE_SQLITE.as_str());
                for rows in events.chunks(MANY) {
                    if rows.len() == MANY {
                        let insert = rows
                            .iter()
                            .fold(self.q(many), |insert, event| row(insert, event, place));
                        insert.exec().await?;
                        continue;
                    }
                    for event in rows {
                        row(self.q(few), event, place).exec().await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether this event is stored.
    pub async fn event_exists(&mut self, id: EventId) -> Result<bool, StoreError> {
        let row = self.q(EXISTS).bind(id.0).opt::<(i64,)>().await?;
        Ok(row.is_some())
    }
}

#[derive(Serialize)]
struct SqliteLink {
    id: String,
    position: i64,
    hash: String,
}

impl SqliteLink {
    fn of((id, link): &(Uuid, Link)) -> Self {
        Self {
            id: id.simple().to_string(),
            position: link.position,
            hash: hex(&link.hash),
        }
    }
}

/// Binds one row of [`insert_sqlite`].
/// Whether events are linked when they are written.
#[derive(Clone, Copy)]
enum Place {
    Known,
    Later,
}

impl Place {
    fn of(self, link: &Link) -> (Option<i64>, Option<Vec<u8>>) {
        match self {
            Self::Known => (Some(link.position), Some(link.hash.to_vec())),
            Self::Later => (None, None),
        }
    }
}

fn row<'q>(insert: Q<'q>, event: &Linked, place: Place) -> Q<'q> {
    let columns = &event.columns;
    let (position, hash) = place.of(&event.link);
    insert
        .bind(event.id.0)
        .bind(columns.at.micros())
        .bind(columns.kind.clone())
        .bind(columns.actor_kind.clone())
        .bind(columns.actor_id.clone())
        .bind(columns.user_id)
        .bind(columns.client_id.clone())
        .bind(columns.target_kind.clone())
        .bind(columns.target_id.clone())
        .bind(columns.organization.clone())
        .bind(columns.request_id.clone())
        .bind(event.body.clone())
        .bind(position)
        .bind(hash)
}

fn json(rows: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(rows)?)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Arrays are at least this long, with events that do not exist.
const PLANNED: usize = 12;

const UNLINKED: &str =
    "SELECT id, type, body FROM audit_events WHERE position IS NULL ORDER BY id LIMIT $1";

const EXISTS: &str = "SELECT CAST(1 AS BIGINT) FROM audit_events WHERE id = $1";

const LINK_POSTGRES: &str = "UPDATE audit_events SET position = b.position, hash = b.hash \
    FROM UNNEST($1::uuid[], $2::bigint[], $3::bytea[]) AS b (id, position, hash) \
    WHERE audit_events.id = b.id AND audit_events.position IS NULL";

/// The plus keeps SQLite from looking through everything that waits once for each event of the batch.
const LINK_SQLITE: &str = "UPDATE audit_events SET position = b.position, hash = b.hash \
    FROM (SELECT unhex(value ->> '$.id') AS id, value ->> '$.position' AS position, unhex(value ->> '$.hash') AS hash \
    FROM json_each($1)) AS b WHERE audit_events.id = b.id AND +audit_events.position IS NULL";

const INSERT_POSTGRES: &str = "INSERT INTO audit_events (id, at, user_id, position, hash, type, actor_kind, actor_id, client_id, target_kind, \
    target_id, organization, request_id, body) SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], \
    $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])";

/// So many events are made ready at once.
const AT_ONCE: usize = 500;

/// So many rows go into one statement on SQLite.
const MANY: usize = 20;

static INSERT_ONE_SQLITE: LazyLock<String> = LazyLock::new(|| insert_sqlite(1));

static INSERT_MANY_SQLITE: LazyLock<String> = LazyLock::new(|| insert_sqlite(MANY));

fn insert_sqlite(rows: usize) -> String {
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let rows = vec![row; rows].join(", ");
    format!(
        "INSERT INTO audit_events (id, at, type, actor_kind, actor_id, user_id, client_id, target_kind, target_id, \
         organization, request_id, body, position, hash) VALUES {rows}"
    )
}
