-- When a secret's digest was put under the master key; none for the bare SHA-256 of an older version.
ALTER TABLE client_secrets ADD COLUMN keyed_at BIGINT;
