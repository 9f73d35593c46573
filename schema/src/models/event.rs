//! What events ask to be stored, decided already: changes of persons and groups, and counts of flags that were called.

use crate::StoreError;
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, StoreError>;

/// A property's name and its value as JSON text.
pub type Property = (String, String);

/// What one event changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventWrite {
    /// Its project.
    pub project_id: i64,
    /// What tells it from all others; without one it cannot be told from its own repetition.
    pub id: Option<EventId>,
    /// What it changes about a person.
    pub person: Option<PersonChange>,
    /// What it changes about a group.
    pub group: Option<GroupChange>,
}

/// The 128 bits of an event's uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    pub(crate) high: i64,
    pub(crate) low: i64,
}

impl EventId {
    /// Returns the id of a uuid, with or without hyphens and in any case. Any other text is as good as its digest.
    pub fn of(text: &str) -> Self {
        let bits = uuid(text).unwrap_or_else(|| {
            let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            digest
                .iter()
                .take(16)
                .fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte))
        });
        let half = |shift: u32| {
            let bytes = (bits >> shift).to_be_bytes();
            let low = bytes.last_chunk().copied().unwrap_or_default();
            i64::from_be_bytes(low)
        };
        Self {
            high: half(64),
            low: half(0),
        }
    }
}

fn uuid(text: &str) -> Option<u128> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() == 32 && is_hex(text) {
        return u128::from_str_radix(text, 16).ok();
    }
    let groups = text
        .split('-')
        .map(|group| is_hex(group).then_some(group.len()));
    let is_hyphenated = groups.eq(GROUPS.into_iter().map(Some));
    is_hyphenated.then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok())?
}

/// What an event changes about the person of a distinct id: first the merge, then the properties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonChange {
    /// Whose.
    pub distinct_id: String,
    /// Another id that is the same person's.
    pub merge: Option<Merge>,
    /// Values for names that the person does not have.
    pub set_once: Vec<Property>,
    /// Values for all names.
    pub set: Vec<Property>,
    /// Names to remove.
    pub unset: Vec<String>,
}

/// Another id that is the same person's: different from the first, and both allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The other id; the person it has, if any, is merged into that of the first.
    pub other: String,
    /// Whether a person is merged although it is identified.
    pub is_forced: bool,
}

/// What an event changes about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// The name of its type.
    pub group_type: String,
    /// Its key.
    pub key: String,
    /// Values for all names.
    pub set: Vec<Property>,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// Everything it asks for is stored.
    Written,
    /// It was stored before.
    Repeated,
    /// Its group type would be one too many, and it asks for nothing else.
    NoGroupType,
}

/// What came of many events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WrittenEvents {
    /// In the order asked.
    pub outcomes: Vec<EventOutcome>,
    /// Persons that were inserted or changed.
    pub persons: usize,
    /// Persons that became part of another.
    pub merged: usize,
    /// Groups that were inserted or changed.
    pub groups: usize,
    /// Whether members of static cohorts changed.
    pub memberships_changed: bool,
    /// Projects that have a new group type.
    pub projects_changed: Vec<i64>,
}

/// How often a flag was called with a value since it was counted last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagCalls {
    /// The project.
    pub project_id: i64,
    /// The flag.
    pub flag_key: String,
    /// The value, as JSON text.
    pub value: String,
    /// How often.
    pub calls: i64,
    /// When last, in microseconds since 1970.
    pub last_called_at: i64,
}

struct AddFlagCalls;

impl Statement for AddFlagCalls {
    type Answer = ();
    const COLUMNS: &'static [&'static str] =
        &["project_id", "flag_key", "value", "calls", "last_called"];
    // A project may have gone while its calls were counted.
    const BEFORE: &'static str = "INSERT INTO flag_calls \
        (project_id, flag_key, value, calls, last_called_at_microseconds) \
        SELECT k.project_id, k.flag_key, k.value, k.calls, k.last_called FROM";
    const AFTER: &'static str = "WHERE k.project_id IN (SELECT id FROM projects) \
        ORDER BY k.project_id, k.flag_key, k.value \
        ON CONFLICT (project_id, flag_key, value) DO UPDATE SET \
        calls = flag_calls.calls + excluded.calls, \
        last_called_at_microseconds = CASE \
            WHEN excluded.last_called_at_microseconds > flag_calls.last_called_at_microseconds \
            THEN excluded.last_called_at_microseconds ELSE flag_calls.last_called_at_microseconds END";
}

/// Adds to the counts that are stored. The rows must differ in project, flag or value.
pub(crate) async fn add_flag_calls(connection: &mut Connection, calls: &[FlagCalls]) -> Result<()> {
    let text = |of: fn(&FlagCalls) -> &String| calls.iter().map(|row| of(row).clone()).collect();
    let number = |of: fn(&FlagCalls) -> i64| calls.iter().map(of).collect();
    let batch: Batch<AddFlagCalls> = Batch::new(vec![
        Column::BigInt(number(|row| row.project_id)),
        Column::Text(text(|row| &row.flag_key)),
        Column::Text(text(|row| &row.value)),
        Column::BigInt(number(|row| row.calls)),
        Column::BigInt(number(|row| row.last_called_at)),
    ]);
    on_both!(connection, batch.execute(connection)).map(drop)
}

struct AllFlagCalls;

impl Statement for AllFlagCalls {
    type Answer = (Text, Text, BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id"];
    const BEFORE: &'static str =
        "SELECT c.flag_key, c.value, c.calls, c.last_called_at_microseconds FROM";
    const AFTER: &'static str = "CROSS JOIN flag_calls c WHERE c.project_id = k.project_id";
}

/// What is counted of a project's flags, by flag and value.
pub(crate) async fn flag_calls(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<FlagCalls>> {
    let batch: Batch<AllFlagCalls> = Batch::new(vec![Column::BigInt(vec![project_id])]);
    let rows: Vec<(String, String, i64, i64)> = on_both!(connection, batch.load(connection))?;
    let row = |(flag_key, value, calls, last_called_at)| FlagCalls {
        project_id,
        flag_key,
        value,
        calls,
        last_called_at,
    };
    let mut calls: Vec<FlagCalls> = rows.into_iter().map(row).collect();
    // Not by the database: Postgres sorts texts by its own locale.
    calls.sort_unstable_by(|a, b| (&a.flag_key, &a.value).cmp(&(&b.flag_key, &b.value)));
    Ok(calls)
}

struct TrimEventIds;

impl Statement for TrimEventIds {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &["before"];
    const BEFORE: &'static str = "DELETE FROM event_ids WHERE (project_id, high, low) IN \
        (SELECT e.project_id, e.high, e.low FROM event_ids e \
        WHERE e.seen_at_seconds < (SELECT max(k.before) FROM";
    const AFTER: &'static str = ") ORDER BY e.seen_at_seconds LIMIT 5000)";
}

/// Forgets at most 5,000 events that were seen before a moment, in seconds since 1970; returns how many.
pub(crate) async fn trim(connection: &mut Connection, before: i64) -> Result<usize> {
    let batch: Batch<TrimEventIds> = Batch::new(vec![Column::BigInt(vec![before])]);
    on_both!(connection, batch.execute(connection))
}

#[cfg(test)]
mod tests;
