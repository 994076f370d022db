//! `signet audit verify|key|list`.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, plain, table};
use crate::config::parse::duration;
use crate::crypto::b64;
use crate::domain::audit::{EventId, EventType};
use crate::domain::ids::{ClientId, UserId};
use crate::service::Services;
use crate::service::administration::accounts;
use crate::service::audit::verify::{Holds, verify};
use crate::spec::time::Ts;
use crate::store::audit::{EventFilter, StoredEvent};

/// The audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no event was changed or removed. The exit code is 1 when the trail is broken; the first broken link
    /// is named.
    Verify {
        /// A checkpoint that was kept elsewhere, or a file with one: it must be part of the trail.
        #[arg(long, value_name = "FILE|JWS")]
        checkpoint: Option<String>,
    },
    /// Print the public key of checkpoints as a JWK, so that others can verify them.
    Key,
    /// Show events, newest first.
    List(ListArgs),
}

/// Which events; everything that is given must hold.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What happened, such as user.disabled.
    #[arg(long = "type", value_name = "TYPE", value_parser = event_type)]
    pub kind: Option<EventType>,
    /// The user that it concerns: username or id.
    #[arg(long)]
    pub user: Option<String>,
    /// The client that it concerns.
    #[arg(long, value_name = "CLIENT_ID")]
    pub client: Option<String>,
    /// The actor: a user id, a client id or an account of this machine.
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// Only events younger than this, such as 30m, 12h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<std::time::Duration>,
    /// Number of events at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

fn event_type(text: &str) -> Result<EventType, String> {
    EventType::parse(text).ok_or_else(|| {
        let known = EventType::ALL.iter().map(|kind| kind.as_str());
        match crate::config::parse::nearest(text, known) {
            Some(nearest) => format!("there is no such type of event; did you mean {nearest}?"),
            None => "there is no such type of event".to_owned(),
        }
    })
}

/// Does it.
pub async fn run(services: &Services, command: AuditCommand) -> Result<Answer, Failure> {
    match command {
        AuditCommand::Verify { checkpoint } => check(services, checkpoint.as_deref()).await,
        AuditCommand::Key => {
            let key = services.audit.public_jwk();
            Ok(Answer::new(key.to_string(), key))
        }
        AuditCommand::List(args) => list(services, args).await,
    }
}

async fn check(services: &Services, checkpoint: Option<&str>) -> Result<Answer, Failure> {
    let outside = checkpoint.map(read_checkpoint).transpose()?;
    Ok(match verify(services, outside.as_deref()).await? {
        Ok(holds) => Answer::new(
            sentence(&holds),
            json!({
                "holds": true,
                "events": holds.events,
                "base": holds.base,
                "head": { "position": holds.head.position, "hash": b64::encode(&holds.head.hash) },
                "checkpoint": holds.checkpoint,
                "waiting": holds.waiting,
            }),
        ),
        Err(broken) => Answer::new(
            format!("The audit trail is broken: {broken}."),
            json!({ "holds": false, "broken": broken.json() }),
        )
        .failed(),
    })
}

fn sentence(holds: &Holds) -> String {
    let mut text = format!(
        "The audit trail holds: {} events up to position {}, {} checkpoints.\nhash {}",
        holds.events,
        holds.head.position,
        holds.checkpoint,
        b64::encode(&holds.head.hash)
    );
    if holds.base > 0 {
        text.push_str("\nEvents up to position ");
        text.push_str(&holds.base.to_string());
        text.push_str(" were removed by audit_retention.");
    }
    if holds.waiting > 0 {
        text.push('\n');
        text.push_str(&holds.waiting.to_string());
        text.push_str(" newer events wait until a running server links them.");
    }
    text
}

/// The longest file that can be a checkpoint, in bytes.
const MAX_CHECKPOINT: u64 = 16 * 1024;

fn read_checkpoint(given: &str) -> Result<String, Failure> {
    let path = Path::new(given);
    if !path.exists() && given.split('.').count() == 3 {
        return Ok(given.to_owned());
    }
    let failed = |error: std::io::Error| Failure::new(format!("{given}: {error}"));
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_CHECKPOINT {
        return Err(Failure::new(format!(
            "{given}: expected one checkpoint, which is shorter"
        )));
    }
    std::fs::read_to_string(path).map_err(failed)
}

async fn list(services: &Services, args: ListArgs) -> Result<Answer, Failure> {
    let user = match args.user {
        None => None,
        Some(name) => Some(match UserId::parse(&name) {
            Some(id) => id,
            None => accounts::find_id(services, &name).await?,
        }),
    };
    let client = match args.client {
        None => None,
        Some(id) => Some(
            ClientId::parse(&id)
                .ok_or_else(|| Failure::new(format!("{id:?} cannot be a client_id")))?,
        ),
    };
    let filter = EventFilter {
        kind: args.kind,
        user,
        client,
        actor_id: args.actor,
        since: args.since.map(|since| services.clock.now().minus(since)),
        ..EventFilter::default()
    };
    let events = read(services, &filter, args.limit as usize).await?;
    let rows: Vec<Vec<String>> = events.iter().map(row).collect();
    let shown: Vec<Value> = events.iter().map(StoredEvent::json).collect();
    Ok(Answer::new(
        table(&["time", "type", "by", "to", "from", "detail"], &rows),
        json!({ "events": shown }),
    ))
}

async fn read(
    services: &Services,
    filter: &EventFilter,
    limit: usize,
) -> Result<Vec<StoredEvent>, Failure> {
    let mut events: Vec<StoredEvent> = Vec::new();
    while events.len() < limit {
        let before: Option<EventId> = events.last().map(|event| event.id);
        let wanted = i64::try_from(limit - events.len()).unwrap_or(i64::MAX);
        let page = services.store.list_events(filter, before, wanted).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    Ok(events)
}

fn row(event: &StoredEvent) -> Vec<String> {
    let body = event.json();
    let columns = &event.columns;
    let two = |kind: Option<&str>, id: Option<&str>| {
        let both = [kind, id];
        plain(&both.into_iter().flatten().collect::<Vec<_>>().join(" "))
    };
    let text = |value: &Value| match value {
        Value::String(text) => plain(text),
        Value::Null => String::new(),
        other => plain(&other.to_string()),
    };
    vec![
        Ts::rfc3339(columns.at),
        columns.kind.clone(),
        two(Some(&columns.actor_kind), columns.actor_id.as_deref()),
        two(columns.target_kind.as_deref(), columns.target_id.as_deref()),
        text(&body["ip"]),
        text(&body["detail"]),
    ]
}
