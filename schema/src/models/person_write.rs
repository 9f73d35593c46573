//! Writing whole persons. Each kind of row goes out in one statement for any number of persons.

use super::FullPerson;
use crate::StoreError;
use crate::batch::{Batch, Column, Statement, check_storable};
use crate::connection::{Backend, Connection, on_both};
use crate::tables::{cohort_members, hash_key_overrides, person_distinct_ids, persons};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

type Result<T> = std::result::Result<T, StoreError>;

/// Inserts persons with all that hangs on them; returns their new ids in the same order.
pub(crate) async fn insert(connection: &mut Connection, people: &[FullPerson]) -> Result<Vec<i64>> {
    check(people)?;
    let ids = new_ids(connection, people.len()).await?;
    let batch: Batch<InsertPersons> = Batch::new(vec![
        Column::BigInt(ids.clone()),
        Column::BigInt(people.iter().map(|whole| whole.person.project_id).collect()),
        Column::Text(
            people
                .iter()
                .map(|whole| whole.person.properties.clone())
                .collect(),
        ),
        Column::BigInt(
            people
                .iter()
                .map(|whole| whole.person.created_at.timestamp_micros())
                .collect(),
        ),
    ]);
    on_both!(connection, batch.execute(connection))?;
    insert_children(connection, people.iter().zip(ids.iter().copied())).await?;
    Ok(ids)
}

/// Replaces a person and all that hangs on it; returns the cohorts it was a member of, `None` when there is no person
/// with its id.
pub(crate) async fn replace(
    connection: &mut Connection,
    whole: &FullPerson,
) -> Result<Option<Vec<i64>>> {
    check(std::slice::from_ref(whole))?;
    let (id, project_id) = (whole.person.id, whole.person.project_id);
    let changed = on_both!(
        connection,
        diesel::update(
            persons::table
                .find(id)
                .filter(persons::project_id.eq(project_id))
        )
        .set((
            persons::properties.eq(&whole.person.properties),
            persons::created_at_microseconds.eq(whole.person.created_at.timestamp_micros()),
        ))
        .execute(connection)
    )?;
    if changed == 0 {
        return Ok(None);
    }
    on_both!(
        connection,
        diesel::delete(person_distinct_ids::table.filter(person_distinct_ids::person_id.eq(id)))
            .execute(connection)
    )?;
    let left: Vec<i64> = on_both!(
        connection,
        diesel::delete(cohort_members::table.filter(cohort_members::person_id.eq(id)))
            .returning(cohort_members::cohort_id)
            .get_results(connection)
    )?;
    on_both!(
        connection,
        diesel::delete(hash_key_overrides::table.filter(hash_key_overrides::person_id.eq(id)))
            .execute(connection)
    )?;
    insert_children(connection, std::iter::once((whole, id))).await?;
    Ok(Some(left))
}

/// Deletes a person and all that hangs on it; returns the cohorts it was a member of, `None` when there was no person.
pub(crate) async fn delete(
    connection: &mut Connection,
    project_id: i64,
    id: i64,
) -> Result<Option<Vec<i64>>> {
    let left: Vec<i64> = on_both!(
        connection,
        diesel::delete(
            cohort_members::table
                .filter(cohort_members::person_id.eq(id))
                .filter(cohort_members::project_id.eq(project_id))
        )
        .returning(cohort_members::cohort_id)
        .get_results(connection)
    )?;
    let deleted = on_both!(
        connection,
        diesel::delete(
            persons::table
                .find(id)
                .filter(persons::project_id.eq(project_id))
        )
        .execute(connection)
    )?;
    Ok((deleted > 0).then_some(left))
}

fn check(people: &[FullPerson]) -> Result<()> {
    check_storable(people.iter().flat_map(|whole| {
        let overrides = whole
            .hash_key_overrides
            .iter()
            .flat_map(|(flag, hash)| [flag, hash]);
        whole
            .distinct_ids
            .iter()
            .chain(overrides)
            .map(String::as_str)
    }))
}

/// Ids are drawn before the rows are written: the order in which `RETURNING` answers is not promised anywhere.
pub(crate) async fn new_ids(connection: &mut Connection, count: usize) -> Result<Vec<i64>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let (backend, deadline) = connection.parts();
    match backend {
        Backend::Postgres(connection) => {
            let drawn = diesel::sql_query(
                "SELECT nextval(pg_get_serial_sequence('persons', 'id')) AS id FROM generate_series(1, $1)",
            )
            .bind::<BigInt, _>(count);
            let drawn: Vec<DrawnId> = deadline.keep(drawn.load(connection)).await?;
            Ok(drawn.into_iter().map(|row| row.id).collect())
        }
        // Only the one writer inserts persons, and AUTOINCREMENT follows what it inserts.
        Backend::Sqlite(connection) => {
            let last = diesel::sql_query(
                "SELECT coalesce(max(seq), 0) AS id FROM sqlite_sequence WHERE name = 'persons'",
            );
            let last: DrawnId = deadline.keep(last.get_result(connection)).await?;
            Ok((1..=count)
                .map(|offset| last.id.saturating_add(offset))
                .collect())
        }
    }
}

#[derive(QueryableByName)]
struct DrawnId {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

struct InsertPersons;

impl Statement for InsertPersons {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["id", "project_id", "properties", "created_at_microseconds"];
    const BEFORE: &'static str = "INSERT INTO persons (id, project_id, properties, created_at_microseconds) \
        SELECT k.id, k.project_id, k.properties, k.created_at_microseconds FROM";
    const AFTER: &'static str = "ORDER BY k.n";
}

pub(crate) struct InsertDistinctIds;

impl Statement for InsertDistinctIds {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["project_id", "distinct_id", "person_id", "position"];
    const BEFORE: &'static str = "INSERT INTO person_distinct_ids (project_id, distinct_id, person_id, position) \
        SELECT k.project_id, k.distinct_id, k.person_id, k.position FROM";
    const AFTER: &'static str = "ORDER BY k.n";
}

struct InsertMembers;

impl Statement for InsertMembers {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["project_id", "person_id", "cohort_id"];
    const BEFORE: &'static str = "INSERT INTO cohort_members (project_id, person_id, cohort_id) \
        SELECT k.project_id, k.person_id, k.cohort_id FROM";
    const AFTER: &'static str = "WHERE true ON CONFLICT DO NOTHING";
}

struct InsertHashKeys;

impl Statement for InsertHashKeys {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["project_id", "person_id", "flag_key", "hash_key"];
    const BEFORE: &'static str = "INSERT INTO hash_key_overrides (project_id, person_id, flag_key, hash_key) \
        SELECT k.project_id, k.person_id, k.flag_key, k.hash_key FROM";
    // A request may have stored one since the person's old ones were deleted.
    const AFTER: &'static str = "WHERE true ON CONFLICT (person_id, flag_key) \
        DO UPDATE SET hash_key = excluded.hash_key";
}

async fn insert_children<'a>(
    connection: &mut Connection,
    people: impl Iterator<Item = (&'a FullPerson, i64)>,
) -> Result<()> {
    let mut ids = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut members = (Vec::new(), Vec::new(), Vec::new());
    let mut hash_keys = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (whole, id) in people {
        let project_id = whole.person.project_id;
        for (position, distinct_id) in (0..).zip(&whole.distinct_ids) {
            ids.0.push(project_id);
            ids.1.push(distinct_id.clone());
            ids.2.push(id);
            ids.3.push(position);
        }
        for cohort in &whole.static_cohorts {
            members.0.push(project_id);
            members.1.push(id);
            members.2.push(*cohort);
        }
        for (flag_key, hash_key) in &whole.hash_key_overrides {
            hash_keys.0.push(project_id);
            hash_keys.1.push(id);
            hash_keys.2.push(flag_key.clone());
            hash_keys.3.push(hash_key.clone());
        }
    }
    if !ids.0.is_empty() {
        let batch: Batch<InsertDistinctIds> = Batch::new(vec![
            Column::BigInt(ids.0),
            Column::Text(ids.1),
            Column::BigInt(ids.2),
            Column::Integer(ids.3),
        ]);
        on_both!(connection, batch.execute(connection))?;
    }
    if !members.0.is_empty() {
        let batch: Batch<InsertMembers> = Batch::new(vec![
            Column::BigInt(members.0),
            Column::BigInt(members.1),
            Column::BigInt(members.2),
        ]);
        on_both!(connection, batch.execute(connection))?;
    }
    if !hash_keys.0.is_empty() {
        let batch: Batch<InsertHashKeys> = Batch::new(vec![
            Column::BigInt(hash_keys.0),
            Column::BigInt(hash_keys.1),
            Column::Text(hash_keys.2),
            Column::Text(hash_keys.3),
        ]);
        on_both!(connection, batch.execute(connection))?;
    }
    Ok(())
}
