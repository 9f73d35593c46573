//! Flags as the admin API reads and shows them (section 9.1).

use super::members::{Members, required};
use super::project::AuthorResponse;
use super::{Definitions, filters, raw, time};
use crate::error::{AdminError, Invalid};
use crate::project_file::{Node, parse};
use burgee_schema::models::{FlagDetails, FlagRecord, FlagRow};
use serde::Serialize;
use serde_json::Number;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// How long texts may be, in characters, and lists, in entries.
const MAX_KEY: usize = 400;
const MAX_NAME: usize = 16_384;
const MAX_TAG: usize = 255;
const MAX_TAGS: usize = 100;

/// What is written of a flag; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct FlagRequest {
    /// Letters, digits, `-` and `_`; unique among flags that are not deleted.
    pub key: Option<String>,
    /// A description.
    pub name: Option<String>,
    /// Condition sets, variants, payloads.
    pub(crate) filters: Option<Node>,
    /// Whether it is on at all.
    pub active: Option<bool>,
    /// Archived flags are inactive.
    pub archived: Option<bool>,
    /// Hides it everywhere and frees its key; false brings it back.
    pub deleted: Option<bool>,
    /// The version that was read: if there is a newer one, nothing is written.
    pub version: Option<i64>,
    /// Whether a person's choice survives a login.
    pub ensure_experience_continuity: Option<bool>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// `all`, `client` or `server`.
    pub evaluation_runtime: Option<String>,
    /// Where it is evaluated; nowhere in particular when empty.
    pub evaluation_contexts: Option<Vec<String>>,
    /// Null, `distinct_id` or `device_id`.
    pub bucketing_identifier: Option<Option<String>>,
    /// Whether it is asked for its payload alone.
    pub is_remote_configuration: Option<bool>,
}

impl FlagRequest {
    /// Reads a body.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let body = Members::parse(text)?;
        let contexts = match body.get("evaluation_contexts") {
            Some(_) => "evaluation_contexts",
            None => "evaluation_tags",
        };
        let runtime = body.nullable_text("evaluation_runtime", MAX_TAG)?;
        let bucketing = body.nullable_text("bucketing_identifier", MAX_TAG)?;
        if body.switch("has_encrypted_payloads")? == Some(true) {
            return Err(Invalid::input(
                "has_encrypted_payloads",
                "This server does not encrypt payloads.",
            ));
        }
        Ok(Self {
            key: body.text("key", MAX_KEY)?,
            name: body
                .nullable_text("name", MAX_NAME)?
                .map(Option::unwrap_or_default),
            filters: body.object("filters")?.cloned(),
            active: body.switch("active")?,
            archived: body.switch("archived")?,
            deleted: body.switch("deleted")?,
            version: body.integer("version")?,
            ensure_experience_continuity: body.switch("ensure_experience_continuity")?,
            tags: body.texts("tags", MAX_TAGS, MAX_TAG)?,
            evaluation_runtime: choice(
                "evaluation_runtime",
                runtime,
                &["all", "client", "server"],
            )?
            .map(|runtime| runtime.unwrap_or_else(|| "all".to_owned())),
            evaluation_contexts: body.texts(contexts, MAX_TAGS, MAX_TAG)?,
            bucketing_identifier: choice(
                "bucketing_identifier",
                bucketing,
                &["distinct_id", "device_id"],
            )?,
            is_remote_configuration: body.switch("is_remote_configuration")?,
        })
    }

    /// Makes a new flag of it, and its tags.
    pub fn create(
        self,
        id: i32,
        project_id: i64,
        definitions: &Definitions,
    ) -> Result<FlagChange, AdminError> {
        if self.key.is_none() {
            return Err(required("key").into());
        }
        let blank = FlagRow {
            id,
            project_id,
            key: String::new(),
            name: Some(String::new()),
            filters: "{}".to_owned(),
            active: true,
            archived: false,
            deleted: false,
            ensure_experience_continuity: false,
            version: 0,
            evaluation_runtime: None,
            evaluation_contexts: None,
            bucketing_identifier: None,
            has_experiment: false,
            is_remote_configuration: false,
        };
        let old = FlagRecord {
            flag: blank,
            details: FlagDetails::default(),
        };
        let with_filters = Self {
            // Without any, it lacks a condition set.
            filters: Some(match self.filters {
                Some(filters) => filters,
                None => Members::empty(),
            }),
            ..self
        };
        with_filters.apply(&old, true, definitions)
    }

    /// Changes a flag.
    pub fn update(
        mut self,
        old: &FlagRecord,
        definitions: &Definitions,
    ) -> Result<FlagChange, AdminError> {
        if self.version.is_some_and(|read| read < old.flag.version) {
            return Err(AdminError::Conflict);
        }
        // Such filters are a part of some, and say nothing of the rest.
        self.filters = self
            .filters
            .filter(|filters| filters.get("groups").is_some());
        self.apply(old, false, definitions)
    }

    fn apply(
        self,
        old: &FlagRecord,
        is_new: bool,
        definitions: &Definitions,
    ) -> Result<FlagChange, AdminError> {
        let mut row = old.flag.clone();
        set(&mut row.key, self.key);
        check_key(&row.key)?;
        row.name = self.name.or(row.name);
        set(&mut row.active, self.active);
        set(&mut row.archived, self.archived);
        set(&mut row.deleted, self.deleted);
        set(
            &mut row.ensure_experience_continuity,
            self.ensure_experience_continuity,
        );
        set(&mut row.bucketing_identifier, self.bucketing_identifier);
        set(
            &mut row.is_remote_configuration,
            self.is_remote_configuration,
        );
        if let Some(runtime) = self.evaluation_runtime
            && runtime != runtime_of(&row)
        {
            // What is evaluated everywhere is stored without a word, as project files write it.
            row.evaluation_runtime = (runtime != "all").then_some(runtime);
        }
        if let Some(contexts) = self.evaluation_contexts
            && contexts != contexts_of(&row)
        {
            row.evaluation_contexts = (!contexts.is_empty()).then(|| list(&contexts));
        }
        let old_tags = old.details.tags.as_deref().map(texts).unwrap_or_default();
        let tags = self.tags.filter(|tags| *tags != old_tags);
        check_together(&row)?;
        if !row.deleted && definitions.has_key(&row.key, (!is_new).then_some(row.id)) {
            let detail = "There is already a feature flag with this key.";
            return Err(Invalid::new("key", "unique", detail).into());
        }
        if let Some(filters) = self.filters {
            let new = filters::check(filters, is_new, definitions)?.to_json();
            // Blanks alone are no difference.
            if !parse("flag.json", &row.filters).is_ok_and(|old| old.to_json() == new) {
                row.filters = new;
            }
        }
        let is_changed = is_new || row != old.flag || tags.is_some();
        if is_changed {
            definitions.check_flag(&row)?;
        }
        Ok(FlagChange {
            row,
            tags: tags.map(|tags| list(&tags)),
            is_changed,
        })
    }
}

/// A flag as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagChange {
    /// The flag.
    pub row: FlagRow,
    /// Its tags as a JSON list, unless they stay as they are.
    pub tags: Option<String>,
    /// Whether there is anything to write.
    pub is_changed: bool,
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn check_key(key: &str) -> Result<(), Invalid> {
    if key.is_empty() {
        return Err(Invalid::new("key", "blank", "This field may not be blank."));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.chars().all(is_allowed) {
        return Ok(());
    }
    let detail = "Only letters, numbers, hyphens (-) & underscores (_) are allowed.";
    Err(Invalid::new("key", "invalid_key", detail))
}

/// Checks what only some flags may be at once.
fn check_together(row: &FlagRow) -> Result<(), Invalid> {
    if row.archived && row.active && !row.deleted {
        let detail = "An archived flag must be inactive.";
        return Err(Invalid::input("archived", detail));
    }
    let by_device = row.bucketing_identifier.as_deref() == Some("device_id");
    if by_device && row.ensure_experience_continuity {
        return Err(Invalid::input(
            "ensure_experience_continuity",
            "A flag that goes by device_id cannot also persist across authentication.",
        ));
    }
    Ok(())
}

/// Checks that a text, if there is one, is one of some words.
fn choice(
    attr: &str,
    value: Option<Option<String>>,
    words: &[&str],
) -> Result<Option<Option<String>>, Invalid> {
    match value {
        Some(Some(word)) if !words.contains(&word.as_str()) => {
            let detail = format!("\"{word}\" is not a valid choice.");
            Err(Invalid::new(attr, "invalid_choice", detail))
        }
        value => Ok(value),
    }
}

fn runtime_of(row: &FlagRow) -> &str {
    row.evaluation_runtime.as_deref().unwrap_or("all")
}

fn contexts_of(row: &FlagRow) -> Vec<String> {
    let stored = row.evaluation_contexts.as_deref();
    stored.map(texts).unwrap_or_default()
}

fn list(texts: &[String]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}

fn texts(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

/// A flag.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Flag)]
pub struct FlagResponse {
    /// Its id.
    pub id: i32,
    /// Its description.
    pub name: String,
    /// Its key.
    pub key: String,
    /// Condition sets, variants, payloads, and what else was written.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    pub filters: Box<RawValue>,
    /// Whether it is hidden everywhere.
    pub deleted: bool,
    /// Whether it is on at all.
    pub active: bool,
    /// Whether it is archived.
    pub archived: bool,
    /// Who created it; null when it was not by a key, or is not known.
    #[schema(required)]
    pub created_by: Option<AuthorResponse>,
    /// When, RFC 3339.
    #[schema(required)]
    pub created_at: Option<String>,
    /// When it was changed last, RFC 3339.
    #[schema(required)]
    pub updated_at: Option<String>,
    /// Who changed it last.
    #[schema(required)]
    pub last_modified_by: Option<AuthorResponse>,
    /// When an SDK last said that it had asked for it, RFC 3339.
    #[schema(required)]
    pub last_called_at: Option<String>,
    /// Grows by one with each change.
    pub version: i64,
    /// Whether a person's choice survives a login.
    pub ensure_experience_continuity: bool,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// `all`, `client` or `server`.
    pub evaluation_runtime: String,
    /// Where it is evaluated; nowhere in particular when empty.
    pub evaluation_contexts: Vec<String>,
    /// The same under its older name.
    pub evaluation_tags: Vec<String>,
    /// Null, `distinct_id` or `device_id`.
    #[schema(required)]
    pub bucketing_identifier: Option<String>,
    /// Whether it is asked for its payload alone.
    pub is_remote_configuration: bool,
    /// Always false.
    pub has_encrypted_payloads: bool,
    /// The rollout percentage of the first condition set, for older readers.
    #[schema(value_type = Option<f64>, required)]
    pub rollout_percentage: Option<Number>,
    /// `ACTIVE` or `INACTIVE`.
    pub status: &'static str,
    /// Always true.
    pub can_edit: bool,
    /// Always `manager`.
    pub user_access_level: &'static str,
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub experiment_set: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub surveys: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub features: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub rollback_conditions: [(); 0],
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub analytics_dashboards: [(); 0],
    /// Always null.
    #[schema(required)]
    pub usage_dashboard: Option<i64>,
}

impl FlagResponse {
    /// Shows a flag. `last_called_at` is in microseconds since 1970.
    pub fn new(record: FlagRecord, last_called_at: Option<i64>) -> Self {
        let FlagRecord { flag, details } = record;
        let contexts = contexts_of(&flag);
        let runtime = runtime_of(&flag).to_owned();
        let is_on = flag.active && !flag.archived && !flag.deleted;
        Self {
            id: flag.id,
            name: flag.name.unwrap_or_default(),
            key: flag.key,
            rollout_percentage: rollout(&flag.filters),
            filters: raw(flag.filters),
            deleted: flag.deleted,
            active: flag.active,
            archived: flag.archived,
            created_by: details.created_by.as_deref().map(AuthorResponse::new),
            created_at: time(details.created_at_microseconds),
            updated_at: time(details.updated_at_microseconds),
            last_modified_by: details.updated_by.as_deref().map(AuthorResponse::new),
            last_called_at: time(last_called_at),
            version: flag.version,
            ensure_experience_continuity: flag.ensure_experience_continuity,
            tags: details.tags.as_deref().map(texts).unwrap_or_default(),
            evaluation_runtime: runtime,
            evaluation_tags: contexts.clone(),
            evaluation_contexts: contexts,
            bucketing_identifier: flag.bucketing_identifier,
            is_remote_configuration: flag.is_remote_configuration,
            has_encrypted_payloads: false,
            status: if is_on { "ACTIVE" } else { "INACTIVE" },
            can_edit: true,
            user_access_level: "manager",
            experiment_set: [],
            surveys: [],
            features: [],
            rollback_conditions: [],
            analytics_dashboards: [],
            usage_dashboard: None,
        }
    }
}

/// Returns the rollout percentage of the first condition set.
fn rollout(filters: &str) -> Option<Number> {
    let filters: serde_json::Value = serde_json::from_str(filters).ok()?;
    let percentage = filters.get("groups")?.get(0)?.get("rollout_percentage")?;
    percentage.as_number().cloned()
}

#[cfg(test)]
mod tests;
