-- Matchers that every series a token reads must fulfil, as between the braces of a selector; empty for all series.
ALTER TABLE tokens ADD COLUMN matchers TEXT NOT NULL DEFAULT '';
