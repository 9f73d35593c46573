//! Members of static cohorts, as somebody asks who keeps them in memory: a cohort in pages, and single memberships again.

use super::change::{ChangeKind, ChangeRow};
use crate::StoreError;
use crate::batch::{Batch, Column, Statement, is_storable};
use crate::connection::{Connection, on_both};
use crate::tables::cohort_members;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;

type Result<T> = std::result::Result<T, StoreError>;

/// More persons than this of one cohort in one transaction, and they are not named.
const NAMED_PERSONS: usize = 1_000;

/// Whether a person is a member of a static cohort is a question about this pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Membership {
    /// The cohort.
    pub cohort_id: i64,
    /// The person.
    pub person_id: i64,
}

/// Which memberships a change may have touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedMembers {
    /// Those of these persons in one cohort.
    Persons {
        /// The cohort.
        cohort_id: i64,
        /// The persons, ascending.
        person_ids: Vec<i64>,
    },
    /// Any of one cohort.
    Cohort(i64),
    /// Any of the project.
    All,
}

impl ChangeRow {
    /// Returns which memberships it touched; `None` when it is about something else.
    pub fn members(&self) -> Option<ChangedMembers> {
        (self.kind == ChangeKind::CohortMembers).then(|| read(&self.object))
    }
}

/// What cannot be read was written by another version, and counts as the widest change.
fn read(object: &str) -> ChangedMembers {
    let (cohort, persons) = match object.split_once(':') {
        Some((cohort, persons)) => (cohort, Some(persons)),
        None => (object, None),
    };
    let Ok(cohort_id) = cohort.parse() else {
        return ChangedMembers::All;
    };
    let person_ids = persons.map(|ids| ids.split(',').map(str::parse).collect());
    match person_ids {
        Some(Ok(person_ids)) => ChangedMembers::Persons {
            cohort_id,
            person_ids,
        },
        Some(Err(_)) | None => ChangedMembers::Cohort(cohort_id),
    }
}

/// The persons whose membership of one cohort a transaction has changed so far.
#[derive(Debug)]
pub(crate) enum TouchedPersons {
    Few(BTreeSet<i64>),
    Many,
}

impl Default for TouchedPersons {
    fn default() -> Self {
        Self::Few(BTreeSet::new())
    }
}

impl TouchedPersons {
    /// Adds a person; too many are not remembered one by one.
    pub(crate) fn add(&mut self, person_id: i64) {
        if let Self::Few(persons) = self {
            persons.insert(person_id);
            if persons.len() > NAMED_PERSONS {
                *self = Self::Many;
            }
        }
    }

    /// Writes a change's object: `COHORT:PERSON,PERSON`, or `COHORT` alone.
    pub(crate) fn object(&self, cohort_id: i64) -> String {
        match self {
            Self::Many => cohort_id.to_string(),
            Self::Few(persons) => {
                let persons: Vec<String> = persons.iter().map(i64::to_string).collect();
                format!("{cohort_id}:{}", persons.join(","))
            }
        }
    }
}

/// At most `limit` members with an id above `after`, ascending.
pub(crate) async fn after(
    connection: &mut Connection,
    project_id: i64,
    cohort_id: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    on_both!(
        connection,
        cohort_members::table
            .filter(cohort_members::project_id.eq(project_id))
            .filter(cohort_members::cohort_id.eq(cohort_id))
            .filter(cohort_members::person_id.gt(after))
            .order(cohort_members::person_id)
            .limit(limit)
            .select(cohort_members::person_id)
            .load(connection)
    )
}

struct Existing;

impl Statement for Existing {
    type Answer = (BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["cohort_id", "person_id"];
    const BEFORE: &'static str = "SELECT m.cohort_id, m.person_id FROM";
    const AFTER: &'static str = "CROSS JOIN cohort_members m \
        WHERE m.person_id = k.person_id AND m.cohort_id = k.cohort_id";
}

/// Those that exist, in no order.
pub(crate) async fn existing(
    connection: &mut Connection,
    memberships: &[Membership],
) -> Result<Vec<Membership>> {
    let batch: Batch<Existing> = Batch::new(vec![
        Column::BigInt(memberships.iter().map(|pair| pair.cohort_id).collect()),
        Column::BigInt(memberships.iter().map(|pair| pair.person_id).collect()),
    ]);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64)> = on_both!(connection, batch.load(connection))?;
    let pair = |(cohort_id, person_id)| Membership {
        cohort_id,
        person_id,
    };
    Ok(rows.into_iter().map(pair).collect())
}

struct Owners;

impl Statement for Owners {
    type Answer = (BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str = "SELECT k.n, d.person_id FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id";
}

/// Whose some distinct ids are: for each that is known, its place in the list and the person.
pub(crate) async fn owners(
    connection: &mut Connection,
    project_id: i64,
    distinct_ids: Vec<String>,
) -> Result<Vec<(usize, i64)>> {
    // Nothing that cannot be stored is known.
    let known = |(_, id): &(usize, String)| is_storable(id);
    let asked = distinct_ids.into_iter().enumerate().filter(known);
    let (places, ids): (Vec<usize>, Vec<String>) = asked.unzip();
    let batch: Batch<Owners> = Batch::new(vec![
        Column::BigInt(vec![project_id; ids.len()]),
        Column::Text(ids),
    ]);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64)> = on_both!(connection, batch.load(connection))?;
    let place = |(n, person): (i64, i64)| {
        let asked = usize::try_from(n - 1).ok()?;
        Some((*places.get(asked)?, person))
    };
    Ok(rows.into_iter().filter_map(place).collect())
}

struct ExistingPersons;

impl Statement for ExistingPersons {
    type Answer = BigInt;
    const COLUMNS: &'static [&'static str] = &["project_id", "id"];
    const BEFORE: &'static str = "SELECT p.id FROM";
    const AFTER: &'static str =
        "CROSS JOIN persons p WHERE p.id = k.id AND p.project_id = k.project_id";
}

/// Those of some persons that a project has, in no order.
pub(crate) async fn existing_persons(
    connection: &mut Connection,
    project_id: i64,
    ids: Vec<i64>,
) -> Result<Vec<i64>> {
    let batch: Batch<ExistingPersons> = Batch::new(vec![
        Column::BigInt(vec![project_id; ids.len()]),
        Column::BigInt(ids),
    ]);
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    on_both!(connection, batch.load(connection))
}

#[cfg(test)]
mod tests;
