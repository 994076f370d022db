//! Webhooks: who is told what happens.

use std::time::Duration;

use super::{Act, AdministrationError};
use crate::crypto::random;
use crate::crypto::secret::PlainToken;
use crate::crypto::webhook::WebhookSecret;
use crate::domain::audit::{Event, EventType};
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::outbox::Lane;
use crate::service::outbox;
use crate::service::webhooks::{Fields, WebhookError, check, view};
use crate::store::error::StoreError;
use crate::store::outbox::Delivery;
use crate::store::webhooks::{SealedSecrets, Webhook};

impl Act {
    /// A webhook, which no other transaction changes until this act ends.
    pub async fn find_webhook(&mut self, id: WebhookId) -> Result<Webhook, AdministrationError> {
        self.tx.lock_lane(&Lane::Webhook(id)).await?;
        let found = self.tx.find_webhook(id).await?;
        Ok(found.ok_or(WebhookError::Unknown(id))?)
    }

    /// Creates a webhook; its secret is told this once.
    pub async fn create_webhook(
        &mut self,
        fields: Fields,
    ) -> Result<(Webhook, PlainToken), AdministrationError> {
        self.judge_reading().await?;
        check(&self.services, &fields)?;
        let secret = WebhookSecret::generate();
        let webhook = Webhook {
            id: WebhookId::from_random(random::bytes()),
            url: fields.url,
            description: fields.description,
            event_types: fields.event_types,
            enabled: fields.enabled,
            disabled_reason: None,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        let sealed = self.services.webhooks.seal(webhook.id, &secret);
        if !self.tx.insert_webhook(&webhook, sealed).await? {
            return Err(WebhookError::TooMany.into());
        }
        let event = self.of_webhook(EventType::WebhookCreated, webhook.id);
        self.record(event.after(view(&webhook))).await?;
        Ok((webhook, secret.to_text()))
    }

    /// Replaces what is said of a webhook that is still as it `was`. Disabling gives up what waits for it, which can be
    /// redelivered: a thousand messages here, what is left of many by the outbox.
    pub async fn change_webhook(
        &mut self,
        was: &Webhook,
        fields: Fields,
    ) -> Result<Webhook, AdministrationError> {
        self.judge_reading().await?;
        check(&self.services, &fields)?;
        let is = Webhook {
            url: fields.url,
            description: fields.description,
            event_types: fields.event_types,
            enabled: fields.enabled,
            disabled_reason: None,
            version: was.version + 1,
            updated_at: self.now,
            ..was.clone()
        };
        if !self.tx.update_webhook(was.version, &is).await? {
            return Err(AdministrationError::Changed);
        }
        if was.enabled && !is.enabled {
            let lane = Lane::Webhook(was.id);
            self.tx.give_up_deliveries(&lane, self.now).await?;
        }
        let event = self.of_webhook(EventType::WebhookUpdated, was.id);
        self.record(event.before(view(was)).after(view(&is)))
            .await?;
        Ok(is)
    }

    /// Removes a webhook. Its deliveries, of which there may be very many, are neither sent nor shown from then on, and
    /// are deleted by `Outbox::tidy`. [`StoreError::Unavailable`] while many are still in the table of the version before.
    pub async fn remove_webhook(&mut self, was: &Webhook) -> Result<(), AdministrationError> {
        if !outbox::adopt_all_of(&mut self.tx, was.id, self.now).await? {
            let problem = "messages of this webhook are still being moved; try again in a minute";
            return Err(StoreError::Unavailable(problem.to_owned()).into());
        }
        self.tx.delete_webhook(was.id).await?;
        let event = self.of_webhook(EventType::WebhookDeleted, was.id);
        self.record(event.before(view(was))).await
    }

    /// Gives a webhook another secret, which is told this once; messages carry both signatures for `keep`.
    pub async fn rotate_webhook_secret(
        &mut self,
        id: WebhookId,
        keep: Duration,
    ) -> Result<PlainToken, AdministrationError> {
        let old = self.tx.find_webhook_secret(id).await?;
        let old = old.ok_or(WebhookError::Unknown(id))?;
        let secret = WebhookSecret::generate();
        let until = self.now.plus(keep);
        let secrets = SealedSecrets {
            current: self.services.webhooks.seal(id, &secret),
            previous: (!keep.is_zero()).then_some((old, until)),
        };
        self.tx
            .replace_webhook_secret(id, &secrets, self.now)
            .await?;
        let event = self.of_webhook(EventType::WebhookSecretRotated, id);
        self.record(event.detail("older_valid_until", until.rfc3339()))
            .await?;
        Ok(secret.to_text())
    }

    /// Sends a delivery of a webhook again, whatever became of it; with the same `webhook-id`. What is left of a
    /// deleted webhook is not known.
    pub async fn redeliver(
        &mut self,
        webhook: WebhookId,
        id: DeliveryId,
    ) -> Result<Delivery, AdministrationError> {
        self.judge_reading().await?;
        let lane = Lane::Webhook(webhook);
        let is_gone = self.tx.find_webhook(webhook).await?.is_none();
        if is_gone || !self.tx.send_again(&lane, id, self.now).await? {
            return Err(WebhookError::UnknownDelivery(id).into());
        }
        let event = self.of_webhook(EventType::WebhookRedelivered, webhook);
        self.record(event.detail("delivery_id", id.to_string()))
            .await?;
        let sent = self.tx.find_delivery(&lane, id).await?;
        Ok(sent.ok_or(WebhookError::UnknownDelivery(id))?)
    }

    /// Requires the right to read what a webhook is sent: events of the audit trail.
    async fn judge_reading(&self) -> Result<(), AdministrationError> {
        self.require("audit.read", None).await
    }

    fn of_webhook(&self, kind: EventType, id: WebhookId) -> Event {
        self.event(kind).target("webhook", &id)
    }
}
