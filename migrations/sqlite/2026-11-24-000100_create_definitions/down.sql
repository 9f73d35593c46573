DROP TABLE changes;
DROP TABLE personal_keys;
DROP TABLE secret_tokens;
DROP TABLE cohorts;
DROP TABLE flags;
DROP TABLE group_types;
DROP TABLE projects;
