//! The statements of a transaction that stores events. Each has one text for any number of rows, and none is sent
//! without rows.

use super::groups::{GroupKey, StoredGroup};
use super::people::{Move, PersonKey, Plan, StoredPerson, WrittenPerson};
use crate::StoreError;
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use crate::models::person_write::{InsertDistinctIds, new_ids};
use crate::models::{EventId, GroupRow, GroupTypeRow, group};
use crate::tables::group_types;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;

type Result<T> = std::result::Result<T, StoreError>;

/// Sends a statement that answers nothing, unless it has no rows.
macro_rules! execute {
    ($connection:ident, $statement:ty, $columns:expr) => {{
        let batch: Batch<$statement> = Batch::new($columns);
        if !batch.is_empty() {
            on_both!($connection, batch.execute($connection))?;
        }
    }};
}

/// Sends a statement and returns its answer, which is none when it has no rows.
macro_rules! load {
    ($connection:ident, $statement:ty, $columns:expr) => {{
        let batch: Batch<$statement> = Batch::new($columns);
        if batch.is_empty() {
            Vec::new()
        } else {
            on_both!($connection, batch.load($connection))?
        }
    }};
}

struct RememberEvents;

impl Statement for RememberEvents {
    type Answer = (BigInt, BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "high", "low", "seen"];
    const BEFORE: &'static str = "INSERT INTO event_ids (project_id, high, low, seen_at_seconds) \
        SELECT k.project_id, k.high, k.low, k.seen FROM";
    const AFTER: &'static str = "WHERE true ORDER BY k.n ON CONFLICT (project_id, high, low) DO NOTHING \
        RETURNING project_id, high, low";
}

/// Remembers events; returns those that were not remembered before.
pub(super) async fn remember(
    connection: &mut Connection,
    ids: &[(i64, EventId)],
    seen_at: i64,
) -> Result<Vec<(i64, EventId)>> {
    let columns = vec![
        Column::BigInt(ids.iter().map(|(project, _)| *project).collect()),
        Column::BigInt(ids.iter().map(|(_, id)| id.high).collect()),
        Column::BigInt(ids.iter().map(|(_, id)| id.low).collect()),
        Column::BigInt(vec![seen_at; ids.len()]),
    ];
    let rows: Vec<(i64, i64, i64)> = load!(connection, RememberEvents, columns);
    let id = |(project, high, low)| (project, EventId { high, low });
    Ok(rows.into_iter().map(id).collect())
}

struct PersonsOf;

impl Statement for PersonsOf {
    type Answer = (BigInt, BigInt, Text, BigInt, Bool);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str =
        "SELECT k.n, p.id, p.properties, p.created_at_microseconds, p.is_identified FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d CROSS JOIN persons p \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id AND p.id = d.person_id";
}

/// Reads the persons of some ids, each with the index of the id.
pub(super) async fn load_persons(
    connection: &mut Connection,
    wanted: &[PersonKey],
) -> Result<Vec<(usize, StoredPerson)>> {
    let columns = vec![
        Column::BigInt(wanted.iter().map(|(project, _)| *project).collect()),
        Column::Text(wanted.iter().map(|(_, id)| id.clone()).collect()),
    ];
    let rows: Vec<(i64, i64, String, i64, bool)> = load!(connection, PersonsOf, columns);
    let person = |(n, id, properties, created_at, is_identified)| {
        let person = StoredPerson {
            id,
            properties,
            created_at,
            is_identified,
        };
        (index(n), person)
    };
    Ok(rows.into_iter().map(person).collect())
}

/// Rows are counted from 1.
fn index(n: i64) -> usize {
    usize::try_from(n - 1).unwrap_or(usize::MAX)
}

struct GroupsOf;

impl Statement for GroupsOf {
    type Answer = (BigInt, SmallInt, Nullable<Text>);
    const COLUMNS: &'static [&'static str] = &["project_id", "name", "key"];
    const BEFORE: &'static str = "SELECT k.n, t.group_type_index, g.properties FROM";
    const AFTER: &'static str = "CROSS JOIN group_types t LEFT JOIN groups g \
        ON g.project_id = t.project_id AND g.group_type_index = t.group_type_index AND g.key = k.key \
        WHERE t.project_id = k.project_id AND t.name = k.name";
}

/// Reads groups whose types are known, each with the index of what was asked.
pub(super) async fn load_groups(
    connection: &mut Connection,
    wanted: &[GroupKey],
) -> Result<Vec<(usize, StoredGroup)>> {
    let columns = vec![
        Column::BigInt(wanted.iter().map(|(project, ..)| *project).collect()),
        Column::Text(wanted.iter().map(|(_, name, _)| name.clone()).collect()),
        Column::Text(wanted.iter().map(|(.., key)| key.clone()).collect()),
    ];
    let rows: Vec<(i64, i16, Option<String>)> = load!(connection, GroupsOf, columns);
    let group = |(n, type_index, properties)| (index(n), (type_index, properties));
    Ok(rows.into_iter().map(group).collect())
}

/// Reads the group types of some projects.
pub(super) async fn load_group_types(
    connection: &mut Connection,
    projects: Vec<i64>,
) -> Result<Vec<GroupTypeRow>> {
    on_both!(
        connection,
        group_types::table
            .filter(group_types::project_id.eq_any(&projects))
            .select(GroupTypeRow::as_select())
            .load(connection)
    )
}

/// Draws ids for new persons.
pub(super) async fn new_person_ids(connection: &mut Connection, count: usize) -> Result<Vec<i64>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    new_ids(connection, count).await
}

struct LastPositions;

impl Statement for LastPositions {
    type Answer = (BigInt, Integer);
    const COLUMNS: &'static [&'static str] = &["person_id"];
    const BEFORE: &'static str = "SELECT d.person_id, max(d.position) FROM";
    const AFTER: &'static str =
        "CROSS JOIN person_distinct_ids d WHERE d.person_id = k.person_id GROUP BY d.person_id";
}

/// Returns the position of the last id of some persons; those without any are missing.
pub(super) async fn last_positions(
    connection: &mut Connection,
    persons: Vec<i64>,
) -> Result<HashMap<i64, i32>> {
    let rows: Vec<(i64, i32)> = load!(connection, LastPositions, vec![Column::BigInt(persons)]);
    Ok(rows.into_iter().collect())
}

struct InsertPersons;

impl Statement for InsertPersons {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["id", "project_id", "properties", "created_at", "identified"];
    const BEFORE: &'static str = "INSERT INTO persons \
        (id, project_id, properties, created_at_microseconds, is_identified) \
        SELECT k.id, k.project_id, k.properties, k.created_at, k.identified = 1 FROM";
    const AFTER: &'static str = "ORDER BY k.n";
}

struct UpdatePersons;

impl Statement for UpdatePersons {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["id", "project_id", "properties", "created_at", "identified"];
    const BEFORE: &'static str = "UPDATE persons SET properties = k.properties, \
        created_at_microseconds = k.created_at, is_identified = (k.identified = 1) FROM";
    const AFTER: &'static str = "WHERE persons.id = k.id AND persons.project_id = k.project_id";
}

fn columns(persons: &[WrittenPerson]) -> Vec<Column> {
    let number = |of: fn(&WrittenPerson) -> i64| Column::BigInt(persons.iter().map(of).collect());
    vec![
        number(|row| row.id),
        number(|row| row.project_id),
        Column::Text(persons.iter().map(|row| row.properties.clone()).collect()),
        number(|row| row.created_at),
        Column::SmallInt(persons.iter().map(|row| row.is_identified.into()).collect()),
    ]
}

struct MoveIds;

impl Statement for MoveIds {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["source", "target", "shift"];
    const BEFORE: &'static str = "UPDATE person_distinct_ids SET person_id = k.target, \
        position = person_distinct_ids.position + k.shift FROM";
    const AFTER: &'static str = "WHERE person_distinct_ids.person_id = k.source";
}

struct MembersOf;

impl Statement for MembersOf {
    type Answer = (BigInt, BigInt, BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["source", "target"];
    const BEFORE: &'static str = "SELECT m.project_id, m.cohort_id, k.source, k.target FROM";
    const AFTER: &'static str = "CROSS JOIN cohort_members m WHERE m.person_id = k.source";
}

struct InsertMembers;

impl Statement for InsertMembers {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["project_id", "person_id", "cohort_id"];
    const BEFORE: &'static str = "INSERT INTO cohort_members (project_id, person_id, cohort_id) \
        SELECT k.project_id, k.person_id, k.cohort_id FROM";
    const AFTER: &'static str = "WHERE true ON CONFLICT DO NOTHING";
}

struct CopyHashKeys;

impl Statement for CopyHashKeys {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["source", "target"];
    const BEFORE: &'static str = "INSERT INTO hash_key_overrides (project_id, person_id, flag_key, hash_key) \
        SELECT o.project_id, k.target, o.flag_key, o.hash_key FROM";
    // The surviving person's own stay; of several others' the one that was merged first.
    const AFTER: &'static str = "CROSS JOIN hash_key_overrides o WHERE o.person_id = k.source \
        ORDER BY k.target, o.flag_key, k.n ON CONFLICT (person_id, flag_key) DO NOTHING";
}

struct DeletePersons;

impl Statement for DeletePersons {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["id"];
    const BEFORE: &'static str = "DELETE FROM persons WHERE id IN (SELECT k.id FROM";
    const AFTER: &'static str = ")";
}

/// Writes persons; returns the memberships that changed by it: project, cohort, person.
pub(super) async fn store_people(
    connection: &mut Connection,
    plan: &Plan,
) -> Result<Vec<(i64, i64, i64)>> {
    execute!(connection, InsertPersons, columns(&plan.inserted));
    execute!(connection, UpdatePersons, columns(&plan.updated));
    let moved = move_all(connection, &plan.moves).await?;
    let ids = &plan.ids;
    execute!(
        connection,
        InsertDistinctIds,
        vec![
            Column::BigInt(ids.iter().map(|id| id.project_id).collect()),
            Column::Text(ids.iter().map(|id| id.distinct_id.clone()).collect()),
            Column::BigInt(ids.iter().map(|id| id.person_id).collect()),
            Column::Integer(ids.iter().map(|id| id.position).collect()),
        ]
    );
    // With them goes what was not moved.
    execute!(
        connection,
        DeletePersons,
        vec![Column::BigInt(plan.merged.clone())]
    );
    Ok(moved)
}

async fn move_all(connection: &mut Connection, moves: &[Move]) -> Result<Vec<(i64, i64, i64)>> {
    if moves.is_empty() {
        return Ok(Vec::new());
    }
    let sources = || Column::BigInt(moves.iter().map(|it| it.source).collect());
    let targets = || Column::BigInt(moves.iter().map(|it| it.target).collect());
    let shifts = Column::Integer(moves.iter().map(|it| it.shift).collect());
    execute!(connection, MoveIds, vec![sources(), targets(), shifts]);
    execute!(connection, CopyHashKeys, vec![sources(), targets()]);
    let members: Vec<(i64, i64, i64, i64)> =
        load!(connection, MembersOf, vec![sources(), targets()]);
    execute!(
        connection,
        InsertMembers,
        vec![
            Column::BigInt(members.iter().map(|(project, ..)| *project).collect()),
            Column::BigInt(members.iter().map(|(.., target)| *target).collect()),
            Column::BigInt(members.iter().map(|(_, cohort, ..)| *cohort).collect()),
        ]
    );
    let both =
        |(project, cohort, source, target)| [(project, cohort, source), (project, cohort, target)];
    Ok(members.into_iter().flat_map(both).collect())
}

/// Writes new group types, of which there are few for ever, and groups.
pub(super) async fn store_groups(
    connection: &mut Connection,
    types: &[GroupTypeRow],
    rows: &[GroupRow],
) -> Result<()> {
    for row in types {
        group::put_type(connection, row).await?;
    }
    if !rows.is_empty() {
        group::put(connection, rows).await?;
    }
    Ok(())
}
