//! Webhooks ([Standard Webhooks](https://www.standardwebhooks.com)): who is told what happens, and what became of it.

use std::time::Duration;

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing, Patch};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::{Lane, State};
use crate::service::webhooks::{self, WebhookError};
use crate::spec::time::Ts;
use crate::store::outbox::Delivery;
use crate::store::webhooks::Webhook;

const READ: &str = "webhooks.read";
const WRITE: &str = "webhooks.write";

/// The members of a webhook that can be changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct WebhookFields {
    /// The https URL that events are sent to.
    url: String,
    /// Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Event types to send, `user.*` for a family (default: all but those of codes and tokens).
    #[serde(default)]
    event_types: Vec<String>,
    /// Whether events are sent.
    #[serde(default = "yes")]
    enabled: bool,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct WebhookView {
    /// Its id.
    id: WebhookId,
    #[serde(flatten)]
    fields: WebhookFields,
    /// Why Signet disabled it; absent if Signet did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

/// A webhook that was created.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CreatedWebhook")]
pub(super) struct Created {
    #[serde(flatten)]
    webhook: WebhookView,
    /// The secret that signs its messages. No later response contains it.
    secret: String,
}

/// A new secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookSecret")]
pub(super) struct Secret {
    /// The secret that signs its messages. No later response contains it.
    secret: String,
}

/// How to replace a secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "WebhookRotation")]
pub(super) struct Rotation {
    /// Seconds for which messages are also signed with the old secret (default 86400).
    #[serde(default)]
    keep: Option<u32>,
}

/// A message and its delivery.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    /// Its name in paths.
    id: DeliveryId,
    /// The webhook.
    webhook_id: WebhookId,
    /// Event type.
    r#type: String,
    /// The message.
    payload: Value,
    /// `pending`, `delivered` or `failed`.
    state: &'static str,
    /// Number of attempts.
    attempts: i64,
    /// Time of the next attempt, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    /// HTTP status of the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i64>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

/// One webhook.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ById {
    /// Its id.
    id: WebhookId,
}

/// One delivery.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByDelivery {
    /// The webhook's id.
    id: WebhookId,
    /// The delivery's id.
    delivery_id: DeliveryId,
}

/// Selects deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeliveryQuery {
    /// Only `pending`, `delivered` or `failed` deliveries.
    #[schemars(extend("enum" = ["pending", "delivered", "failed"]))]
    state: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

const fn yes() -> bool {
    true
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("webhooks", id, summary, action);
    let seen = "Messages contain events of the audit trail, so this needs `signet:audit.read` too.";
    let list_webhooks = about("list_webhooks", "List webhooks", READ);
    api.add(Method::GET, "/v1/webhooks", list_webhooks, list);
    let create_webhook = about("create_webhook", "Create a webhook", WRITE).details(seen);
    api.add(Method::POST, "/v1/webhooks", create_webhook, create);
    let one = "/v1/webhooks/{id}";
    let get_webhook = about("get_webhook", "Read a webhook", READ);
    api.add(Method::GET, one, get_webhook, get);
    let update_webhook = about("update_webhook", "Change a webhook", WRITE).details(seen);
    api.add(Method::PATCH, one, update_webhook.guarded(), update);
    let delete_webhook = about("delete_webhook", "Delete a webhook", WRITE)
        .details("Its undelivered messages are dropped.")
        .guarded();
    api.add(Method::DELETE, one, delete_webhook, delete);
    let rotate = about(
        "rotate_webhook_secret",
        "Replace a webhook's secret",
        WRITE,
    )
    .details("For the time in `keep`, messages are signed with both secrets, so that the receiver can change over.");
    api.add(
        Method::POST,
        "/v1/webhooks/{id}/secrets",
        rotate,
        rotate_secret,
    );
    let deliveries = about("list_deliveries", "List a webhook's messages", READ)
        .details("Newest first. Needs `signet:audit.read` too: messages are events.");
    api.add(
        Method::GET,
        "/v1/webhooks/{id}/deliveries",
        deliveries,
        list_deliveries,
    );
    let redeliver = about("redeliver", "Send a message again", WRITE).details(
        "With the same `webhook-id`, so that a receiver can recognize a message that it had.",
    );
    let path = "/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver";
    api.add(Method::POST, path, redeliver, send_again);
}

async fn list(call: Call<Nothing, List, Nothing>) -> Result<Answer<Page<WebhookView>>, Problem> {
    let range = Range::of(&call.query)?;
    let after = range.after_id(WebhookId::parse)?;
    let store = &call.site.services.store;
    let rows = store.list_webhooks(after, range.rows()).await?;
    let whole = call.may(WRITE, None).await?;
    let page = range.page(rows, |row| row.id.to_string(), |row| seen(row, whole));
    Ok(Answer::of(&page))
}

async fn get(call: Call<ById, Nothing, Nothing>) -> Result<Answer<WebhookView>, Problem> {
    let id = call.path.id;
    let found = call.site.services.store.find_webhook(id).await?;
    let webhook = found.ok_or_else(|| Problem::not_found("webhook", id))?;
    let whole = call.may(WRITE, None).await?;
    Ok(Answer::of(&seen(webhook, whole)))
}

async fn create(
    call: Call<Nothing, Nothing, Json<WebhookFields>>,
) -> Result<Answer<Created, 201>, Problem> {
    let mut act = begun!(call);
    let (webhook, secret) = act.create_webhook(wanted(&call.body.0)).await?;
    let location = format!("/v1/webhooks/{}", webhook.id);
    let created = Created {
        webhook: shown(webhook),
        secret: secret.expose().to_owned(),
    };
    call.told_once(act, &created, location).await
}

async fn update(
    call: Call<ById, Nothing, Patch<WebhookFields>>,
) -> Result<Answer<WebhookView>, Problem> {
    let mut act = begun!(call);
    let was = act.find_webhook(call.path.id).await?;
    let before = shown(was.clone());
    call.must_match(&before)?;
    let fields = wanted(&call.body.onto(&before.fields)?);
    let is = act.change_webhook(&was, fields).await?;
    call.done(act, &shown(is)).await
}

async fn delete(call: Call<ById, Nothing, Nothing>) -> Result<Answer<Nothing, 204>, Problem> {
    let mut act = begun!(call);
    let was = act.find_webhook(call.path.id).await?;
    call.must_match(&shown(was.clone()))?;
    act.remove_webhook(&was).await?;
    call.gone(act).await
}

async fn rotate_secret(
    call: Call<ById, Nothing, Json<Rotation>>,
) -> Result<Answer<Secret, 201>, Problem> {
    let id = call.path.id;
    let keep = call.body.0.keep.map(u64::from).map(Duration::from_secs);
    let keep = keep.unwrap_or(webhooks::KEEP);
    let mut act = begun!(call);
    let secret = act.rotate_webhook_secret(id, keep).await?;
    let secret = Secret {
        secret: secret.expose().to_owned(),
    };
    let location = format!("/v1/webhooks/{id}");
    call.told_once(act, &secret, location).await
}

async fn list_deliveries(
    call: Call<ById, DeliveryQuery, Nothing>,
) -> Result<Answer<Page<DeliveryView>>, Problem> {
    // Messages are events.
    call.must("audit.read", None).await?;
    let (store, id) = (&call.site.services.store, call.path.id);
    if store.find_webhook(id).await?.is_none() {
        return Err(Problem::not_found("webhook", id));
    }
    let range = Range::new(call.query.cursor.as_deref(), call.query.limit)?;
    let before = range.after_id(DeliveryId::parse)?;
    let unknown = || Problem::invalid("state", "expected pending, delivered or failed");
    let parse = |state| State::parse(state).ok_or_else(unknown);
    let state = call.query.state.as_deref().map(parse).transpose()?;
    let lane = Lane::Webhook(id);
    let rows = store.list_deliveries(&lane, state, before, range.rows());
    let shown = |row| delivery(id, row);
    let page = range.page(rows.await?, |row| row.id.to_string(), shown);
    Ok(Answer::of(&page))
}

async fn send_again(
    call: Call<ByDelivery, Nothing, Nothing>,
) -> Result<Answer<DeliveryView>, Problem> {
    let ByDelivery { id, delivery_id } = call.path;
    let mut act = begun!(call);
    let again = act.redeliver(id, delivery_id).await?;
    call.done(act, &delivery(id, again)).await
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let detail = error.to_string();
        match error {
            WebhookError::Unknown(id) => Self::not_found("webhook", id),
            WebhookError::UnknownDelivery(id) => Self::not_found("delivery", id),
            WebhookError::Invalid { param, problem } => Self::unprocessable(param, problem),
            WebhookError::Store(error) => error.into(),
            WebhookError::Sealed(_) => Self::conflict("sealed", detail),
            WebhookError::TooMany => Self::conflict("too_many", detail),
        }
    }
}

fn wanted(fields: &WebhookFields) -> webhooks::Fields {
    webhooks::Fields {
        url: fields.url.clone(),
        description: fields.description.clone(),
        event_types: fields.event_types.clone(),
        enabled: fields.enabled,
    }
}

/// The address as readers see it: its path and query may be what gives access to it.
fn seen(mut webhook: Webhook, whole: bool) -> WebhookView {
    if !whole {
        webhook.url = webhooks::origin_of(&webhook.url);
    }
    shown(webhook)
}

fn shown(webhook: Webhook) -> WebhookView {
    WebhookView {
        id: webhook.id,
        fields: WebhookFields {
            url: webhook.url,
            description: webhook.description,
            event_types: webhook.event_types,
            enabled: webhook.enabled,
        },
        disabled_reason: webhook.disabled_reason,
        created_at: webhook.created_at.rfc3339(),
        updated_at: webhook.updated_at.rfc3339(),
    }
}

fn delivery(webhook_id: WebhookId, row: Delivery) -> DeliveryView {
    DeliveryView {
        id: row.id,
        webhook_id,
        r#type: row.topic,
        payload: serde_json::from_str(&row.body).unwrap_or_default(),
        state: row.state.as_str(),
        attempts: row.attempts,
        next_attempt_at: row.next_at.map(Ts::rfc3339),
        last_status: row.last_status,
        last_error: row.last_error,
        created_at: row.created_at.rfc3339(),
        finished_at: row.finished_at.map(Ts::rfc3339),
    }
}
