//! Rows → evaluation types: the one file that sees both.

use burgee_evaluation::cohort::CohortDefinition;
use burgee_evaluation::definition::{FlagDefinition, GroupTypes};
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::subject::{Properties, StoredPerson, StoredState};
use burgee_evaluation::{CohortId, FlagId, MatchingVersion};
use burgee_schema::StoreError;
use burgee_schema::models::{CohortRow, FlagRow, Found, FoundPerson, GroupTypeRow, ProjectRow};
use chrono_tz::Tz;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// Returns the project's zone; one that is not known counts as UTC.
pub(crate) fn zone(project: &ProjectRow) -> Tz {
    let Some(name) = project.timezone.as_deref() else {
        return Tz::UTC;
    };
    name.parse().unwrap_or_else(|_| {
        tracing::warn!(
            project = project.id,
            "the project's time zone is unknown; dates are read in UTC"
        );
        Tz::UTC
    })
}

/// Returns the project's rule for booleans.
pub(crate) fn matching(project: &ProjectRow) -> MatchingVersion {
    MatchingVersion::from_number(project.property_matching_version)
}

/// Returns the group-type mapping; an index that no group type can have is left out.
pub(crate) fn group_types(rows: Vec<GroupTypeRow>) -> GroupTypes {
    let types = rows
        .into_iter()
        .filter_map(|row| Some((row.name, u8::try_from(row.group_type_index).ok()?)));
    GroupTypes {
        types: types.collect(),
    }
}

/// Returns a flag's definition, or why its stored JSON is none.
pub(crate) fn flag(row: FlagRow) -> Result<FlagDefinition, serde_json::Error> {
    Ok(FlagDefinition {
        id: FlagId(row.id),
        key: row.key,
        filters: RawValue::from_string(row.filters)?,
        active: row.active,
        archived: row.archived,
        deleted: row.deleted,
        ensure_experience_continuity: Some(row.ensure_experience_continuity),
        version: Some(row.version),
        evaluation_runtime: row.evaluation_runtime,
        evaluation_contexts: row
            .evaluation_contexts
            .as_deref()
            .map(serde_json::from_str)
            .transpose()?,
        bucketing_identifier: row.bucketing_identifier,
        has_experiment: Some(row.has_experiment),
        is_remote_configuration: Some(row.is_remote_configuration),
    })
}

/// Returns a cohort's definition, or why its stored JSON is none.
pub(crate) fn cohort(row: CohortRow) -> Result<CohortDefinition, serde_json::Error> {
    Ok(CohortDefinition {
        id: CohortId(row.id),
        name: row.name,
        deleted: row.deleted,
        is_static: row.is_static,
        filters: row.filters.map(RawValue::from_string).transpose()?,
        groups: row.groups.map(RawValue::from_string).transpose()?,
    })
}

/// Returns what was stored for a request, or that it cannot be read.
pub(crate) fn stored_state(found: Found) -> Result<StoredState, serde_json::Error> {
    let groups = found
        .groups
        .into_iter()
        .filter_map(|(index, text)| Some((u8::try_from(index).ok()?, text)));
    let groups =
        groups.map(|(index, text)| Ok((index, serde_json::from_str::<Properties>(&text)?)));
    Ok(StoredState {
        person: found.person.map(person).transpose()?,
        groups: groups.collect::<Result<HashMap<_, _>, serde_json::Error>>()?,
    })
}

fn person(found: FoundPerson) -> Result<StoredPerson, serde_json::Error> {
    Ok(StoredPerson {
        properties: serde_json::from_str(&found.properties)?,
        created_at: found.created_at,
        static_cohorts: found.static_cohorts.into_iter().map(CohortId).collect(),
    })
}

/// Returns the wire code of a failed question to the database (evaluation section 8.1).
pub(crate) fn failure_code(error: &StoreError) -> FailureCode {
    match error {
        StoreError::PoolExhausted => FailureCode::NoMoreConnections,
        StoreError::Unavailable(_) => FailureCode::DatabaseUnavailable,
        StoreError::StatementTimeout => FailureCode::StatementTimeout,
        StoreError::Query(_) | StoreError::Config(_) => FailureCode::DatabaseError,
    }
}
