//! The check: nothing was changed, removed, exchanged or put in between.
//!
//! It walks the whole chain in bounded batches beside running servers, computes every hash anew, and holds the columns,
//! the checkpoints, the head and what still waits against it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Audit;
use super::statement::Statement;
use crate::domain::audit::{EventId, EventType, Link};
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::audit::StoredEvent;
use crate::store::audit::chain::{Checkpoint, Head};
use crate::store::error::StoreError;

/// Events are read so many at a time.
const PAGE: i64 = 500;

/// For two seconds it is looked whether an event that waits is linked,
const LOOKS: usize = 8;

/// this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is waiting is counted up to here.
const COUNTED: i64 = 10_000;

/// A trail that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// How many events are in the chain.
    pub events: i64,
    /// The last event that retention removed, or 0.
    pub base: i64,
    /// The newest event in the chain.
    pub head: Link,
    /// The number of the newest checkpoint.
    pub checkpoint: i64,
    /// How many events wait to be linked, counted up to 10,000.
    pub waiting: i64,
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// At which place of the chain.
    pub position: Option<i64>,
    /// Which event.
    pub id: Option<EventId>,
    /// When it is said to have happened.
    pub time: Option<Ts>,
    /// What is wrong, as a sentence.
    pub what: String,
}

impl Broken {
    pub(super) fn at(position: i64, what: impl Into<String>) -> Self {
        Self {
            position: Some(position),
            id: None,
            time: None,
            what: what.into(),
        }
    }

    fn event(event: &StoredEvent, what: impl Into<String>) -> Self {
        Self {
            position: event.position,
            id: Some(event.id),
            time: Some(event.columns.at),
            what: what.into(),
        }
    }

    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "position": self.position,
            "id": self.id.map(|id| id.to_string()),
            "time": self.time.map(Ts::rfc3339_micros),
            "what": self.what,
        })
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(position) = self.position {
            write!(f, "position {position}: ")?;
        }
        f.write_str(&self.what)?;
        if let (Some(id), Some(time)) = (self.id, self.time) {
            write!(f, " (event {id}, {})", time.rfc3339_micros())?;
        }
        Ok(())
    }
}

/// What a check finds.
pub type Verdict = Result<Holds, Broken>;

/// Checks the whole trail, and that it contains the checkpoint in `outside`, a copy kept somewhere else.
pub async fn verify(services: &Services, outside: Option<&str>) -> Result<Verdict, StoreError> {
    loop {
        let base = services.store.audit_head().await?.base;
        let verdict = walk(services, outside).await?;
        // Retention may have removed what was about to be read.
        if verdict.is_err() && services.store.audit_head().await?.base != base {
            continue;
        }
        return Ok(verdict);
    }
}

async fn walk(services: &Services, outside: Option<&str>) -> Result<Verdict, StoreError> {
    let (store, audit) = (&services.store, &services.audit);
    let outside = match outside.map(|jws| audit.statements.read_checkpoint(jws.trim())) {
        None => None,
        Some(Some(statement)) => Some(statement),
        Some(None) => {
            return Ok(Err(Broken {
                position: None,
                id: None,
                time: None,
                what: "the checkpoint that was given is not one that this server signed".to_owned(),
            }));
        }
    };
    let head = store.audit_head().await?;
    if !audit.is_sealed(&head) {
        return Ok(Err(Broken::at(
            head.link.position,
            "another program than Signet changed the beginning or end of the chain (table audit_head)",
        )));
    }
    let mut walk = match begin(services, &head, outside).await? {
        Ok(walk) => walk,
        Err(broken) => return Ok(Err(broken)),
    };
    while walk.last.position < head.link.position {
        let page = store.list_chain(walk.last.position, PAGE).await?;
        let within = |event: &&StoredEvent| event.position <= Some(head.link.position);
        let page: Vec<&StoredEvent> = page.iter().filter(within).collect();
        if page.is_empty() {
            return Ok(Err(Broken::at(
                walk.last.position + 1,
                format!(
                    "the event is missing, and so is every one up to the end at position {}",
                    head.link.position
                ),
            )));
        }
        for event in page {
            if let Err(broken) = walk.step(services, event).await? {
                return Ok(Err(broken));
            }
        }
    }
    finish(services, &head, walk).await
}

/// Where a walk stands.
struct Walk {
    last: Link,
    base: i64,
    head: Head,
    outside: Option<Statement>,
    /// Checkpoints that were read ahead, the next one last.
    ahead: Vec<Checkpoint>,
    /// The number of the checkpoint that comes next.
    next: i64,
}

/// Begins where retention left off, at a signed place.
async fn begin(
    services: &Services,
    head: &Head,
    outside: Option<Statement>,
) -> Result<Result<Walk, Broken>, StoreError> {
    let base = services.store.audit_base().await?;
    let (last, next) = match read_base(&services.audit, base, head) {
        Ok(read) => read,
        Err(broken) => return Ok(Err(broken)),
    };
    let walk = Walk {
        last,
        base: last.position,
        head: head.clone(),
        outside,
        ahead: Vec::new(),
        next,
    };
    Ok(match walk.compare_outside() {
        Ok(()) => Ok(walk),
        Err(broken) => Err(broken),
    })
}

/// Where the chain begins, and the number of the first checkpoint after it.
pub(super) fn read_base(
    audit: &Audit,
    jws: Option<String>,
    head: &Head,
) -> Result<(Link, i64), Broken> {
    if jws.is_none() && head.base == 0 {
        return Ok((Link::START, 1));
    }
    let statement = jws.and_then(|jws| audit.statements.read_base(&jws));
    let link = statement.as_ref().and_then(Statement::link);
    match (statement, link) {
        (Some(statement), Some(link)) if link.position == head.base => Ok((link, statement.number)),
        _ => Err(Broken::at(
            head.base,
            "where the chain begins is not signed by this server (table audit_base)",
        )),
    }
}

impl Walk {
    async fn step(
        &mut self,
        services: &Services,
        event: &StoredEvent,
    ) -> Result<Result<(), Broken>, StoreError> {
        let expected = self.last.next(&event.body);
        if let Err(broken) = check_event(event, expected) {
            return Ok(Err(broken));
        }
        self.last = expected;
        if let Err(broken) = self.compare_outside() {
            return Ok(Err(broken));
        }
        self.compare_checkpoints(services).await
    }

    /// Holds every checkpoint of this place against it.
    async fn compare_checkpoints(
        &mut self,
        services: &Services,
    ) -> Result<Result<(), Broken>, StoreError> {
        loop {
            if self.next > self.head.checkpoint {
                return Ok(Ok(()));
            }
            if self.ahead.is_empty() {
                self.ahead = services.store.list_checkpoints(self.next, PAGE).await?;
                self.ahead.reverse();
            }
            let number = self.next;
            let wrong = |what: &str| {
                let what = format!("checkpoint {number} {what}");
                Ok(Err(Broken::at(self.last.position, what)))
            };
            let Some(checkpoint) = self.ahead.last() else {
                return wrong("is missing");
            };
            if checkpoint.number != number {
                return wrong("is missing");
            }
            let statements = &services.audit.statements;
            let Some(statement) = statements.read_checkpoint(&checkpoint.jws) else {
                return wrong("is not signed by this server");
            };
            if (statement.number, statement.position) != (number, checkpoint.position) {
                return wrong("says something else than its row");
            }
            if statement.position > self.last.position {
                return Ok(Ok(()));
            }
            // One that speaks of a place before this one would have been met there.
            if statement.link() != Some(self.last) {
                return wrong("was signed over another chain");
            }
            self.ahead.pop();
            self.next += 1;
        }
    }

    fn compare_outside(&self) -> Result<(), Broken> {
        let Some(outside) = &self.outside else {
            return Ok(());
        };
        if outside.position < self.base {
            return Err(Broken::at(
                outside.position,
                format!(
                    "the checkpoint that was given lies before the beginning of the chain at position {}, so nothing \
                     can be said about it: retention removed those events",
                    self.base
                ),
            ));
        }
        if outside.position > self.head.link.position {
            return Err(Broken::at(
                self.head.link.position,
                format!(
                    "the chain ends here, but the checkpoint that was given saw position {}: events were removed at \
                     the end",
                    outside.position
                ),
            ));
        }
        if outside.position == self.last.position && outside.link() != Some(self.last) {
            return Err(Broken::at(
                outside.position,
                "the checkpoint that was given was signed over another chain",
            ));
        }
        Ok(())
    }
}

/// Holds an event against the place that follows from the one before it.
pub(super) fn check_event(event: &StoredEvent, expected: Link) -> Result<(), Broken> {
    let position = event.position.unwrap_or_default();
    if position != expected.position {
        return Err(Broken::at(
            expected.position,
            format!("the event is missing; the next one that is there has position {position}"),
        ));
    }
    if event.whole_hash() != Some(expected.hash) {
        return Err(Broken::event(
            event,
            "the event's text or its hash was changed, or another event was put in its place",
        ));
    }
    if let Some(column) = event.columns.differs_from(event.id, &event.body) {
        return Err(Broken::event(
            event,
            format!(
                "the column {column} was changed: it says something else than the event's text"
            ),
        ));
    }
    if event.columns.kind == EventType::AuditTampered.as_str() {
        return Err(Broken::event(
            event,
            "another program than Signet had changed the end of the chain before this event",
        ));
    }
    Ok(())
}

/// Compares the end: with the head, with the checkpoints, and with what is stored outside the chain.
async fn finish(services: &Services, head: &Head, walk: Walk) -> Result<Verdict, StoreError> {
    if walk.last != head.link {
        return Ok(Err(Broken::at(
            head.link.position,
            "the chain does not end with the hash that its head has",
        )));
    }
    if walk.next <= head.checkpoint {
        let what = match walk.ahead.last() {
            Some(ahead) => format!(
                "the chain ends here, but checkpoint {} saw position {}: events were removed at the end",
                ahead.number, ahead.position
            ),
            None => format!("checkpoint {} is missing", walk.next),
        };
        return Ok(Err(Broken::at(head.link.position, what)));
    }
    let store = &services.store;
    let waiting = store.count_unlinked(COUNTED).await?;
    // Read before the head, which may have moved on meanwhile.
    let (position, checkpoint) = store.audit_extent().await?;
    let now = store.audit_head().await?;
    if position > now.link.position {
        return Ok(Err(Broken::at(
            now.link.position + 1,
            "there is an event behind the end of the chain that Signet did not link",
        )));
    }
    if checkpoint > now.checkpoint {
        return Ok(Err(Broken::at(
            now.link.position,
            format!("checkpoint {checkpoint} is not one that Signet made"),
        )));
    }
    if let Some(event) = find_left_out(services).await? {
        return Ok(Err(Broken::event(
            &event,
            "the event is not in the chain although the server has linked later ones",
        )));
    }
    Ok(Ok(Holds {
        events: head.link.position - walk.base,
        base: walk.base,
        head: head.link,
        checkpoint: head.checkpoint,
        waiting,
    }))
}

/// The event whose turn it is, when it stays outside while the chain goes on. No clock is asked: those of several
/// servers differ.
async fn find_left_out(services: &Services) -> Result<Option<StoredEvent>, StoreError> {
    let store = &services.store;
    let Some(next) = store.next_unlinked().await? else {
        return Ok(None);
    };
    let (mut left_out, mut moved) = (None, 0);
    let mut position = store.audit_head().await?.link.position;
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK_EVERY).await;
        let seen = store.audit_head().await?.link.position;
        let event = store.find_event(next).await?;
        left_out = event.filter(|event| event.position.is_none());
        if left_out.is_none() {
            return Ok(None);
        }
        moved += u8::from(seen != position);
        position = seen;
    }
    // Who moved the head first may have looked for work before the event was there; the next one has not.
    Ok(left_out.filter(|_| moved >= 2))
}
