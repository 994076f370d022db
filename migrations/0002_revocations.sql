-- What is revoked, until the tokens it concerns have expired. A row is never updated: each act appends one.
-- kind and the meaning of version: src/store/revocations/key.rs.
CREATE TABLE revocations (
  seq {serial},
  kind BIGINT NOT NULL,
  key {bytes} NOT NULL,
  version BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
) {rowid};
CREATE INDEX revocations_key ON revocations (kind, key, seq);
CREATE INDEX revocations_expires_at ON revocations (expires_at);

-- Counters that grow whenever something that instances keep in memory was changed.
CREATE TABLE changes (
  topic TEXT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) {row};
INSERT INTO changes (topic, version) VALUES ('clients', 0);

-- What may be used once and has been.
CREATE TABLE replay (
  kind BIGINT NOT NULL,
  id {bytes} NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (kind, id)
) {row};
CREATE INDEX replay_expires_at ON replay (expires_at);
