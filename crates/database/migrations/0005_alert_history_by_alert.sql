-- The changes of one alert in order of time: what it was at an instant is one look into this index.
ALTER TABLE alert_history ADD COLUMN fingerprint TEXT GENERATED ALWAYS AS (json_extract(alert, '$.fingerprint')) VIRTUAL;

CREATE INDEX alert_history_by_alert ON alert_history (fingerprint, at);
