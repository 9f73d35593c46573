//! The history of definitions that people read: who changed what and when, in the rows of `changes`.
//!
//! Only the writing transaction writes it; what events do to people is not part of it.

use super::change::{self, Change, ChangeKind};
use super::{CohortRow, FlagRow};
use crate::StoreError;
use crate::batch::{Batch, Column, Statement};
use crate::connection::{Connection, on_both};
use crate::tables::changes;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, StoreError>;

/// When a transaction writes, and for whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamp {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    /// The label of the personal key, if there is one.
    pub(crate) author: Option<String>,
}

/// What was done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It is new.
    Created,
    /// It is different.
    Updated,
    /// It is gone.
    Deleted,
}

impl Activity {
    /// Returns its stored name, which is also that of the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "created" => Self::Created,
            "deleted" => Self::Deleted,
            _ => Self::Updated,
        }
    }
}

/// Members of an object as JSON texts, by name.
pub(crate) type Members = BTreeMap<&'static str, String>;

/// A change as its readers are told of it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) item: i64,
    pub(crate) activity: Activity,
    pub(crate) old: Members,
    pub(crate) new: Members,
}

impl Told {
    /// Tells how an object became another one; of members that stayed as they were nothing is said.
    pub(crate) fn between(item: i64, mut old: Members, mut new: Members) -> Self {
        let was_there = !old.is_empty();
        let is_deleted = |members: &Members| members.get("deleted").is_some_and(|it| it == "true");
        let activity = match (was_there, is_deleted(&old), is_deleted(&new)) {
            (false, _, _) => Activity::Created,
            (true, false, true) => Activity::Deleted,
            (true, _, _) => Activity::Updated,
        };
        old.retain(|name, value| match new.get(name) {
            Some(same) if same == value => {
                new.remove(name);
                false
            }
            _ => true,
        });
        Self {
            item,
            activity,
            old,
            new,
        }
    }

    /// Tells that something changed of which no values are kept.
    pub(crate) fn bare(item: i64) -> Self {
        Self {
            item,
            activity: Activity::Updated,
            old: Members::new(),
            new: Members::new(),
        }
    }

    /// Goes on with a later change of the same object in the same transaction.
    pub(crate) fn followed_by(&mut self, later: Self) {
        for (name, value) in later.old {
            if !self.new.contains_key(name) {
                self.old.insert(name, value);
            }
        }
        self.new.extend(later.new);
        if later.activity == Activity::Deleted {
            self.activity = Activity::Deleted;
        }
    }
}

/// Returns what people are told of a flag. Its version is left out: it changes with everything.
pub(crate) fn flag_members(row: &FlagRow, tags: Option<&str>) -> Members {
    Members::from([
        ("key", text(&row.key)),
        ("name", optional_text(row.name.as_deref())),
        ("filters", json(Some(&row.filters))),
        ("active", row.active.to_string()),
        ("archived", row.archived.to_string()),
        ("deleted", row.deleted.to_string()),
        (
            "ensure_experience_continuity",
            row.ensure_experience_continuity.to_string(),
        ),
        (
            "evaluation_runtime",
            optional_text(row.evaluation_runtime.as_deref()),
        ),
        (
            "evaluation_contexts",
            json(row.evaluation_contexts.as_deref()),
        ),
        (
            "bucketing_identifier",
            optional_text(row.bucketing_identifier.as_deref()),
        ),
        (
            "is_remote_configuration",
            row.is_remote_configuration.to_string(),
        ),
        ("tags", json(tags)),
    ])
}

/// Returns what people are told of a cohort.
pub(crate) fn cohort_members(row: &CohortRow, description: Option<&str>) -> Members {
    Members::from([
        ("name", optional_text(row.name.as_deref())),
        ("description", optional_text(description)),
        ("deleted", row.deleted.to_string()),
        ("is_static", row.is_static.to_string()),
        ("filters", json(row.filters.as_deref())),
        ("groups", json(row.groups.as_deref())),
    ])
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn optional_text(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), text)
}

/// A stored JSON text; what is none is told as a text.
fn json(stored: Option<&str>) -> String {
    let Some(stored) = stored else {
        return "null".to_owned();
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(stored) {
        Ok(_) => stored.to_owned(),
        Err(_) => text(stored),
    }
}

fn object(members: &Members) -> String {
    let mut written = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            written.push(',');
        }
        written.push_str(&format!("\"{name}\":{value}"));
    }
    written.push('}');
    written
}

struct InsertTold;

impl Statement for InsertTold {
    type Answer = ();
    const COLUMNS: &'static [&'static str] = &[
        "project_id",
        "kind",
        "object",
        "item",
        "at",
        "author",
        "activity",
        "old_values",
        "new_values",
    ];
    const BEFORE: &'static str = "INSERT INTO changes (project_id, kind, object, item, at_microseconds, \
        author, activity, old_values, new_values) \
        SELECT k.project_id, k.kind, k.object, NULLIF(k.item, 0), k.at, NULLIF(k.author, ''), \
        NULLIF(k.activity, ''), NULLIF(k.old_values, ''), NULLIF(k.new_values, '') FROM";
    const AFTER: &'static str = "ORDER BY k.n";
}

/// Adds changes as the last deed of a writing transaction, with what people are told of them.
pub(crate) async fn record(
    connection: &mut Connection,
    all: Vec<(Change, Option<Told>)>,
    stamp: &Stamp,
) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    change::announce(connection).await?;
    let author = stamp.author.clone().unwrap_or_default();
    let count = all.len();
    let (mut projects, mut kinds, mut objects) = (Vec::new(), Vec::new(), Vec::new());
    let (mut items, mut activities) = (Vec::new(), Vec::new());
    let (mut old_values, mut new_values) = (Vec::new(), Vec::new());
    for ((project, kind, name), told) in all {
        projects.push(project);
        kinds.push(kind.as_str().to_owned());
        objects.push(name);
        items.push(told.as_ref().map_or(0, |told| told.item));
        let activity = told.as_ref().map_or("", |told| told.activity.name());
        activities.push(activity.to_owned());
        old_values.push(
            told.as_ref()
                .map(|told| object(&told.old))
                .unwrap_or_default(),
        );
        new_values.push(
            told.as_ref()
                .map(|told| object(&told.new))
                .unwrap_or_default(),
        );
    }
    let batch: Batch<InsertTold> = Batch::new(vec![
        Column::BigInt(projects),
        Column::Text(kinds),
        Column::Text(objects),
        Column::BigInt(items),
        Column::BigInt(vec![stamp.at; count]),
        Column::Text(vec![author; count]),
        Column::Text(activities),
        Column::Text(old_values),
        Column::Text(new_values),
    ]);
    on_both!(connection, batch.execute(connection)).map(drop)
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    /// Its place in the order of changes.
    pub sequence: i64,
    /// What was touched.
    pub kind: ChangeKind,
    /// Its key or id as a text, at that time.
    pub object: String,
    /// Its id.
    pub item: Option<i64>,
    /// When, in microseconds since 1970.
    pub at_microseconds: Option<i64>,
    /// The label of the personal key; `None` for whoever needs none.
    pub author: Option<String>,
    /// What was done.
    pub activity: Activity,
    /// JSON object: the members that changed, as they were.
    pub old_values: Option<String>,
    /// JSON object: the same members, as they are since.
    pub new_values: Option<String>,
}

/// Of what the history is asked for.
#[derive(Debug, Clone)]
pub enum HistoryOf {
    /// Everything in the project.
    Project,
    /// All things of some kinds.
    Kinds(Vec<ChangeKind>),
    /// One thing, by its kinds and its id.
    Item(Vec<ChangeKind>, i64),
}

type Stored = (
    i64,
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Returns how many entries there are, and a page of them, the newest first.
pub(crate) async fn page(
    connection: &mut Connection,
    project_id: i64,
    of: HistoryOf,
    limit: i64,
    offset: i64,
) -> Result<(i64, Vec<ActivityRow>)> {
    let (kinds, item) = match of {
        HistoryOf::Project => (ChangeKind::ALL.to_vec(), None),
        HistoryOf::Kinds(kinds) => (kinds, None),
        HistoryOf::Item(kinds, item) => (kinds, Some(item)),
    };
    let kinds: Vec<&str> = kinds.into_iter().map(ChangeKind::as_str).collect();
    // Two texts, so that each goes by its own index.
    macro_rules! read {
        ($($also:expr)?) => {{
            let entries = || {
                changes::table
                    .filter(changes::project_id.eq(project_id))
                    .filter(changes::activity.is_not_null())
                    .filter(changes::kind.eq_any(&kinds))
                    $(.filter($also))?
            };
            let count: i64 = on_both!(connection, entries().count().get_result(connection))?;
            let rows: Vec<Stored> = on_both!(
                connection,
                entries()
                    .order(changes::sequence.desc())
                    .limit(limit)
                    .offset(offset)
                    .select((
                        changes::sequence,
                        changes::kind,
                        changes::object,
                        changes::item,
                        changes::at_microseconds,
                        changes::author,
                        changes::activity,
                        changes::old_values,
                        changes::new_values,
                    ))
                    .load(connection)
            )?;
            (count, rows)
        }};
    }
    let (count, rows) = match item {
        None => read!(),
        Some(item) => read!(changes::item.eq(item)),
    };
    Ok((count, rows.into_iter().map(entry).collect()))
}

fn entry(row: Stored) -> ActivityRow {
    let (sequence, kind, object, item, at, author, activity, old_values, new_values) = row;
    ActivityRow {
        sequence,
        kind: ChangeKind::parse(&kind),
        object,
        item,
        at_microseconds: at,
        author,
        activity: Activity::parse(activity.as_deref().unwrap_or_default()),
        old_values,
        new_values,
    }
}

#[cfg(test)]
mod tests;
