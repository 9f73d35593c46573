ALTER TABLE flags DROP COLUMN is_remote_configuration;
