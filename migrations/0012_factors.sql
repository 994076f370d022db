-- What an account can prove itself with: one row for each factor. The password is one of them; its id is the user's
-- own id, because a user has at most one.
--
-- users.password_hash is the same password in the place where the version before this one reads and writes it. While
-- both versions run side by side, this version writes both places and believes the column where it is set: only the
-- column is sure to hold what either version wrote last. The version after this one copies once more what differs,
-- reads rows alone and still writes both. The version after that no longer names the column, and the next drops it.
CREATE TABLE factors (
    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id {uuid} NOT NULL,
    kind TEXT NOT NULL,
    verifier TEXT NOT NULL,
    PRIMARY KEY (user_id, id)
) {row};

INSERT INTO factors (user_id, id, kind, verifier)
    SELECT id, id, 'password', password_hash FROM users WHERE password_hash IS NOT NULL;
