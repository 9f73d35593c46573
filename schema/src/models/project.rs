//! Projects.

use crate::StoreError;
use crate::connection::{Connection, on_both};
use crate::tables::projects;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, StoreError>;

/// A project.
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
#[diesel(table_name = projects, treat_none_as_null = true)]
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

pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<ProjectRow>> {
    on_both!(
        connection,
        projects::table
            .order(projects::id)
            .select(ProjectRow::as_select())
            .load(connection)
    )
}

pub(crate) async fn by_id(connection: &mut Connection, id: i64) -> Result<Option<ProjectRow>> {
    on_both!(connection, async {
        projects::table
            .find(id)
            .select(ProjectRow::as_select())
            .first(connection)
            .await
            .optional()
    })
}

pub(crate) async fn by_token(
    connection: &mut Connection,
    token: &str,
) -> Result<Option<ProjectRow>> {
    on_both!(connection, async {
        projects::table
            .filter(projects::token.eq(token))
            .select(ProjectRow::as_select())
            .first(connection)
            .await
            .optional()
    })
}

pub(crate) async fn put(connection: &mut Connection, row: &ProjectRow) -> Result<()> {
    let changed = on_both!(
        connection,
        diesel::update(projects::table.find(row.id))
            .set(row)
            .execute(connection)
    )?;
    if changed == 0 {
        on_both!(
            connection,
            diesel::insert_into(projects::table)
                .values(row)
                .execute(connection)
        )?;
    }
    Ok(())
}

/// The largest id, 0 when there is none.
pub(crate) async fn largest_id(connection: &mut Connection) -> Result<i64> {
    let id: Option<i64> = on_both!(
        connection,
        projects::table
            .select(diesel::dsl::max(projects::id))
            .get_result(connection)
    )?;
    Ok(id.unwrap_or(0))
}
