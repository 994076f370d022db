-- Which roles, groups, organizations and policies were changed by which version of the topic "policy" in changes, so that
-- instances read these alone. The newest thousand versions are kept. The version before this one raises the topic and
-- writes nothing here: whoever misses a version here reads everything.
CREATE TABLE policy_changes (
    version BIGINT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted {bool} NOT NULL,
    PRIMARY KEY (version, kind, name)
) {row};
