-- Since when a message waits: since it was written, or since it was sent again by hand. A receiver is given up by it.
-- Where it is empty, as the version before this one leaves it, a message waits since created_at.
ALTER TABLE outbox ADD COLUMN queued_at BIGINT;

CREATE INDEX outbox_queued_at ON outbox (lane, (COALESCE(queued_at, created_at))) WHERE next_at IS NOT NULL;

-- A mark that each change draws anew. The number of a version alone does not tell two histories apart: a database that
-- is restored to a backup reaches the same numbers again by other changes. The version before this one leaves marks as
-- they are in changes, and empty in policy_changes.
ALTER TABLE changes ADD COLUMN mark BIGINT;

ALTER TABLE policy_changes ADD COLUMN mark BIGINT;
