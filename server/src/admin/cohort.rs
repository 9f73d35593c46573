//! Cohorts as the admin API reads and shows them (section 9.3).

use super::members::{MAX_ENTRIES, Members, expected, required};
use super::person::parse_id;
use super::project::AuthorResponse;
use super::{Definitions, cohort_filters, raw, time};
use crate::error::{AdminError, Invalid};
use crate::project_file::{Node, Value};
use burgee_schema::models::{CohortRecord, CohortRow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// How long texts may be, in characters.
const MAX_NAME: usize = 400;
const MAX_DESCRIPTION: usize = 1_000;

/// What is written of a cohort; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub struct CohortRequest {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who is in it, by properties.
    pub(crate) filters: Option<Node>,
    /// Whether who is in it is a stored list.
    pub is_static: Option<bool>,
    /// Hides it everywhere; its stored list is forgotten. False brings it back, without members.
    pub deleted: Option<bool>,
    /// The version that was read: if there is a newer one, nothing is written.
    pub version: Option<i64>,
    /// Persons to begin with, at creation: their ids.
    pub static_person_ids: PersonIds,
}

/// Persons as people name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonIds {
    /// Those that may exist.
    pub ids: Vec<i64>,
    /// How many names can be nobody's.
    pub unknown: usize,
}

impl PersonIds {
    /// Reads a member that is a list of UUIDs or numbers; `None` when it is absent.
    pub fn read(body: &Members, name: &str) -> Result<Option<Self>, Invalid> {
        let Some(items) = body.list(name, MAX_ENTRIES)? else {
            return Ok(None);
        };
        let mut read = Self::default();
        for (index, item) in items.iter().enumerate() {
            let id = match &item.value {
                Value::Text(text) => parse_id(text),
                Value::Number(text) => text.parse().ok().filter(|id| *id > 0),
                other => {
                    let attr = format!("{name}__{index}");
                    return Err(expected(&attr, "the id of a person", other));
                }
            };
            match id {
                Some(id) => read.ids.push(id),
                None => read.unknown += 1,
            }
        }
        read.ids.sort_unstable();
        read.ids.dedup();
        Ok(Some(read))
    }
}

impl CohortRequest {
    /// Reads a body.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let body = Members::parse(text)?;
        Self::read(&body)
    }

    /// Reads the members of a body.
    pub fn read(body: &Members) -> Result<Self, Invalid> {
        let description = body.nullable_text("description", MAX_DESCRIPTION)?;
        let persons = PersonIds::read(body, "_create_static_person_ids")?;
        Ok(Self {
            name: body.text("name", MAX_NAME)?,
            description: description.map(Option::unwrap_or_default),
            filters: body.object("filters")?.cloned(),
            is_static: body.switch("is_static")?,
            deleted: body.switch("deleted")?,
            version: body.integer("version")?,
            static_person_ids: persons.unwrap_or_default(),
        })
    }

    /// Makes a new cohort of it.
    pub fn create(
        self,
        id: i64,
        project_id: i64,
        definitions: &Definitions,
    ) -> Result<CohortChange, AdminError> {
        if self.name.is_none() {
            return Err(required("name").into());
        }
        let is_static = self.is_static == Some(true);
        if !is_static && self.filters.is_none() {
            return Err(required("filters").into());
        }
        if !is_static && self.static_person_ids != PersonIds::default() {
            let detail = "Only a static cohort has stored members.";
            return Err(Invalid::input("_create_static_person_ids", detail).into());
        }
        let blank = CohortRow {
            id,
            project_id,
            name: None,
            deleted: false,
            is_static: false,
            filters: None,
            groups: None,
            cohort_type: None,
            condition_type: None,
        };
        let mut change = self.apply(&blank, None, definitions)?;
        change.is_changed = true;
        Ok(change)
    }

    /// Changes a cohort.
    pub fn update(
        self,
        old: &CohortRecord,
        definitions: &Definitions,
    ) -> Result<CohortChange, AdminError> {
        if self.version.is_some_and(|read| read < old.version) {
            return Err(AdminError::Conflict);
        }
        self.apply(&old.cohort, old.description.as_deref(), definitions)
    }

    fn apply(
        self,
        old: &CohortRow,
        old_description: Option<&str>,
        definitions: &Definitions,
    ) -> Result<CohortChange, AdminError> {
        let mut row = old.clone();
        if let Some(name) = self.name {
            if name.trim().is_empty() {
                return Err(Invalid::new("name", "blank", "This field may not be blank.").into());
            }
            row.name = Some(name);
        }
        row.is_static = self.is_static.unwrap_or(row.is_static);
        row.deleted = self.deleted.unwrap_or(row.deleted);
        if let Some(filters) = self.filters {
            // A static cohort's are kept, but mean nothing.
            if !row.is_static {
                cohort_filters::check(&filters, definitions)?;
            }
            row.filters = Some(filters.to_json());
            row.groups = None;
        }
        let description = self.description;
        let description = description.filter(|new| Some(new.as_str()) != old_description);
        let is_changed = row != *old || description.is_some();
        if is_changed {
            check(&row, definitions)?;
        }
        Ok(CohortChange {
            row,
            description,
            is_changed,
        })
    }
}

/// Checks what a cohort would do to those that use it.
fn check(row: &CohortRow, definitions: &Definitions) -> Result<(), Invalid> {
    let user = definitions.user_of(row.id);
    if row.deleted
        && let Some(user) = user
    {
        let detail = format!("The flag `{user}` uses this cohort.");
        return Err(Invalid::input("deleted", detail));
    }
    definitions.check_cohort(row)?;
    let Some(user) = user else { return Ok(()) };
    let mut after = definitions.clone();
    after.cohorts.retain(|other| other.id != row.id);
    after.cohorts.push(row.clone());
    if after.is_behavioral(row.id) && !definitions.is_behavioral(row.id) {
        let detail = format!(
            "Conditions on what people did cannot be evaluated here, and the flag `{user}` uses this cohort."
        );
        return Err(Invalid::new("filters", "behavioral_cohort_found", detail));
    }
    Ok(())
}

/// A cohort as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortChange {
    /// The cohort.
    pub row: CohortRow,
    /// Its description, unless it stays as it is.
    pub description: Option<String>,
    /// Whether there is anything to write.
    pub is_changed: bool,
}

/// A cohort.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Cohort)]
pub struct CohortResponse {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who is in it, by properties.
    #[schema(value_type = Option<serde_json::Value>, required)]
    pub filters: Option<Box<RawValue>>,
    /// The older form of the same; read only.
    #[schema(value_type = serde_json::Value)]
    pub groups: Box<RawValue>,
    /// Whether it is hidden everywhere.
    pub deleted: bool,
    /// Whether who is in it is a stored list.
    pub is_static: bool,
    /// How many persons the stored list has; null for a cohort by properties.
    #[schema(required)]
    pub count: Option<i64>,
    /// Always false.
    pub is_calculating: bool,
    /// Grows by one with each change of the definition.
    pub version: i64,
    /// When it was created, RFC 3339.
    #[schema(required)]
    pub created_at: Option<String>,
    /// Who created it.
    #[schema(required)]
    pub created_by: Option<AuthorResponse>,
    /// When its stored list was last changed by hand, RFC 3339.
    #[schema(required)]
    pub last_calculation: Option<String>,
    /// Always 0.
    pub errors_calculating: u8,
    /// What kind of cohort it is, where that was written.
    #[schema(required)]
    pub cohort_type: Option<String>,
    /// Always empty.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub experiment_set: [(); 0],
    /// What became of the persons that this request named; absent when it named none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub import: Option<ImportResponse>,
}

/// What became of persons that were named to be members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = CohortImport)]
pub struct ImportResponse {
    /// How many names there were.
    pub received: u64,
    /// How many persons are members now that were not.
    pub added: u64,
    /// How many names are nobody's.
    pub unknown: u64,
}

impl CohortResponse {
    /// Shows a cohort. `count` is how many stored members it has.
    pub fn new(record: CohortRecord, count: i64) -> Self {
        let cohort = record.cohort;
        Self {
            id: cohort.id,
            name: cohort.name.unwrap_or_default(),
            description: record.description.unwrap_or_default(),
            filters: cohort.filters.map(raw),
            groups: raw(cohort.groups.unwrap_or_else(|| "[]".to_owned())),
            deleted: cohort.deleted,
            is_static: cohort.is_static,
            count: cohort.is_static.then_some(count),
            is_calculating: false,
            version: record.version,
            created_at: time(record.created_at_microseconds),
            created_by: record.created_by.as_deref().map(AuthorResponse::new),
            last_calculation: time(record.calculated_at_microseconds),
            errors_calculating: 0,
            cohort_type: cohort.cohort_type,
            experiment_set: [],
            import: None,
        }
    }

    /// Says what became of the persons that the request named.
    pub fn importing(mut self, import: Option<ImportResponse>) -> Self {
        self.import = import;
        self
    }
}

/// Persons to make members of a static cohort.
#[derive(Debug, Clone)]
pub struct AddPersonsRequest {
    /// Their ids.
    pub person_ids: PersonIds,
}

impl AddPersonsRequest {
    /// Reads a body.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let body = Members::parse(text)?;
        let person_ids = PersonIds::read(&body, "person_ids")?;
        let person_ids = person_ids.ok_or_else(|| required("person_ids"))?;
        Ok(Self { person_ids })
    }
}

/// A person whose membership ends.
#[derive(Debug, Clone)]
pub struct RemovePersonRequest {
    /// Its id; `None` when what was written can be nobody's.
    pub person_id: Option<i64>,
}

impl RemovePersonRequest {
    /// Reads a body.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let body = Members::parse(text)?;
        let person_id = match body.get("person_id").map(|node| &node.value) {
            None | Some(Value::Null) => return Err(required("person_id")),
            Some(Value::Text(text)) => parse_id(text),
            Some(Value::Number(text)) => text.parse().ok(),
            Some(other) => return Err(expected("person_id", "the id of a person", other)),
        };
        Ok(Self { person_id })
    }
}

/// What became of a change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CohortMembers)]
pub struct MembersResponse {
    /// Always true.
    pub success: bool,
    /// How many memberships began or ended.
    pub changed: u64,
    /// How many names are nobody's.
    pub unknown: u64,
}

#[cfg(test)]
mod tests;
