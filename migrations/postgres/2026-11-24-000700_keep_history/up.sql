-- What the admin API shows of flags and cohorts beside what evaluation needs, and who changed what.

ALTER TABLE flags
    ADD COLUMN tags TEXT,
    ADD COLUMN created_at_microseconds BIGINT,
    ADD COLUMN updated_at_microseconds BIGINT,
    ADD COLUMN created_by TEXT,
    ADD COLUMN updated_by TEXT;
COMMENT ON COLUMN flags.tags IS 'JSON list of texts.';
COMMENT ON COLUMN flags.created_at_microseconds IS 'Microseconds since 1970 in UTC; null for a flag that is older than this column.';
COMMENT ON COLUMN flags.created_by IS 'The label of the personal key; null for whoever needs none.';

ALTER TABLE cohorts
    ADD COLUMN description TEXT,
    ADD COLUMN version BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN created_at_microseconds BIGINT,
    ADD COLUMN created_by TEXT,
    ADD COLUMN calculated_at_microseconds BIGINT;
COMMENT ON COLUMN cohorts.version IS 'Grows by one with each change of the definition.';
COMMENT ON COLUMN cohorts.calculated_at_microseconds IS 'When stored members were last added or removed by hand.';

ALTER TABLE changes
    ADD COLUMN item BIGINT,
    ADD COLUMN at_microseconds BIGINT,
    ADD COLUMN author TEXT,
    ADD COLUMN activity TEXT,
    ADD COLUMN old_values TEXT,
    ADD COLUMN new_values TEXT;
COMMENT ON COLUMN changes.item IS 'The id of the flag, cohort or project; keys change, ids do not.';
COMMENT ON COLUMN changes.author IS 'The label of the personal key; null for whoever needs none.';
COMMENT ON COLUMN changes.activity IS 'created, updated or deleted; null for what is not part of the history that people read.';
COMMENT ON COLUMN changes.old_values IS 'JSON object: the members that changed, as they were.';
COMMENT ON COLUMN changes.new_values IS 'JSON object: the same members, as they are since.';
CREATE INDEX changes_activity ON changes (project_id, sequence) WHERE activity IS NOT NULL;
CREATE INDEX changes_item ON changes (project_id, kind, item, sequence) WHERE activity IS NOT NULL;
