//! Hash keys to store: experience continuity (evaluation, 5.7).

use super::ChangeKind;
use super::change;
use crate::StoreError;
use crate::batch::{Batch, Column, Statement, is_storable};
use crate::connection::{Begin, Connection, on_both};
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;

type Result<T> = std::result::Result<T, StoreError>;

/// Hash keys to store for one request: for every existing person of either id and every flag; rows that exist stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashKeyWrite {
    /// The project.
    pub project_id: i64,
    /// The distinct id.
    pub distinct_id: String,
    /// The anonymous id, which is also the hash key that is stored.
    pub anonymous_id: String,
    /// The flags.
    pub flag_keys: Vec<String>,
}

struct InsertForOwners;

impl Statement for InsertForOwners {
    type Answer = BigInt;
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id", "flag_key", "hash_key"];
    const BEFORE: &'static str = "INSERT INTO hash_key_overrides (project_id, person_id, flag_key, hash_key) \
        SELECT k.project_id, d.person_id, k.flag_key, k.hash_key FROM";
    // In one order for every writer, so that two of them cannot wait for each other; of several hash keys for one
    // person and flag the one asked for first stays.
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id \
        ORDER BY d.person_id, k.flag_key, k.n \
        ON CONFLICT (person_id, flag_key) DO NOTHING RETURNING project_id";
}

/// Stores hash keys in one transaction; returns whether any was new.
pub(crate) async fn write(connection: &mut Connection, writes: &[HashKeyWrite]) -> Result<bool> {
    let Some(batch) = batch(writes) else {
        return Ok(false);
    };
    connection.begin(Begin::Write).await?;
    let outcome = write_inside(connection, &batch).await;
    connection.finish(outcome).await
}

async fn write_inside(connection: &mut Connection, batch: &Batch<InsertForOwners>) -> Result<bool> {
    let touched: Vec<i64> = on_both!(connection, batch.load(connection))?;
    let projects: BTreeSet<i64> = touched.into_iter().collect();
    let changes = projects
        .iter()
        .map(|project| (*project, ChangeKind::HashKeys, String::new()))
        .collect();
    change::record(connection, changes).await?;
    Ok(!projects.is_empty())
}

fn batch(writes: &[HashKeyWrite]) -> Option<Batch<InsertForOwners>> {
    let (mut projects, mut ids, mut flags, mut hashes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for write in writes
        .iter()
        .filter(|write| is_storable(&write.anonymous_id))
    {
        for id in [&write.distinct_id, &write.anonymous_id]
            .into_iter()
            .filter(|id| is_storable(id))
        {
            for flag in write.flag_keys.iter().filter(|flag| is_storable(flag)) {
                projects.push(write.project_id);
                ids.push(id.clone());
                flags.push(flag.clone());
                hashes.push(write.anonymous_id.clone());
            }
        }
    }
    (!projects.is_empty()).then(|| {
        Batch::new(vec![
            Column::BigInt(projects),
            Column::Text(ids),
            Column::Text(flags),
            Column::Text(hashes),
        ])
    })
}
