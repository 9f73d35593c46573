//! Groups and their types.

use crate::StoreError;
use crate::batch::{Batch, Column, Statement, check_storable};
use crate::connection::{Connection, on_both};
use crate::tables::{group_types, groups};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, StoreError>;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = groups)]
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
#[derive(
    Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, Serialize, Deserialize,
)]
#[diesel(table_name = group_types)]
pub struct GroupTypeRow {
    /// Its project.
    pub project_id: i64,
    /// 0 to 4. Never changes once given.
    pub group_type_index: i16,
    /// Its name, case-sensitive.
    pub name: String,
}

pub(crate) async fn types_of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<GroupTypeRow>> {
    on_both!(
        connection,
        group_types::table
            .filter(group_types::project_id.eq(project_id))
            .order(group_types::group_type_index)
            .select(GroupTypeRow::as_select())
            .load(connection)
    )
}

/// Names a group type, or renames it.
pub(crate) async fn put_type(connection: &mut Connection, row: &GroupTypeRow) -> Result<()> {
    on_both!(
        connection,
        diesel::insert_into(group_types::table)
            .values(row)
            .on_conflict((group_types::project_id, group_types::group_type_index))
            .do_update()
            .set(group_types::name.eq(&row.name))
            .execute(connection)
    )
    .map(drop)
}

pub(crate) async fn of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<GroupRow>> {
    let mut rows: Vec<GroupRow> = on_both!(
        connection,
        groups::table
            .filter(groups::project_id.eq(project_id))
            .select(GroupRow::as_select())
            .load(connection)
    )?;
    // Not by the database: Postgres sorts texts by its own locale, and exports would differ.
    rows.sort_unstable_by(|a, b| (a.group_type_index, &a.key).cmp(&(b.group_type_index, &b.key)));
    Ok(rows)
}

struct PutGroups;

impl Statement for PutGroups {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["project_id", "group_type_index", "key", "properties"];
    const BEFORE: &'static str = "INSERT INTO groups (project_id, group_type_index, key, properties) \
        SELECT k.project_id, k.group_type_index, k.key, k.properties FROM";
    // The condition keeps SQLite from reading ON as part of a join.
    const AFTER: &'static str = "WHERE true ON CONFLICT (project_id, group_type_index, key) \
        DO UPDATE SET properties = excluded.properties";
}

/// Inserts groups, or replaces their properties. The rows must differ in their keys.
pub(crate) async fn put(connection: &mut Connection, rows: &[GroupRow]) -> Result<()> {
    check_storable(rows.iter().map(|row| row.key.as_str()))?;
    let batch: Batch<PutGroups> = Batch::new(vec![
        Column::BigInt(rows.iter().map(|row| row.project_id).collect()),
        Column::SmallInt(rows.iter().map(|row| row.group_type_index).collect()),
        Column::Text(rows.iter().map(|row| row.key.clone()).collect()),
        Column::Text(rows.iter().map(|row| row.properties.clone()).collect()),
    ]);
    on_both!(connection, batch.execute(connection)).map(drop)
}

/// Deletes a group; returns whether there was one.
pub(crate) async fn delete(
    connection: &mut Connection,
    project_id: i64,
    type_index: i16,
    key: &str,
) -> Result<bool> {
    let deleted = on_both!(
        connection,
        diesel::delete(groups::table.find((project_id, type_index, key))).execute(connection)
    )?;
    Ok(deleted > 0)
}
