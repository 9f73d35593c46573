-- What is read while somebody asks. Every child row carries its project and refers to (project, id), so that no
-- row can hang on another tenant's person or cohort.

-- Persons; the ids they go by are in person_distinct_ids.
CREATE TABLE persons (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    -- JSON object, as it was written.
    properties TEXT NOT NULL,
    -- Microseconds since 1970 in UTC: the same number in both databases.
    created_at_microseconds BIGINT NOT NULL,
    UNIQUE (project_id, id)
);

-- The ids a person goes by.
CREATE TABLE person_distinct_ids (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    distinct_id TEXT NOT NULL,
    person_id BIGINT NOT NULL,
    -- Their order, from 0; the first is the one shown in lists.
    position INTEGER NOT NULL,
    PRIMARY KEY (project_id, distinct_id),
    UNIQUE (person_id, position),
    FOREIGN KEY (project_id, person_id) REFERENCES persons (project_id, id) ON DELETE CASCADE
);

-- Members of static cohorts.
CREATE TABLE cohort_members (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    person_id BIGINT NOT NULL,
    cohort_id BIGINT NOT NULL,
    PRIMARY KEY (person_id, cohort_id),
    FOREIGN KEY (project_id, person_id) REFERENCES persons (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, cohort_id) REFERENCES cohorts (project_id, id) ON DELETE CASCADE
);
CREATE INDEX cohort_members_cohort ON cohort_members (project_id, cohort_id);

-- Experience continuity: what a person is hashed by, for one flag.
CREATE TABLE hash_key_overrides (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    person_id BIGINT NOT NULL,
    flag_key TEXT NOT NULL,
    hash_key TEXT NOT NULL,
    PRIMARY KEY (person_id, flag_key),
    FOREIGN KEY (project_id, person_id) REFERENCES persons (project_id, id) ON DELETE CASCADE
);
CREATE INDEX hash_key_overrides_project ON hash_key_overrides (project_id);

-- Groups: organizations, companies, …
CREATE TABLE groups (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    group_type_index SMALLINT NOT NULL CHECK (group_type_index BETWEEN 0 AND 4),
    key TEXT NOT NULL,
    -- JSON object, as it was written.
    properties TEXT NOT NULL,
    PRIMARY KEY (project_id, group_type_index, key)
);
