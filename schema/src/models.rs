//! The rows, as the rest of the workspace sees them. JSON columns are the stored text, never re-serialised, so that
//! `5` and `5.0` stay different.

use chrono::{DateTime, Utc};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its public token, unique over all projects.
    pub token: String,
    /// IANA zone; `None` is UTC.
    pub timezone: Option<String>,
    /// 2 selects explicit boolean matching.
    pub property_matching_version: Option<i32>,
}

/// A flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagRow {
    /// Its id, unique over all projects.
    pub id: i32,
    /// Its project.
    pub project_id: i64,
    /// Its key, unique among the project's flags that are not deleted.
    pub key: String,
    /// Its display name.
    pub name: Option<String>,
    /// JSON object.
    pub filters: String,
    /// Whether it is on at all.
    pub active: bool,
    /// Archived counts as inactive.
    pub archived: bool,
    /// Soft-deleted.
    pub deleted: bool,
    /// Experience continuity.
    pub ensure_experience_continuity: bool,
    /// Grows by one with each change; written by the store.
    pub version: i64,
    /// `server`, `client`, `all`, or absent.
    pub evaluation_runtime: Option<String>,
    /// JSON list of texts.
    pub evaluation_contexts: Option<String>,
    /// `device_id`, `distinct_id`, or absent.
    pub bucketing_identifier: Option<String>,
    /// Copied to answers.
    pub has_experiment: bool,
}

/// A cohort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortRow {
    /// Its id, unique over all projects.
    pub id: i64,
    /// Its project.
    pub project_id: i64,
    /// Its name.
    pub name: Option<String>,
    /// Soft-deleted.
    pub deleted: bool,
    /// Whether membership is the stored list.
    pub is_static: bool,
    /// JSON object.
    pub filters: Option<String>,
    /// JSON list: the legacy definition.
    pub groups: Option<String>,
    /// `realtime`, `behavioral`, …
    pub cohort_type: Option<String>,
    /// Kept for export.
    pub condition_type: Option<String>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Its id.
    pub id: i64,
    /// Its project.
    pub project_id: i64,
    /// JSON object.
    pub properties: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// Its project.
    pub project_id: i64,
    /// Which type, 0 to 4.
    pub group_type_index: i16,
    /// Its key.
    pub key: String,
    /// JSON object.
    pub properties: String,
}

/// A group type: name ↔ index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTypeRow {
    /// Its project.
    pub project_id: i64,
    /// 0 to 4. Never changes once given.
    pub group_type_index: i16,
    /// Its name, case-sensitive.
    pub name: String,
}

/// A person with everything that hangs on it, as project files write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullPerson {
    /// The person. Its id is ignored when it is inserted.
    pub person: PersonRow,
    /// Its distinct ids in their order; the first is the one shown in lists.
    pub distinct_ids: Vec<String>,
    /// Static cohorts it is a member of, ascending.
    pub static_cohorts: Vec<i64>,
    /// (flag key, hash key), by flag key.
    pub hash_key_overrides: Vec<(String, String)>,
}

/// A hashed secret token of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretTokenRow {
    /// Its project.
    pub project_id: i64,
    /// `sha256:` and 64 hexadecimal digits: the fingerprint that exports show.
    pub fingerprint: String,
}

/// A hashed personal key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalKeyRow {
    /// The project it was made for.
    pub project_id: i64,
    /// What it is for; unique within the project.
    pub label: String,
    /// As in [`SecretTokenRow`].
    pub fingerprint: String,
    /// JSON list of texts.
    pub scopes: String,
}

/// Everything that evaluation needs to know about one project, read in one snapshot.
#[derive(Debug, Clone)]
pub struct DefinitionRows {
    /// The project.
    pub project: ProjectRow,
    /// Its group types, by index.
    pub group_types: Vec<GroupTypeRow>,
    /// Its flags that are not deleted, by key.
    pub flags: Vec<FlagRow>,
    /// Its cohorts that are not deleted, by id.
    pub cohorts: Vec<CohortRow>,
    /// The newest change these rows include.
    pub sequence: i64,
}

/// What one request wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The project.
    pub project_id: i64,
    /// Whose person.
    pub distinct_id: String,
    /// The anonymous id, whose overrides count too.
    pub anonymous_id: Option<String>,
    /// Whether person, memberships and groups are wanted.
    pub state: bool,
    /// (type index, key) of the groups wanted; read only with `state`.
    pub groups: Vec<(i16, String)>,
    /// Whether hash-key overrides are wanted.
    pub hash_keys: bool,
}

/// What was found for one [`Lookup`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The person of the distinct id.
    pub person: Option<FoundPerson>,
    /// (type index, properties as JSON text) of the wanted groups that exist.
    pub groups: Vec<(i16, String)>,
    /// Overrides of the persons of both ids, with whose they are.
    pub hash_keys: FoundHashKeys,
}

/// A person that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPerson {
    /// Its id.
    pub id: i64,
    /// JSON object.
    pub properties: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Static cohorts it is a member of.
    pub static_cohorts: Vec<i64>,
}

/// Stored hash keys. Which of the two wins, and what to write, is decided by the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundHashKeys {
    /// (flag key, hash key) of the distinct id's person; `None` when there is no such person.
    pub of_distinct_id: Option<Vec<(String, String)>>,
    /// The same for the anonymous id.
    pub of_anonymous_id: Option<Vec<(String, String)>>,
}

/// Hash keys to store for one request: for every existing person of either id and every flag; rows that exist stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashKeyWrite {
    /// The project.
    pub project_id: i64,
    /// The distinct id.
    pub distinct_id: String,
    /// The anonymous id, which is also the hash key that is stored.
    pub anonymous_id: String,
    /// The flags.
    pub flag_keys: Vec<String>,
}

/// What kind of thing a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Project settings, its token, group types.
    Project,
    /// A flag.
    Flag,
    /// A cohort's definition.
    Cohort,
    /// Membership of static cohorts.
    CohortMembers,
    /// A person, its properties or distinct ids.
    Person,
    /// A group.
    Group,
    /// Hash-key overrides.
    HashKeys,
    /// Secret tokens and personal keys.
    Keys,
}

/// A row of the `changes` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its place in the order of commits: a reader that has seen N will never see a smaller one appear.
    pub sequence: i64,
    /// The project.
    pub project_id: i64,
    /// What was touched.
    pub kind: ChangeKind,
    /// Which one: a flag key, a cohort id…
    pub object: String,
}

/// A migration and whether it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its folder name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}
