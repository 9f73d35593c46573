//! Flags.

use super::history::Stamp;
use crate::StoreError;
use crate::connection::{Connection, on_both};
use crate::tables::{flag_details, flags};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, StoreError>;

/// A flag.
#[derive(
    Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, Serialize, Deserialize,
)]
#[diesel(table_name = flags)]
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
    /// Whether it is asked for its payload alone.
    #[serde(default)]
    pub is_remote_configuration: bool,
}

pub(crate) async fn of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<FlagRow>> {
    let mut rows: Vec<FlagRow> = on_both!(
        connection,
        flags::table
            .filter(flags::project_id.eq(project_id))
            .filter(flags::deleted.eq(false))
            .select(FlagRow::as_select())
            .load(connection)
    )?;
    // Not by the database: Postgres sorts texts by its own locale, and exports would differ.
    rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(rows)
}

/// Inserts a flag, or replaces the project's flag with this id. Another project's flag is never touched: its id is
/// taken, and the insertion fails.
pub(crate) async fn put(connection: &mut Connection, row: &FlagRow, stamp: &Stamp) -> Result<()> {
    let changed = on_both!(
        connection,
        diesel::update(
            flags::table
                .find(row.id)
                .filter(flags::project_id.eq(row.project_id))
        )
        .set((
            flags::key.eq(&row.key),
            flags::name.eq(&row.name),
            flags::filters.eq(&row.filters),
            flags::active.eq(row.active),
            flags::archived.eq(row.archived),
            flags::deleted.eq(row.deleted),
            flags::ensure_experience_continuity.eq(row.ensure_experience_continuity),
            flags::version.eq(flags::version + 1),
            flags::evaluation_runtime.eq(&row.evaluation_runtime),
            flags::evaluation_contexts.eq(&row.evaluation_contexts),
            flags::bucketing_identifier.eq(&row.bucketing_identifier),
            flags::has_experiment.eq(row.has_experiment),
            flags::is_remote_configuration.eq(row.is_remote_configuration),
        ))
        .execute(connection)
    )?;
    if changed == 0 {
        let new = FlagRow {
            version: 1,
            ..row.clone()
        };
        on_both!(
            connection,
            diesel::insert_into(flags::table)
                .values(&new)
                .execute(connection)
        )?;
        on_both!(
            connection,
            diesel::update(flag_details::table.find(row.id))
                .set((
                    flag_details::created_at_microseconds.eq(stamp.at),
                    flag_details::created_by.eq(&stamp.author),
                ))
                .execute(connection)
        )?;
    }
    touch(connection, row.id, stamp).await
}

/// Notes when and for whom a flag was changed.
async fn touch(connection: &mut Connection, id: i32, stamp: &Stamp) -> Result<()> {
    on_both!(
        connection,
        diesel::update(flag_details::table.find(id))
            .set((
                flag_details::updated_at_microseconds.eq(stamp.at),
                flag_details::updated_by.eq(&stamp.author),
            ))
            .execute(connection)
    )
    .map(drop)
}

/// Soft-deletes a flag; returns its key when there was one.
pub(crate) async fn delete(
    connection: &mut Connection,
    project_id: i64,
    id: i32,
    stamp: &Stamp,
) -> Result<Option<String>> {
    let deleted: Option<String> = on_both!(connection, async {
        diesel::update(
            flags::table
                .find(id)
                .filter(flags::project_id.eq(project_id))
                .filter(flags::deleted.eq(false)),
        )
        .set((
            flags::deleted.eq(true),
            flags::version.eq(flags::version + 1),
        ))
        .returning(flags::key)
        .get_result(connection)
        .await
        .optional()
    })?;
    if deleted.is_some() {
        touch(connection, id, stamp).await?;
    }
    Ok(deleted)
}

/// Gives a flag its tags, a JSON list of texts.
pub(crate) async fn set_tags(connection: &mut Connection, id: i32, tags: &str) -> Result<()> {
    on_both!(
        connection,
        diesel::update(flag_details::table.find(id))
            .set(flag_details::tags.eq(tags))
            .execute(connection)
    )
    .map(drop)
}

/// The largest id ever given, 0 when there is none.
pub(crate) async fn largest_id(connection: &mut Connection) -> Result<i32> {
    let id: Option<i32> = on_both!(
        connection,
        flags::table
            .select(diesel::dsl::max(flags::id))
            .get_result(connection)
    )?;
    Ok(id.unwrap_or(0))
}

/// The project of each of these ids that was ever given, deleted ones included.
pub(crate) async fn owners(connection: &mut Connection, ids: &[i32]) -> Result<Vec<(i32, i64)>> {
    on_both!(
        connection,
        flags::table
            .filter(flags::id.eq_any(ids))
            .select((flags::id, flags::project_id))
            .load(connection)
    )
}
