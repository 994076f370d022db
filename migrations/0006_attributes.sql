-- What policies may ask about, and of which type it is.

-- of: user, group, organization, client, or a resource type. type: src/domain/policy/attributes.rs.
CREATE TABLE attribute_types (
    of_kind TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    required {bool} NOT NULL,
    PRIMARY KEY (of_kind, name)
) {row};

-- What a resource server wants to read in its access tokens. Null: nothing.
ALTER TABLE resources ADD COLUMN access_token_claims {json};

-- Lists of assignments by organization.
CREATE INDEX role_assignments_organization ON role_assignments (organization);
