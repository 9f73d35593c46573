//! Cohorts.

use super::history::Stamp;
use crate::StoreError;
use crate::connection::{Connection, on_both};
use crate::tables::{cohort_members, cohorts};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, StoreError>;

/// A cohort.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Queryable,
    Selectable,
    Insertable,
    AsChangeset,
    Serialize,
    Deserialize,
)]
#[diesel(table_name = cohorts, treat_none_as_null = true)]
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

pub(crate) async fn of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<CohortRow>> {
    on_both!(
        connection,
        cohorts::table
            .filter(cohorts::project_id.eq(project_id))
            .filter(cohorts::deleted.eq(false))
            .order(cohorts::id)
            .select(CohortRow::as_select())
            .load(connection)
    )
}

/// Inserts a cohort, or replaces the project's cohort with this id.
pub(crate) async fn put(connection: &mut Connection, row: &CohortRow, stamp: &Stamp) -> Result<()> {
    let changed = on_both!(
        connection,
        diesel::update(
            cohorts::table
                .find(row.id)
                .filter(cohorts::project_id.eq(row.project_id))
        )
        .set((row, cohorts::version.eq(cohorts::version + 1)))
        .execute(connection)
    )?;
    if changed == 0 {
        on_both!(
            connection,
            diesel::insert_into(cohorts::table)
                .values((
                    row,
                    cohorts::created_at_microseconds.eq(stamp.at),
                    cohorts::created_by.eq(&stamp.author),
                ))
                .execute(connection)
        )?;
    }
    Ok(())
}

/// Soft-deletes a cohort and forgets its members, which nobody could name any more. Returns whether there was one.
pub(crate) async fn delete(connection: &mut Connection, project_id: i64, id: i64) -> Result<bool> {
    let changed = on_both!(
        connection,
        diesel::update(
            cohorts::table
                .find(id)
                .filter(cohorts::project_id.eq(project_id))
                .filter(cohorts::deleted.eq(false))
        )
        .set((
            cohorts::deleted.eq(true),
            cohorts::version.eq(cohorts::version + 1),
        ))
        .execute(connection)
    )?;
    if changed > 0 {
        forget_members(connection, id).await?;
    }
    Ok(changed > 0)
}

/// Forgets the stored members of a cohort.
pub(crate) async fn forget_members(connection: &mut Connection, id: i64) -> Result<()> {
    on_both!(
        connection,
        diesel::delete(cohort_members::table.filter(cohort_members::cohort_id.eq(id)))
            .execute(connection)
    )
    .map(drop)
}

/// Describes a cohort.
pub(crate) async fn set_description(
    connection: &mut Connection,
    id: i64,
    description: &str,
) -> Result<()> {
    on_both!(
        connection,
        diesel::update(cohorts::table.find(id))
            .set(cohorts::description.eq(description))
            .execute(connection)
    )
    .map(drop)
}

/// Notes when a cohort's stored members were changed by hand.
pub(crate) async fn set_calculated(connection: &mut Connection, id: i64, at: i64) -> Result<()> {
    on_both!(
        connection,
        diesel::update(cohorts::table.find(id))
            .set(cohorts::calculated_at_microseconds.eq(at))
            .execute(connection)
    )
    .map(drop)
}

/// The largest id ever given, 0 when there is none.
pub(crate) async fn largest_id(connection: &mut Connection) -> Result<i64> {
    let id: Option<i64> = on_both!(
        connection,
        cohorts::table
            .select(diesel::dsl::max(cohorts::id))
            .get_result(connection)
    )?;
    Ok(id.unwrap_or(0))
}

/// The project of each of these ids that was ever given, deleted ones included.
pub(crate) async fn owners(connection: &mut Connection, ids: &[i64]) -> Result<Vec<(i64, i64)>> {
    on_both!(
        connection,
        cohorts::table
            .filter(cohorts::id.eq_any(ids))
            .select((cohorts::id, cohorts::project_id))
            .load(connection)
    )
}
