//! Webhooks: the `webhooks` table. What is told to them: [`outbox`](super::outbox).

use sqlx::types::Json;
use uuid::Uuid;

use super::Store;
use super::db::{Readable, Run, Tx, reads, row, writes};
use super::error::StoreError;
use crate::domain::ids::WebhookId;
use crate::spec::time::Ts;

/// At most so many webhooks.
pub const MAX_WEBHOOKS: i64 = 50;

/// Somewhere that wants to be told.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// Where to.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told: names of types, `user.*` for a family, none for everything.
    pub event_types: Vec<String>,
    /// Whether it is told at all.
    pub enabled: bool,
    /// Why Signet stopped telling it.
    pub disabled_reason: Option<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created_at: Ts,
    /// When it was changed last.
    pub updated_at: Ts,
}

/// Where a webhook is told, and how.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where to.
    pub url: String,
    /// Whether it is told at all.
    pub enabled: bool,
    /// What its messages are signed with.
    pub secrets: SealedSecrets,
}

/// The sealed secrets of a webhook.
#[derive(Clone, Debug)]
pub struct SealedSecrets {
    /// The lasting one.
    pub current: Vec<u8>,
    /// The one before, and until when it signs too.
    pub previous: Option<(Vec<u8>, Ts)>,
}

reads! {
    /// A webhook.
    find_webhook(id: WebhookId) -> Option<Webhook> = find;
}

async fn find(run: &mut impl Run, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
    let row = run.q(FIND).bind(id.0).opt::<WebhookRow>().await?;
    Ok(row.map(WebhookRow::into_webhook))
}

impl Store {
    /// Webhooks in the order of their names, after `after`, at most `limit`.
    pub async fn list_webhooks(
        &self,
        after: Option<WebhookId>,
        limit: i64,
    ) -> Result<Vec<Webhook>, StoreError> {
        let list = self.db.q(LIST).bind(after.map_or(Uuid::nil(), |id| id.0));
        let rows = list.bind(limit).all::<WebhookRow>().await?;
        Ok(rows.into_iter().map(WebhookRow::into_webhook).collect())
    }

    /// Where a webhook is told, and its secrets.
    pub async fn find_webhook_destination(
        &self,
        id: WebhookId,
    ) -> Result<Option<Destination>, StoreError> {
        let row = self.db.q(DESTINATION).bind(id.0);
        let row = row
            .opt::<(String, bool, Vec<u8>, Option<Vec<u8>>, Option<i64>)>()
            .await?;
        Ok(row.map(|(url, enabled, current, previous, until)| {
            let previous = previous.zip(until.map(Ts));
            let secrets = SealedSecrets { current, previous };
            Destination {
                url,
                enabled,
                secrets,
            }
        }))
    }
}

impl Tx {
    /// Stores a webhook with its sealed secret; `false` when there are too many.
    pub async fn insert_webhook(
        &mut self,
        webhook: &Webhook,
        secret: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let (count,) = self.q(COUNT).one::<(i64,)>().await?;
        if count >= MAX_WEBHOOKS {
            return Ok(false);
        }
        let insert = self.q(INSERT).bind(webhook.id.0);
        let insert = insert.bind(webhook.created_at.micros());
        bind_webhook(insert, webhook).bind(secret).exec().await?;
        Ok(true)
    }

    /// Keeps others from changing a webhook until the transaction ends.
    pub async fn lock_webhook(&mut self, id: WebhookId) -> Result<(), StoreError> {
        self.q(LOCK_ROW).bind(id.0).exec().await?;
        Ok(())
    }

    /// The sealed lasting secret.
    pub async fn find_webhook_secret(
        &mut self,
        id: WebhookId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.q(SECRET).bind(id.0).opt::<(Vec<u8>,)>().await?;
        Ok(row.map(|(secret,)| secret))
    }

    /// Writes what can be changed of a webhook; `false` when it is no longer of the `version` that was read.
    pub async fn update_webhook(
        &mut self,
        version: i64,
        webhook: &Webhook,
    ) -> Result<bool, StoreError> {
        let update = self.q(UPDATE).bind(webhook.id.0);
        let update = update.bind(webhook.updated_at.micros());
        let update = bind_webhook(update, webhook).bind(version);
        Ok(update.exec().await? == 1)
    }

    /// Gives a webhook another secret; the one before signs too until `until`.
    pub async fn replace_webhook_secret(
        &mut self,
        id: WebhookId,
        secrets: &SealedSecrets,
        now: Ts,
    ) -> Result<(), StoreError> {
        let (previous, until) = secrets.previous.clone().unzip();
        self.q(REPLACE_SECRET)
            .bind(id.0)
            .bind(secrets.current.clone())
            .bind(previous)
            .bind(until.map(Ts::micros))
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Removes a webhook; what is left in its lane is deleted in slices.
    pub async fn delete_webhook(&mut self, id: WebhookId) -> Result<(), StoreError> {
        self.q(DELETE).bind(id.0).exec().await?;
        Ok(())
    }

    /// Disables webhooks of which it cannot be read what they are told; which.
    pub async fn disable_unreadable_webhooks(
        &mut self,
        now: Ts,
    ) -> Result<Vec<WebhookId>, StoreError> {
        let rows = self.q(ENABLED).bind(MAX_WEBHOOKS).all::<EnabledRow>();
        let mut disabled = Vec::new();
        for (id, types) in rows.await? {
            if types.0.is_none() {
                let disable = self.q(DISABLE).bind(id).bind(now.micros());
                disable.bind(UNREADABLE.to_owned()).exec().await?;
                disabled.push(WebhookId(id));
            }
        }
        Ok(disabled)
    }

    /// Everyone who wants to be told, and what. A webhook of which that cannot be read is left out.
    pub async fn list_enabled_webhooks(
        &mut self,
    ) -> Result<Vec<(WebhookId, Vec<String>)>, StoreError> {
        let rows = self.q(ENABLED).bind(MAX_WEBHOOKS);
        let known = |(id, types): EnabledRow| Some((WebhookId(id), types.0?.0));
        Ok(rows
            .all::<EnabledRow>()
            .await?
            .into_iter()
            .filter_map(known)
            .collect())
    }
}

type EnabledRow = (Uuid, Readable<Json<Vec<String>>>);

/// Why a webhook is disabled of which it cannot be read what it is told.
pub const UNREADABLE: &str = "its event_types cannot be read; set them again";

row! { $
    struct WebhookRow, webhook_columns {
        id: Uuid,
        url: String,
        description: Option<String>,
        event_types: Readable<Json<Vec<String>>>,
        enabled: bool,
        disabled_reason: Option<String>,
        version: i64,
        created_at: i64,
        updated_at: i64,
    }
}

writes! { $
    fn bind_webhook(webhook: &Webhook), webhook_writes {
        url = webhook.url.clone(),
        description = webhook.description.clone(),
        event_types = Json(webhook.event_types.clone()),
        enabled = webhook.enabled,
        disabled_reason = webhook.disabled_reason.clone(),
    }
}

impl WebhookRow {
    /// A webhook of which it cannot be read what it is told is told nothing.
    fn into_webhook(self) -> Webhook {
        let (event_types, enabled, disabled_reason) = match self.event_types.0 {
            Some(event_types) => (event_types.0, self.enabled, self.disabled_reason),
            None => (Vec::new(), false, Some(UNREADABLE.to_owned())),
        };
        Webhook {
            id: WebhookId(self.id),
            url: self.url,
            description: self.description,
            event_types,
            enabled,
            disabled_reason,
            version: self.version,
            created_at: Ts(self.created_at),
            updated_at: Ts(self.updated_at),
        }
    }
}

const COUNT: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM webhooks";

const INSERT: &str = concat!(
    "INSERT INTO webhooks (",
    webhook_writes!(names),
    ", id, version, created_at, updated_at, secret) VALUES (",
    webhook_writes!(values),
    ", $1, 1, $2, $2, ",
    webhook_writes!(next),
    ")"
);

const LIST: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2"
);

const FIND: &str = concat!(
    "SELECT ",
    webhook_columns!(),
    " FROM webhooks WHERE id = $1"
);

// A write that changes nothing holds the row on both engines.
const LOCK_ROW: &str = "UPDATE webhooks SET version = version WHERE id = $1";

const ENABLED: &str = "SELECT id, event_types FROM webhooks WHERE enabled ORDER BY id LIMIT $1";

const DESTINATION: &str =
    "SELECT url, enabled, secret, previous_secret, previous_until FROM webhooks WHERE id = $1";

const SECRET: &str = "SELECT secret FROM webhooks WHERE id = $1";

const UPDATE: &str = concat!(
    "UPDATE webhooks SET ",
    webhook_writes!(set),
    ", updated_at = $2, version = version + 1 WHERE id = $1 AND version = ",
    webhook_writes!(next)
);

const DISABLE: &str = "UPDATE webhooks SET enabled = FALSE, updated_at = $2, version = version + 1, \
    disabled_reason = $3 WHERE id = $1";

const REPLACE_SECRET: &str = "UPDATE webhooks SET secret = $2, previous_secret = $3, previous_until = $4, updated_at = $5, \
    version = version + 1 WHERE id = $1";

const DELETE: &str = "DELETE FROM webhooks WHERE id = $1";
