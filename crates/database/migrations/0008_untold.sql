-- What a message changed in `notification_log`, to be taken back if the message is given up: the key, when, and what was there before.
-- `log_before` is JSON and goes once the message is delivered or given up.
ALTER TABLE deliveries ADD COLUMN log_key TEXT;
ALTER TABLE deliveries ADD COLUMN logged_at INTEGER;
ALTER TABLE deliveries ADD COLUMN log_before TEXT;

CREATE INDEX deliveries_by_log_key ON deliveries (log_key) WHERE log_key IS NOT NULL;
