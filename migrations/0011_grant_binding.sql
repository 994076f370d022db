-- The key that a grant is bound to, as `cnf` names it (RFC 7800); NULL: no key.
ALTER TABLE grants ADD COLUMN binding TEXT;
