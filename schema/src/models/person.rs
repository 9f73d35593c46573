//! Persons and what hangs on them, as project files and exports see them: whole. The request path is in `look_up.rs`.

use crate::StoreError;
use crate::admin::PersonsOf;
use crate::batch::{Batch, Column, Statement, is_storable};
use crate::connection::{Connection, on_both};
use crate::tables::{cohort_members, person_distinct_ids, persons};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

type Result<T> = std::result::Result<T, StoreError>;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Its id.
    pub id: i64,
    /// Its project.
    pub project_id: i64,
    /// JSON object.
    pub properties: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A person with everything that hangs on it, as project files write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullPerson {
    /// The person. Its id is ignored when it is inserted.
    pub person: PersonRow,
    /// Its distinct ids in their order; the first is the one shown in lists.
    pub distinct_ids: Vec<String>,
    /// Static cohorts it is a member of, ascending.
    pub static_cohorts: Vec<i64>,
    /// (flag key, hash key), by flag key.
    pub hash_key_overrides: Vec<(String, String)>,
}

/// A row of `persons`: id, properties, microseconds.
type Stored = (i64, String, i64);

pub(crate) fn moment(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(microseconds).unwrap_or_default()
}

struct ByDistinctIds;

impl Statement for ByDistinctIds {
    type Answer = (BigInt, Text, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str = "SELECT p.id, p.properties, p.created_at_microseconds \
        FROM persons p WHERE p.id IN (SELECT d.person_id FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id) ORDER BY p.id";
}

/// The persons that own any of these distinct ids, by person id.
pub(crate) async fn owners(
    connection: &mut Connection,
    project_id: i64,
    distinct_ids: &[String],
) -> Result<Vec<FullPerson>> {
    let wanted: Vec<String> = distinct_ids
        .iter()
        .filter(|id| is_storable(id))
        .cloned()
        .collect();
    let batch: Batch<ByDistinctIds> = Batch::new(vec![
        Column::BigInt(vec![project_id; wanted.len()]),
        Column::Text(wanted),
    ]);
    let stored: Vec<Stored> = on_both!(connection, batch.load(connection))?;
    with_children(connection, project_id, stored).await
}

/// At most `limit` persons with an id above `after`, by id.
pub(crate) async fn after(
    connection: &mut Connection,
    project_id: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<FullPerson>> {
    let stored: Vec<Stored> = on_both!(
        connection,
        persons::table
            .filter(persons::project_id.eq(project_id))
            .filter(persons::id.gt(after))
            .order(persons::id)
            .limit(limit)
            .select((
                persons::id,
                persons::properties,
                persons::created_at_microseconds
            ))
            .load(connection)
    )?;
    with_children(connection, project_id, stored).await
}

struct DistinctIdsOf;

impl Statement for DistinctIdsOf {
    type Answer = (BigInt, Text);
    const COLUMNS: &'static [&'static str] = &["person_id"];
    const BEFORE: &'static str = "SELECT k.n, d.distinct_id FROM";
    const AFTER: &'static str =
        "CROSS JOIN person_distinct_ids d WHERE d.person_id = k.person_id ORDER BY k.n, d.position";
}

struct CohortsOf;

impl Statement for CohortsOf {
    type Answer = (BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["person_id"];
    const BEFORE: &'static str = "SELECT k.n, m.cohort_id FROM";
    const AFTER: &'static str =
        "CROSS JOIN cohort_members m WHERE m.person_id = k.person_id ORDER BY k.n, m.cohort_id";
}

struct HashKeysOf;

impl Statement for HashKeysOf {
    type Answer = (BigInt, Text, Text);
    const COLUMNS: &'static [&'static str] = &["person_id"];
    const BEFORE: &'static str = "SELECT k.n, o.flag_key, o.hash_key FROM";
    const AFTER: &'static str =
        "CROSS JOIN hash_key_overrides o WHERE o.person_id = k.person_id ORDER BY k.n";
}

async fn with_children(
    connection: &mut Connection,
    project_id: i64,
    stored: Vec<Stored>,
) -> Result<Vec<FullPerson>> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = stored.iter().map(|(id, ..)| *id).collect();
    let ids = || vec![Column::BigInt(ids.clone())];
    let distinct_ids: Batch<DistinctIdsOf> = Batch::new(ids());
    let distinct_ids: Vec<(i64, String)> = on_both!(connection, distinct_ids.load(connection))?;
    let cohorts: Batch<CohortsOf> = Batch::new(ids());
    let cohorts: Vec<(i64, i64)> = on_both!(connection, cohorts.load(connection))?;
    let hash_keys: Batch<HashKeysOf> = Batch::new(ids());
    let hash_keys: Vec<(i64, String, String)> = on_both!(connection, hash_keys.load(connection))?;

    let mut people: Vec<FullPerson> = stored
        .into_iter()
        .map(|row| bare(project_id, row))
        .collect();
    for (n, id) in distinct_ids {
        with_nth(&mut people, n, |person| person.distinct_ids.push(id));
    }
    for (n, cohort) in cohorts {
        with_nth(&mut people, n, |person| person.static_cohorts.push(cohort));
    }
    for (n, flag, hash) in hash_keys {
        with_nth(&mut people, n, |person| {
            person.hash_key_overrides.push((flag, hash))
        });
    }
    for person in &mut people {
        // Not by the database: Postgres sorts texts by its own locale.
        person.hash_key_overrides.sort();
    }
    Ok(people)
}

fn bare(project_id: i64, (id, properties, microseconds): Stored) -> FullPerson {
    FullPerson {
        person: PersonRow {
            id,
            project_id,
            properties,
            created_at: moment(microseconds),
        },
        distinct_ids: Vec::new(),
        static_cohorts: Vec::new(),
        hash_key_overrides: Vec::new(),
    }
}

/// Rows of a batch carry their key's place, counted from 1.
pub(crate) fn with_nth<T>(items: &mut [T], n: i64, change: impl FnOnce(&mut T)) {
    let index = usize::try_from(n - 1).ok();
    if let Some(item) = index.and_then(|index| items.get_mut(index)) {
        change(item);
    }
}

struct Numbered;

impl Statement for Numbered {
    type Answer = (BigInt, Text, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "id"];
    const BEFORE: &'static str = "SELECT p.id, p.properties, p.created_at_microseconds FROM";
    const AFTER: &'static str =
        "CROSS JOIN persons p WHERE p.id = k.id AND p.project_id = k.project_id ORDER BY p.id";
}

/// Those of some persons that a project has, by id.
pub(crate) async fn by_ids(
    connection: &mut Connection,
    project_id: i64,
    ids: Vec<i64>,
) -> Result<Vec<FullPerson>> {
    let batch: Batch<Numbered> = Batch::new(vec![
        Column::BigInt(vec![project_id; ids.len()]),
        Column::BigInt(ids),
    ]);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let stored: Vec<Stored> = on_both!(connection, batch.load(connection))?;
    with_children(connection, project_id, stored).await
}

/// How many persons there are of the kind that is asked for, and a page of them, by id.
pub(crate) async fn page(
    connection: &mut Connection,
    project_id: i64,
    of: PersonsOf,
    limit: i64,
    offset: i64,
) -> Result<(i64, Vec<FullPerson>)> {
    macro_rules! read {
        ($ids:expr, $id:expr) => {{
            let count: i64 = on_both!(connection, $ids.count().get_result(connection))?;
            let page: Vec<i64> = on_both!(
                connection,
                $ids.order($id)
                    .limit(limit)
                    .offset(offset)
                    .select($id)
                    .load(connection)
            )?;
            (count, page)
        }};
    }
    let (count, page) = match of {
        PersonsOf::Project => read!(
            persons::table.filter(persons::project_id.eq(project_id)),
            persons::id
        ),
        PersonsOf::Cohort(cohort) => read!(
            cohort_members::table
                .filter(cohort_members::project_id.eq(project_id))
                .filter(cohort_members::cohort_id.eq(cohort)),
            cohort_members::person_id
        ),
        PersonsOf::DistinctId(id) | PersonsOf::Search(id) if !is_storable(&id) => (0, Vec::new()),
        PersonsOf::DistinctId(id) => read!(
            person_distinct_ids::table
                .filter(person_distinct_ids::project_id.eq(project_id))
                .filter(person_distinct_ids::distinct_id.eq(&id)),
            person_distinct_ids::person_id
        ),
        PersonsOf::Search(part) => search(connection, project_id, &part, limit, offset).await?,
    };
    Ok((count, by_ids(connection, project_id, page).await?))
}

async fn search(
    connection: &mut Connection,
    project_id: i64,
    part: &str,
    limit: i64,
    offset: i64,
) -> Result<(i64, Vec<i64>)> {
    let pattern = like_pattern(part);
    let found = || {
        person_distinct_ids::table
            .filter(person_distinct_ids::project_id.eq(project_id))
            .filter(
                lower(person_distinct_ids::distinct_id)
                    .like(&pattern)
                    .escape('!'),
            )
    };
    let count: i64 = on_both!(
        connection,
        found()
            .select(diesel::dsl::count(person_distinct_ids::person_id).aggregate_distinct())
            .get_result(connection)
    )?;
    let page: Vec<i64> = on_both!(
        connection,
        found()
            .select(person_distinct_ids::person_id)
            .distinct()
            .order(person_distinct_ids::person_id)
            .limit(limit)
            .offset(offset)
            .load(connection)
    )?;
    Ok((count, page))
}

/// Returns the pattern for texts that contain this one.
fn like_pattern(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.to_lowercase().chars() {
        if matches!(c, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Letters in lower case: all of them in Postgres, those of ASCII in SQLite.
    fn lower(text: Text) -> Text;
}
