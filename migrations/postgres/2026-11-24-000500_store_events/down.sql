DROP TABLE flag_calls;
DROP TABLE event_ids;
ALTER TABLE persons RESET (fillfactor);
ALTER TABLE persons DROP COLUMN is_identified;
