-- Changes of alerts' states. Times are milliseconds since the Unix epoch; `alert` is the alert after the change, as JSON.
CREATE TABLE alert_history (
    id     INTEGER PRIMARY KEY NOT NULL,
    at     INTEGER NOT NULL,
    source TEXT NOT NULL,
    name   TEXT NOT NULL,
    was    TEXT NOT NULL CHECK (was IN ('inactive', 'pending', 'firing')),
    state  TEXT NOT NULL CHECK (state IN ('inactive', 'pending', 'firing')),
    alert  TEXT NOT NULL
) STRICT;

CREATE INDEX alert_history_by_time ON alert_history (at);
