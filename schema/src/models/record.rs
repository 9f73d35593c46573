//! Flags and cohorts as people read them: with what evaluation has no use for.

use super::{CohortRow, FlagRow};
use crate::StoreError;
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use crate::tables::{cohorts, flag_details, flags};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;

type Result<T> = std::result::Result<T, StoreError>;

/// A flag with its history's ends and its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagRecord {
    /// The flag.
    pub flag: FlagRow,
    /// What only people read of it.
    pub details: FlagDetails,
}

/// What only people read of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Queryable, Selectable)]
#[diesel(table_name = flag_details)]
pub struct FlagDetails {
    /// The flag's id.
    pub id: i32,
    /// JSON list of texts.
    pub tags: Option<String>,
    /// In microseconds since 1970; `None` when it is older than this record.
    pub created_at_microseconds: Option<i64>,
    /// In microseconds since 1970.
    pub updated_at_microseconds: Option<i64>,
    /// The label of a personal key.
    pub created_by: Option<String>,
    /// The label of a personal key.
    pub updated_by: Option<String>,
}

/// A cohort with its history's ends and its description.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = cohorts)]
pub struct CohortRecord {
    /// The cohort.
    #[diesel(embed)]
    pub cohort: CohortRow,
    /// What it is for.
    pub description: Option<String>,
    /// Grows by one with each change of the definition.
    pub version: i64,
    /// In microseconds since 1970; `None` when it is older than this record.
    pub created_at_microseconds: Option<i64>,
    /// The label of a personal key.
    pub created_by: Option<String>,
    /// When members were last added or removed by hand, in microseconds since 1970.
    pub calculated_at_microseconds: Option<i64>,
}

/// A project's flag, deleted or not.
pub(crate) async fn flag(
    connection: &mut Connection,
    project_id: i64,
    id: i32,
) -> Result<Option<FlagRecord>> {
    let flag: Option<FlagRow> = on_both!(connection, async {
        flags::table
            .find(id)
            .filter(flags::project_id.eq(project_id))
            .select(FlagRow::as_select())
            .first(connection)
            .await
            .optional()
    })?;
    let Some(flag) = flag else {
        return Ok(None);
    };
    let details = on_both!(
        connection,
        flag_details::table
            .find(id)
            .select(FlagDetails::as_select())
            .first(connection)
    )?;
    Ok(Some(FlagRecord { flag, details }))
}

/// A project's flags that are not deleted, by id.
pub(crate) async fn flags(connection: &mut Connection, project_id: i64) -> Result<Vec<FlagRecord>> {
    let flags: Vec<FlagRow> = on_both!(
        connection,
        flags::table
            .filter(flags::project_id.eq(project_id))
            .filter(flags::deleted.eq(false))
            .order(flags::id)
            .select(FlagRow::as_select())
            .load(connection)
    )?;
    let details: Vec<FlagDetails> = on_both!(
        connection,
        flag_details::table
            .filter(flag_details::project_id.eq(project_id))
            .select(FlagDetails::as_select())
            .load(connection)
    )?;
    let mut details: HashMap<i32, FlagDetails> =
        details.into_iter().map(|row| (row.id, row)).collect();
    let record = |flag: FlagRow| FlagRecord {
        // A flag that was created between the two questions has none yet.
        details: details.remove(&flag.id).unwrap_or_default(),
        flag,
    };
    Ok(flags.into_iter().map(record).collect())
}

/// A project's cohort, deleted or not.
pub(crate) async fn cohort(
    connection: &mut Connection,
    project_id: i64,
    id: i64,
) -> Result<Option<CohortRecord>> {
    on_both!(connection, async {
        cohorts::table
            .find(id)
            .filter(cohorts::project_id.eq(project_id))
            .select(CohortRecord::as_select())
            .first(connection)
            .await
            .optional()
    })
}

/// A project's cohorts that are not deleted, by id.
pub(crate) async fn cohorts(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<CohortRecord>> {
    on_both!(
        connection,
        cohorts::table
            .filter(cohorts::project_id.eq(project_id))
            .filter(cohorts::deleted.eq(false))
            .order(cohorts::id)
            .select(CohortRecord::as_select())
            .load(connection)
    )
}

struct LastCalls;

impl Statement for LastCalls {
    type Answer = (Text, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id"];
    const BEFORE: &'static str = "SELECT c.flag_key, max(c.last_called_at_microseconds) FROM";
    const AFTER: &'static str =
        "CROSS JOIN flag_calls c WHERE c.project_id = k.project_id GROUP BY c.flag_key";
}

/// When SDKs last said of each of a project's flags that they had asked for it, in microseconds since 1970, by key.
pub(crate) async fn last_calls(
    connection: &mut Connection,
    project_id: i64,
) -> Result<HashMap<String, i64>> {
    let batch: Batch<LastCalls> = Batch::new(vec![Column::BigInt(vec![project_id])]);
    let rows: Vec<(String, i64)> = on_both!(connection, batch.load(connection))?;
    Ok(rows.into_iter().collect())
}

struct MemberCounts;

impl Statement for MemberCounts {
    type Answer = (BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "cohort_id"];
    const BEFORE: &'static str = "SELECT m.cohort_id, count(*) FROM";
    const AFTER: &'static str = "CROSS JOIN cohort_members m \
        WHERE m.project_id = k.project_id AND m.cohort_id = k.cohort_id GROUP BY m.cohort_id";
}

/// How many stored members some cohorts of a project have; those without any are missing.
pub(crate) async fn member_counts(
    connection: &mut Connection,
    project_id: i64,
    cohort_ids: Vec<i64>,
) -> Result<HashMap<i64, i64>> {
    let batch: Batch<MemberCounts> = Batch::new(vec![
        Column::BigInt(vec![project_id; cohort_ids.len()]),
        Column::BigInt(cohort_ids),
    ]);
    if batch.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i64)> = on_both!(connection, batch.load(connection))?;
    Ok(rows.into_iter().collect())
}
