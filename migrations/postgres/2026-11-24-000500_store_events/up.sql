-- Events that change people.

ALTER TABLE persons ADD COLUMN is_identified BOOLEAN NOT NULL DEFAULT FALSE;
COMMENT ON COLUMN persons.is_identified IS
    'An event has said who it is: it is not merged into another person any more, unless that is asked for expressly.';

-- Room on each page for the next version of a row, which then needs no new entries in the indexes.
ALTER TABLE persons SET (fillfactor = 85);

CREATE TABLE event_ids (
    project_id BIGINT NOT NULL,
    high BIGINT NOT NULL,
    low BIGINT NOT NULL,
    seen_at_seconds BIGINT NOT NULL,
    PRIMARY KEY (project_id, high, low)
);
COMMENT ON TABLE event_ids IS
    'The events that were stored lately, so that none is applied twice. Old rows are trimmed; no foreign key, because rows are short-lived and many.';
COMMENT ON COLUMN event_ids.high IS 'The first half of the 128 bits of an event''s uuid, or of the digest of what was sent instead of one.';
COMMENT ON COLUMN event_ids.low IS 'The second half.';
COMMENT ON COLUMN event_ids.seen_at_seconds IS 'Seconds since 1970 in UTC.';
CREATE INDEX event_ids_seen ON event_ids (seen_at_seconds);

CREATE TABLE flag_calls (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    flag_key TEXT NOT NULL,
    value TEXT NOT NULL,
    calls BIGINT NOT NULL,
    last_called_at_microseconds BIGINT NOT NULL,
    PRIMARY KEY (project_id, flag_key, value)
);
COMMENT ON TABLE flag_calls IS 'How often SDKs said that a flag had a value, and when last. Counted in memory and added up here.';
COMMENT ON COLUMN flag_calls.value IS 'JSON: a variant''s key in quotes, true, false or null.';
COMMENT ON COLUMN flag_calls.last_called_at_microseconds IS 'Microseconds since 1970 in UTC, by the server''s clock.';
