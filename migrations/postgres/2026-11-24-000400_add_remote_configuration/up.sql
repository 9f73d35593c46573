ALTER TABLE flags ADD COLUMN is_remote_configuration BOOLEAN NOT NULL DEFAULT FALSE;
COMMENT ON COLUMN flags.is_remote_configuration IS 'Whether it is asked for its payload alone.';
