-- Since when a message waits: since it was written, or since it was sent again by hand. A receiver is given up by it.
-- Where it is empty, as the version before this one leaves it, a message waits since created_at.
ALTER TABLE outbox ADD COLUMN queued_at BIGINT;

CREATE INDEX outbox_queued_at ON outbox (lane, (COALESCE(queued_at, created_at))) WHERE next_at IS NOT NULL;
