-- What a session is recognised by, and when it was used last. Those of before count as used now, so that an update ends none.
ALTER TABLE sessions ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';
UPDATE sessions SET used_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
