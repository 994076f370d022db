-- People, clients, what they granted each other, and the keys that sign it.
-- One text for both engines; words in braces are the engines' types (see store/dialect.rs).
-- Times are microseconds since the Unix epoch.

CREATE TABLE users (
    id {uuid} PRIMARY KEY,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    email TEXT,
    email_verified {bool} NOT NULL,
    claims {json} NOT NULL,
    attributes {json} NOT NULL,
    token_version BIGINT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) {row};

CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    metadata {json} NOT NULL,
    disabled_at BIGINT,
    not_before BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) {row};

CREATE TABLE client_secrets (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    digest {bytes} NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (client_id, digest)
) {row};

CREATE TABLE sessions (
    id {uuid} PRIMARY KEY,
    token_digest {bytes} NOT NULL UNIQUE,
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_version BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    acr TEXT NOT NULL,
    amr {json} NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
) {row};

CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE consents (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    resources {json} NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
) {row};

-- One row for the whole life of a grant. Rotation changes generation and advanced_at only, and no index
-- knows them, so PostgreSQL updates the row in place.
CREATE TABLE grants (
    id {uuid} PRIMARY KEY,
    client_id TEXT NOT NULL,
    user_id {uuid} NOT NULL,
    user_version BIGINT NOT NULL,
    session_id {uuid} NOT NULL,
    offline {bool} NOT NULL,
    scope TEXT NOT NULL,
    resources {json} NOT NULL,
    nonce TEXT,
    claims {json} NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT,
    auth_time BIGINT NOT NULL,
    acr TEXT NOT NULL,
    amr {json} NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    advanced_at BIGINT NOT NULL,
    code_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
) {hot};

CREATE INDEX grants_expires_at ON grants (expires_at);

CREATE INDEX grants_user_id ON grants (user_id, client_id);

CREATE TABLE signing_keys (
    alg TEXT NOT NULL,
    number BIGINT NOT NULL,
    kid TEXT NOT NULL UNIQUE,
    sealed {bytes} NOT NULL,
    created_at BIGINT NOT NULL,
    activates_at BIGINT NOT NULL,
    PRIMARY KEY (alg, number)
) {row};

CREATE TABLE resources (
    identifier TEXT PRIMARY KEY,
    name TEXT,
    scope TEXT NOT NULL
) {row};

CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    description TEXT
) {row};

CREATE TABLE role_parents (
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    parent TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    PRIMARY KEY (role, parent)
) {row};

CREATE TABLE role_permissions (
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (role, permission)
) {row};

CREATE TABLE role_assignments (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, role)
) {row};

CREATE TABLE policies (
    id TEXT PRIMARY KEY,
    cedar TEXT NOT NULL,
    description TEXT,
    enabled {bool} NOT NULL
) {row};

CREATE TABLE setup_tokens (
    digest {bytes} PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
) {row};

-- Facts about this store that every instance must agree on, such as which master key seals it.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) {row};
