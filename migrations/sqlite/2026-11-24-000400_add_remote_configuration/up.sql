-- Whether it is asked for its payload alone.
ALTER TABLE flags ADD COLUMN is_remote_configuration BOOLEAN NOT NULL DEFAULT FALSE;
