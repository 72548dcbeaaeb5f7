-- What people are told, and what keeps alerts quiet. Times are milliseconds since the Unix epoch.

-- Messages in the order in which they were decided. `lane` is a group and one means of a receiver: within it the order is
-- kept. `body` holds no keys and goes once the message is delivered.
CREATE TABLE deliveries (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    receiver   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    place      INTEGER NOT NULL, -- of the means within the receiver
    lane       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    done_at    INTEGER,
    status     INTEGER, -- of HTTP, at the last try
    error      TEXT     -- of the last try
) STRICT;

CREATE INDEX deliveries_by_state ON deliveries (state, seq);

-- Which alerts a message is about.
CREATE TABLE delivery_alerts (
    fingerprint TEXT NOT NULL,
    seq         INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    PRIMARY KEY (fingerprint, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_alerts_by_seq ON delivery_alerts (seq);

-- What each receiver was told of each group, as JSON.
CREATE TABLE notification_log (
    key        TEXT PRIMARY KEY NOT NULL,
    entry      TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Alerts that the notifier knows, as JSON.
CREATE TABLE known_alerts (
    fingerprint TEXT PRIMARY KEY NOT NULL,
    alert       TEXT NOT NULL,
    is_told     INTEGER NOT NULL DEFAULT 0 -- whether the webhooks were told that it fires
) STRICT, WITHOUT ROWID;

CREATE TABLE silences (
    id         TEXT PRIMARY KEY NOT NULL,
    matchers   TEXT NOT NULL,
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    comment    TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who looks after an alert; holds until the alert is over.
CREATE TABLE acknowledgements (
    fingerprint TEXT PRIMARY KEY NOT NULL,
    who         TEXT NOT NULL,
    comment     TEXT NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last event of each job that the webhooks were told of.
CREATE TABLE told_jobs (
    daemon TEXT NOT NULL,
    job    TEXT NOT NULL,
    event  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (daemon, job)
) STRICT, WITHOUT ROWID;
