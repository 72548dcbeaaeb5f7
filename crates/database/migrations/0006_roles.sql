-- Which roles there are is for the program to say: a new one shall need no other table. A rule of a table cannot be taken back, and to
-- drop the tokens would end their sessions, so both are copied.
ALTER TABLE tokens RENAME TO tokens_before;

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    dashboards TEXT NOT NULL DEFAULT '', -- uids, separated by commas; empty for no limit
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    matchers   TEXT NOT NULL DEFAULT ''
) STRICT;

INSERT INTO tokens (id, name, role, hash, dashboards, created_at, expires_at, revoked_at, matchers)
SELECT id, name, role, hash, dashboards, created_at, expires_at, revoked_at, matchers FROM tokens_before;

CREATE TABLE sessions_now (
    hash       BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    token_id   TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO sessions_now (hash, token_id, created_at, expires_at)
SELECT hash, token_id, created_at, expires_at FROM sessions;

DROP TABLE sessions;
DROP TABLE tokens_before;
ALTER TABLE sessions_now RENAME TO sessions;
CREATE INDEX sessions_by_token ON sessions (token_id, created_at);
