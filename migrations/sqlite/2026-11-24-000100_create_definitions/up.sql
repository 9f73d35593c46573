-- What evaluation needs to know before anybody asks. JSON is TEXT, as in Postgres: `5` and `5.0` are different values
-- here, and nothing in the database may rewrite them.

-- A tenant. Ids are chosen by the writer, so that an export can be applied elsewhere.
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    -- The public token that SDKs send.
    token TEXT NOT NULL UNIQUE,
    -- IANA name; null is UTC.
    timezone TEXT,
    property_matching_version INTEGER
);

-- Name and index of each group type of a project.
CREATE TABLE group_types (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    group_type_index SMALLINT NOT NULL CHECK (group_type_index BETWEEN 0 AND 4),
    name TEXT NOT NULL,
    PRIMARY KEY (project_id, group_type_index),
    UNIQUE (project_id, name)
);

-- Flags. Ids are unique over all projects because dependencies refer to them.
CREATE TABLE flags (
    id INTEGER PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    name TEXT,
    -- JSON object, as it was written.
    filters TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    archived BOOLEAN NOT NULL,
    -- Soft-deleted: its key may be used again, its id may not.
    deleted BOOLEAN NOT NULL,
    ensure_experience_continuity BOOLEAN NOT NULL,
    -- Grows by one with each change.
    version BIGINT NOT NULL,
    evaluation_runtime TEXT,
    -- JSON list of texts.
    evaluation_contexts TEXT,
    bucketing_identifier TEXT,
    has_experiment BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX flags_key ON flags (project_id, key) WHERE NOT deleted;
CREATE INDEX flags_project ON flags (project_id);

-- Cohorts: a stored list of members when static, otherwise a condition.
CREATE TABLE cohorts (
    id INTEGER PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT,
    deleted BOOLEAN NOT NULL,
    is_static BOOLEAN NOT NULL,
    -- JSON object, as it was written.
    filters TEXT,
    -- JSON list: the legacy form of a condition.
    groups TEXT,
    cohort_type TEXT,
    condition_type TEXT,
    UNIQUE (project_id, id)
);

-- Who may read definitions. Only digests are stored: sha256: and 64 hexadecimal digits.
CREATE TABLE secret_tokens (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX secret_tokens_project ON secret_tokens (project_id);

-- Keys for the admin API. Only digests are stored.
CREATE TABLE personal_keys (
    project_id BIGINT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    -- JSON list of texts.
    scopes TEXT NOT NULL,
    PRIMARY KEY (project_id, label)
);

-- What changed, in commit order: rows are only inserted under a lock that is held until commit. No foreign key:
-- the news of a project outlive it.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('project', 'flag', 'cohort', 'cohort_members', 'person', 'group', 'hash_keys', 'keys')
    ),
    -- Which one; empty when there were too many to name.
    object TEXT NOT NULL
);
CREATE INDEX changes_project ON changes (project_id);
