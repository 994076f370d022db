-- Answers of the administration API, by the caller's Idempotency-Key, written with the act that they answer. Sealed:
-- some hold a secret that is told once.

CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key {bytes} NOT NULL,
    request {bytes} NOT NULL,
    answer {bytes} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
) {row};

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
