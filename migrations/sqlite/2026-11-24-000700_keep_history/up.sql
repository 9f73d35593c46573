-- What the admin API shows of flags and cohorts beside what evaluation needs, and who changed what.

-- JSON list of texts.
ALTER TABLE flags ADD COLUMN tags TEXT;
-- Microseconds since 1970 in UTC; null for a flag that is older than this column.
ALTER TABLE flags ADD COLUMN created_at_microseconds BIGINT;
ALTER TABLE flags ADD COLUMN updated_at_microseconds BIGINT;
-- The label of the personal key; null for whoever needs none.
ALTER TABLE flags ADD COLUMN created_by TEXT;
ALTER TABLE flags ADD COLUMN updated_by TEXT;

ALTER TABLE cohorts ADD COLUMN description TEXT;
-- Grows by one with each change of the definition.
ALTER TABLE cohorts ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE cohorts ADD COLUMN created_at_microseconds BIGINT;
ALTER TABLE cohorts ADD COLUMN created_by TEXT;
-- When stored members were last added or removed by hand.
ALTER TABLE cohorts ADD COLUMN calculated_at_microseconds BIGINT;

-- The id of the flag, cohort or project; keys change, ids do not.
ALTER TABLE changes ADD COLUMN item BIGINT;
ALTER TABLE changes ADD COLUMN at_microseconds BIGINT;
-- The label of the personal key; null for whoever needs none.
ALTER TABLE changes ADD COLUMN author TEXT;
-- created, updated or deleted; null for what is not part of the history that people read.
ALTER TABLE changes ADD COLUMN activity TEXT;
-- JSON objects: the members that changed, as they were and as they are since.
ALTER TABLE changes ADD COLUMN old_values TEXT;
ALTER TABLE changes ADD COLUMN new_values TEXT;
CREATE INDEX changes_activity ON changes (project_id, sequence) WHERE activity IS NOT NULL;
CREATE INDEX changes_item ON changes (project_id, kind, item, sequence) WHERE activity IS NOT NULL;
