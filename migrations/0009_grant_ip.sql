-- From which address the person gave it: policies that ask for context.ip are asked again when a token is made.
ALTER TABLE grants ADD COLUMN ip TEXT;
