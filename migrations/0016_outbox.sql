-- The outbox: messages to be told elsewhere, of every kind. A lane is one receiver, written `kind:receiver`. It is no
-- foreign key, because each kind has receivers of its own. next_at is null when nothing more is to be done; while an
-- instance sends, it is when its lease ends. A receiver knows a message that comes again by message_id.
--
-- The version before this one writes and reads webhook_deliveries. Its rows are not copied here: that would block a
-- running instance for as long as the copy takes. Instances of this version move them in small transactions, those
-- that are there and those that an older instance still writes, so each row is in exactly one of the two tables. What
-- an older instance is sending is left to it until its lease ends. A later version moves what is left and drops
-- webhook_deliveries.
CREATE TABLE outbox (
    id {uuid} PRIMARY KEY,
    lane TEXT NOT NULL,
    message_id {uuid} NOT NULL,
    topic TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
) {rowid};

CREATE INDEX outbox_due ON outbox (lane, next_at) WHERE next_at IS NOT NULL;

CREATE INDEX outbox_lane ON outbox (lane, id);

CREATE INDEX outbox_told ON outbox (lane, finished_at) WHERE state = 'delivered';

CREATE INDEX outbox_finished_at ON outbox (finished_at) WHERE finished_at IS NOT NULL;
