-- Who may do what: groups, organizations, roles given for an organization or until a time, and levels on single
-- resources. Roles, their parents and permissions, and policies are there since the first migration.

CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    description TEXT,
    attributes {json} NOT NULL
) {row};

CREATE TABLE group_parents (
    member TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    parent TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (member, parent)
) {row};

CREATE INDEX group_parents_parent ON group_parents (parent);

CREATE TABLE group_members (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_name)
) {row};

CREATE INDEX group_members_group_name ON group_members (group_name);

CREATE TABLE organizations (
    name TEXT PRIMARY KEY,
    description TEXT,
    attributes {json} NOT NULL
) {row};

CREATE TABLE organization_members (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization TEXT NOT NULL REFERENCES organizations (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, organization)
) {row};

CREATE INDEX organization_members_organization ON organization_members (organization);

-- An empty organization stands for none: a key has no nulls. The statements of the version before this one still work.
ALTER TABLE role_assignments RENAME TO role_assignments_before_0003;

CREATE TABLE role_assignments (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    organization TEXT NOT NULL DEFAULT '',
    expires_at BIGINT,
    PRIMARY KEY (user_id, role, organization)
) {row};

INSERT INTO role_assignments (user_id, role) SELECT user_id, role FROM role_assignments_before_0003;

DROP TABLE role_assignments_before_0003;

CREATE INDEX role_assignments_role ON role_assignments (role);

CREATE TABLE group_roles (
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
    organization TEXT NOT NULL DEFAULT '',
    expires_at BIGINT,
    PRIMARY KEY (group_name, role, organization)
) {row};

CREATE INDEX group_roles_role ON group_roles (role);

-- What policies may ask about a resource of the operator's applications.
CREATE TABLE objects (
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    organization TEXT NOT NULL DEFAULT '',
    attributes {json} NOT NULL,
    PRIMARY KEY (type, id)
) {row};

-- level: 1 read, 2 write, 3 delete, 4 admin.
CREATE TABLE user_levels (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    level BIGINT NOT NULL,
    PRIMARY KEY (user_id, type, id)
) {row};

CREATE TABLE group_levels (
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    level BIGINT NOT NULL,
    PRIMARY KEY (group_name, type, id)
) {row};

-- By scope: the permission that a person needs to give it. Null: none.
ALTER TABLE resources ADD COLUMN scope_permissions {json};

-- policy: roles, groups and policies. facts: what is known of people and resources.
INSERT INTO changes (topic, version) VALUES ('policy', 0), ('facts', 0);

-- The built-in administrator is an ordinary role. Signet's own administration is the resource type signet.
INSERT INTO roles (name, description) VALUES ('admin', 'May do everything') ON CONFLICT DO NOTHING;
INSERT INTO role_permissions (role, permission) VALUES ('admin', 'signet:*') ON CONFLICT DO NOTHING;
