//! `signet webhook create|list|disable|enable|delete|rotate-secret`.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, plain, table};
use super::operator::operator;
use super::secret;
use crate::config::parse::{duration, show_duration};
use crate::domain::ids::WebhookId;
use crate::service::Services;
use crate::service::administration::{Act, AdministrationError, act_of_operator};
use crate::service::webhooks::{Fields, origin_of};
use crate::store::webhooks::{MAX_WEBHOOKS, Webhook};

/// Who is told what happens.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Create a webhook; the secret that signs its messages is shown once.
    Create(CreateArgs),
    /// List webhooks.
    List,
    /// Disable a webhook.
    Disable {
        /// Its id.
        #[arg(value_parser = id)]
        id: WebhookId,
    },
    /// Enable a disabled webhook: it is sent what happens from now on.
    Enable {
        /// Its id.
        #[arg(value_parser = id)]
        id: WebhookId,
    },
    /// Delete a webhook with its messages.
    Delete {
        /// Its id.
        #[arg(value_parser = id)]
        id: WebhookId,
    },
    /// Replace the secret; the new one is shown once.
    RotateSecret {
        /// Its id.
        #[arg(value_parser = id)]
        id: WebhookId,
        /// How long messages are signed with the old one too.
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
        keep: Duration,
    },
}

/// A new webhook.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Where to: https, except for hosts in fetch_allow_hosts; - reads it from standard input.
    pub url: String,
    /// What to send: the name of a type, or user.* for a family; may be given several times [default: all but the
    /// types of codes and tokens].
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// What it is for.
    #[arg(long)]
    pub description: Option<String>,
}

fn id(text: &str) -> Result<WebhookId, String> {
    WebhookId::parse(text).ok_or_else(|| "expected the id of a webhook, a UUID".to_owned())
}

/// Does it.
pub async fn run(services: &Arc<Services>, command: WebhookCommand) -> Result<Answer, Failure> {
    match command {
        WebhookCommand::Create(args) => create(services, args).await,
        WebhookCommand::List => list(services).await,
        WebhookCommand::Disable { id } => set_enabled(services, id, false).await,
        WebhookCommand::Enable { id } => set_enabled(services, id, true).await,
        WebhookCommand::Delete { id } => {
            act(services, async |act| {
                let was = act.find_webhook(id).await?;
                act.remove_webhook(&was).await
            })
            .await?;
            Ok(done(id, "deleted"))
        }
        WebhookCommand::RotateSecret { id, keep } => rotate(services, id, keep).await,
    }
}

/// One act of the operator.
async fn act<T>(
    services: &Arc<Services>,
    change: impl AsyncFnOnce(&mut Act) -> Result<T, AdministrationError>,
) -> Result<T, AdministrationError> {
    act_of_operator(services, &operator(), services.clock.now(), change).await
}

async fn create(services: &Arc<Services>, args: CreateArgs) -> Result<Answer, Failure> {
    let url = if args.url == "-" {
        secret::read(std::io::stdin().lock())?
    } else {
        args.url
    };
    let fields = Fields {
        url,
        description: args.description,
        event_types: args.types,
        enabled: true,
    };
    let (webhook, secret) = act(services, async |act| act.create_webhook(fields).await).await?;
    let text = format!(
        "Webhook {} is told from now on. Its messages are signed with this secret, shown this once:\n\n  {}",
        webhook.id,
        secret.expose()
    );
    let mut json = shown(&webhook);
    json["secret"] = json!(secret.expose());
    Ok(Answer::new(text, json))
}

async fn list(services: &Services) -> Result<Answer, Failure> {
    let all = services.store.list_webhooks(None, MAX_WEBHOOKS).await?;
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|webhook| {
            vec![
                webhook.id.to_string(),
                plain(&origin_of(&webhook.url)),
                webhook.event_types.join(" "),
                state(webhook).to_owned(),
                plain(webhook.disabled_reason.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let json: Vec<Value> = all.iter().map(shown).collect();
    let headings = ["id", "where", "types", "state", "why"];
    Ok(Answer::new(
        table(&headings, &rows),
        json!({ "webhooks": json }),
    ))
}

async fn set_enabled(
    services: &Arc<Services>,
    id: WebhookId,
    enabled: bool,
) -> Result<Answer, Failure> {
    act(services, async |act| {
        let was = act.find_webhook(id).await?;
        let fields = Fields {
            url: was.url.clone(),
            description: was.description.clone(),
            event_types: was.event_types.clone(),
            enabled,
        };
        act.change_webhook(&was, fields).await
    })
    .await?;
    Ok(done(id, if enabled { "enabled" } else { "disabled" }))
}

async fn rotate(
    services: &Arc<Services>,
    id: WebhookId,
    keep: Duration,
) -> Result<Answer, Failure> {
    let rotated = act(services, async |act| {
        let secret = act.rotate_webhook_secret(id, keep).await?;
        Ok((secret, act.now().plus(keep)))
    });
    let (secret, until) = rotated.await?;
    let text = format!(
        "The new secret of webhook {id}, shown this once:\n\n  {}\n\nThe old one signs beside it for {}.",
        secret.expose(),
        show_duration(keep)
    );
    let until = until.rfc3339();
    Ok(Answer::new(
        text,
        json!({ "id": id, "secret": secret.expose(), "old_valid_until": until }),
    ))
}

fn done(id: WebhookId, what: &str) -> Answer {
    Answer::new(format!("{id}: {what}."), json!({ "id": id, "done": what }))
}

const fn state(webhook: &Webhook) -> &'static str {
    if webhook.enabled {
        "active"
    } else {
        "disabled"
    }
}

/// What is shown of a webhook: of its address no more than in the audit trail, as the rest may be what gives access.
fn shown(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "where": origin_of(&webhook.url),
        "description": webhook.description,
        "event_types": webhook.event_types,
        "state": state(webhook),
        "disabled_reason": webhook.disabled_reason,
        "created_at": webhook.created_at.rfc3339(),
    })
}
