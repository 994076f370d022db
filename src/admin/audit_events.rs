//! The audit trail, newest first.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::api::{About, Api};
use super::call::{Answer, Call};
use super::inputs::Nothing;
use super::page::{Page, Range};
use super::problem::Problem;
use crate::domain::audit::{EventId, EventType};
use crate::domain::ids::{ClientId, UserId};
use crate::spec::time::Ts;
use crate::store::audit::{EventFilter, StoredEvent};

const READ: &str = "audit.read";

/// An event of the audit trail.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
pub(super) struct EventView {
    /// The event: `id`, `time` (RFC 3339), `type`, `actor`, and where they apply `ip`, `request_id`, `target`,
    /// `user_id`, `client_id`, `organization`, `before`, `after` and `detail`.
    #[serde(flatten)]
    event: Map<String, Value>,
    /// Its position in the hash chain; absent until it is linked, within a second.
    position: Option<i64>,
    /// The hash of the chain up to this event, in base64url.
    hash: Option<String>,
}

/// The kinds of those who act.
const ACTOR_KINDS: [&str; 5] = ["person", "client", "operator", "anonymous", "system"];

/// Selects events; all conditions must hold.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EventQuery {
    /// Event type, such as `user.created`.
    #[schemars(extend("enum" = event_types()))]
    r#type: Option<String>,
    /// The actor: a user's `sub`, a `client_id`, or the operating system account at the command line.
    actor: Option<String>,
    /// Kind of actor: `person`, `client`, `operator`, `anonymous` or `system`.
    #[schemars(extend("enum" = ACTOR_KINDS))]
    actor_kind: Option<String>,
    /// `sub` of the user concerned.
    subject: Option<UserId>,
    /// `client_id` of the client concerned.
    #[schemars(extend("pattern" = "^[!-~]{1,255}$"))]
    client_id: Option<String>,
    /// Kind of target, such as `role`.
    target_type: Option<String>,
    /// Id or name of the target.
    target_id: Option<String>,
    /// The organization concerned.
    organization: Option<String>,
    /// Id of the request.
    request_id: Option<String>,
    /// At this time or later, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// Before this time, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// One event.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// Its id.
    id: String,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary| About::new("audit", id, summary, READ);
    let list_events = about("list_audit_events", "List events")
        .details("Newest first. Events that are added while you page do not shift later pages.")
        .by_organization();
    api.add(Method::GET, "/v1/audit_events", list_events, list);
    let get_event = about("get_audit_event", "Read one event");
    api.add(Method::GET, "/v1/audit_events/{id}", get_event, get);
}

fn event_types() -> Vec<&'static str> {
    EventType::ALL.iter().map(|it| it.as_str()).collect()
}

async fn list(
    call: Call<Nothing, EventQuery, Nothing>,
) -> Result<Answer<Page<EventView>>, Problem> {
    let query = &call.query;
    call.must(READ, query.organization.as_deref()).await?;
    let range = Range::new(query.cursor.as_deref(), query.limit)?;
    if let Some(kind) = query.actor_kind.as_deref()
        && !ACTOR_KINDS.contains(&kind)
    {
        let detail = format!("expected one of {}", ACTOR_KINDS.join(", "));
        return Err(Problem::invalid("actor_kind", detail));
    }
    let filter = EventFilter {
        actor_id: query.actor.clone(),
        actor_kind: query.actor_kind.clone(),
        user: query.subject,
        client: query.client_id.as_deref().map(client).transpose()?,
        kind: query.r#type.as_deref().map(kind).transpose()?,
        target_kind: query.target_type.clone(),
        target_id: query.target_id.clone(),
        organization: query.organization.clone(),
        request_id: query.request_id.clone(),
        since: time("since", query.since.as_deref())?,
        until: time("until", query.until.as_deref())?,
    };
    let before = range.after_id(EventId::parse)?;
    let store = &call.site.services.store;
    let rows = store.list_events(&filter, before, range.rows()).await?;
    let key = |event: &StoredEvent| event.id.to_string();
    Ok(Answer::of(&range.page(rows, key, |event| shown(&event))))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<EventView>, Problem> {
    let unknown = || Problem::not_found("audit event", &call.path.id);
    let id = EventId::parse(&call.path.id).ok_or_else(unknown)?;
    let found = call.site.services.store.find_event(id).await?;
    Ok(Answer::of(&shown(&found.ok_or_else(unknown)?)))
}

fn client(text: &str) -> Result<ClientId, Problem> {
    let expected = "expected 1 to 255 visible ASCII characters";
    ClientId::parse(text).ok_or_else(|| Problem::invalid("client_id", expected))
}

fn kind(text: &str) -> Result<EventType, Problem> {
    EventType::parse(text).ok_or_else(|| {
        let known = EventType::ALL.iter().map(|kind| kind.as_str());
        Problem::unknown_name(text, known).param("type")
    })
}

fn time(param: &str, text: Option<&str>) -> Result<Option<Ts>, Problem> {
    let expected = "expected a time of RFC 3339, such as 2027-01-01T00:00:00Z";
    text.map(|text| Ts::parse_rfc3339(text).ok_or_else(|| Problem::invalid(param, expected)))
        .transpose()
}

fn shown(stored: &StoredEvent) -> EventView {
    EventView {
        event: serde_json::from_str(&stored.body).unwrap_or_default(),
        position: stored.position,
        hash: stored.hash.as_deref().map(crate::crypto::b64::encode),
    }
}
