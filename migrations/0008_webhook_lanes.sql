-- What is due is looked for by webhook, so that one that does not answer holds up nobody else. The version before this
-- one still looks by webhook_deliveries_next_at.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_at) WHERE next_at IS NOT NULL;

CREATE INDEX consents_client_id ON consents (client_id);
