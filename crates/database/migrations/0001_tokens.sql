-- Times are milliseconds since the Unix epoch. Hashes are SHA-256 of the secret; the secret itself is nowhere.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('ingest', 'kiosk', 'viewer', 'operator', 'admin')),
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    dashboards TEXT NOT NULL DEFAULT '', -- uids, separated by commas; empty for no limit
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    token_id   TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_token ON sessions (token_id, created_at);
