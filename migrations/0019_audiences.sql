-- How access tokens for a resource server are signed; none: at+jwt, and the client's algorithm.
ALTER TABLE resources ADD COLUMN access_token_typ TEXT;
ALTER TABLE resources ADD COLUMN access_token_signing_alg TEXT;

-- By resource server: the scope that a person allowed for it. None where an older version wrote the row.
ALTER TABLE consents ADD COLUMN shares {json};

-- Since when no client and no resource server needs the key.
ALTER TABLE signing_keys ADD COLUMN unused_since BIGINT;
