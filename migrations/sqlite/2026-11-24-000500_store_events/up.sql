-- Events that change people.

-- Whether an event has said who it is: it is not merged into another person any more, unless that is asked for expressly.
ALTER TABLE persons ADD COLUMN is_identified BOOLEAN NOT NULL DEFAULT FALSE;

-- The events that were stored lately, so that none is applied twice. Old rows are trimmed; no foreign key, because rows
-- are short-lived and many.
CREATE TABLE event_ids (
    project_id BIGINT NOT NULL,
    -- The two halves of the 128 bits of an event's uuid, or of the digest of what was sent instead of one.
    high BIGINT NOT NULL,
    low BIGINT NOT NULL,
    -- Seconds since 1970 in UTC.
    seen_at_seconds BIGINT NOT NULL,
    PRIMARY KEY (project_id, high, low)
) WITHOUT ROWID;
CREATE INDEX event_ids_seen ON event_ids (seen_at_seconds);

-- How often SDKs said that a flag had a value, and when last. Counted in memory and added up here.
CREATE TABLE flag_calls (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    flag_key TEXT NOT NULL,
    -- JSON: a variant's key in quotes, true, false or null.
    value TEXT NOT NULL,
    calls BIGINT NOT NULL,
    -- Microseconds since 1970 in UTC, by the server's clock.
    last_called_at_microseconds BIGINT NOT NULL,
    PRIMARY KEY (project_id, flag_key, value)
);
