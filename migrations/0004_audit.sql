-- The audit trail: events, the chain that holds them together, and webhooks that carry them away.

-- body is the very text that the chain hashes; the other columns say the same and exist to find it. position and
-- hash are null until the event is linked.
CREATE TABLE audit_events (
    id {uuid} PRIMARY KEY,
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    user_id {uuid},
    client_id TEXT,
    target_kind TEXT,
    target_id TEXT,
    organization TEXT,
    request_id TEXT,
    body TEXT NOT NULL,
    position BIGINT UNIQUE,
    hash {bytes}
) {rowid};

CREATE INDEX audit_events_unlinked ON audit_events (id) WHERE position IS NULL;

CREATE INDEX audit_events_type ON audit_events (type, id);

CREATE INDEX audit_events_actor ON audit_events (actor_id, id) WHERE actor_id IS NOT NULL;

CREATE INDEX audit_events_user ON audit_events (user_id, id) WHERE user_id IS NOT NULL;

CREATE INDEX audit_events_client ON audit_events (client_id, id) WHERE client_id IS NOT NULL;

CREATE INDEX audit_events_target ON audit_events (target_id, id) WHERE target_id IS NOT NULL;

CREATE INDEX audit_events_organization ON audit_events (organization, id) WHERE organization IS NOT NULL;

CREATE INDEX audit_events_request ON audit_events (request_id) WHERE request_id IS NOT NULL;

-- The one row of where the chain stands; whoever links locks it. seal is a message tag under the master key.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    hash {bytes},
    checkpoint BIGINT NOT NULL,
    checkpoint_position BIGINT NOT NULL,
    checkpoint_at BIGINT NOT NULL,
    base BIGINT NOT NULL,
    seal {bytes}
) {row};

-- Signed statements of where the chain stood, numbered without gaps.
CREATE TABLE audit_checkpoints (
    number BIGINT PRIMARY KEY,
    position BIGINT NOT NULL,
    jws TEXT NOT NULL
) {row};

-- Where the chain begins after retention removed what was older: one signed row, or none.
CREATE TABLE audit_base (
    id BIGINT PRIMARY KEY,
    jws TEXT NOT NULL
) {row};

CREATE TABLE webhooks (
    id {uuid} PRIMARY KEY,
    url TEXT NOT NULL,
    description TEXT,
    event_types {json} NOT NULL,
    secret {bytes} NOT NULL,
    previous_secret {bytes},
    previous_until BIGINT,
    enabled {bool} NOT NULL,
    disabled_reason TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) {row};

-- The outbox. next_at is null when nothing more is to be done; while somebody sends, it is when their lease ends.
CREATE TABLE webhook_deliveries (
    id {uuid} PRIMARY KEY,
    webhook_id {uuid} NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id {uuid} NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
) {rowid};

CREATE INDEX webhook_deliveries_next_at ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;

CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);

CREATE INDEX webhook_deliveries_finished_at ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;

INSERT INTO audit_head (id, position, checkpoint, checkpoint_position, checkpoint_at, base) VALUES (1, 0, 0, 0, 0, 0);
