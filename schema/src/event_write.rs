//! Stores many events in one transaction, with a handful of statements however many there are.
//!
//! What they touch is read, everything is decided in memory in the events' order, and what changed is written. That is
//! sound because nobody else changes persons meanwhile: see [`turn`].

mod groups;
mod people;
mod properties;
mod statements;

use crate::StoreError;
use crate::batch::check_storable;
use crate::connection::{Begin, Connection};
use crate::models::change::{self, Change};
use crate::models::cohort_member::TouchedPersons;
use crate::models::{ChangeKind, EventId, EventOutcome, EventWrite, WrittenEvents};
use crate::write::WRITERS_LOCK;
use groups::Groups;
use people::People;
use std::collections::{BTreeMap, BTreeSet, HashSet};

type Result<T> = std::result::Result<T, StoreError>;

/// How often a transaction is tried that lost against another one.
const TRIES: usize = 3;

/// After so many events others have a turn on the thread, which all connections share.
const TURN: usize = 64;

/// Writers of events of one project hold a lock of this class; projects share this many of them, so that a transaction
/// never needs many.
const EVENTS_LOCK_CLASS: i32 = 0x6275_7267;
const EVENT_LOCKS: i64 = 64;

/// Stores events, all or none. `now` is when new persons are created, in microseconds since 1970.
pub(crate) async fn write(
    connection: &mut Connection,
    events: &[EventWrite],
    now: i64,
) -> Result<WrittenEvents> {
    check(events)?;
    let mut tries = 1;
    loop {
        connection.begin(Begin::Write).await?;
        let outcome = write_inside(connection, events, now).await;
        match connection.finish(outcome).await {
            Err(error) if error.is_conflict() && tries < TRIES => tries += 1,
            decided => return decided,
        }
    }
}

fn check(events: &[EventWrite]) -> Result<()> {
    let of_person = |event: &'_ EventWrite| {
        let person = event.person.as_ref();
        let other = person.and_then(|person| person.merge.as_ref());
        let ids = person.map(|person| person.distinct_id.clone());
        ids.into_iter()
            .chain(other.map(|merge| merge.other.clone()))
    };
    for event in events {
        for id in of_person(event) {
            check_storable([id.as_str()])?;
        }
        if let Some(group) = &event.group {
            check_storable([group.group_type.as_str(), group.key.as_str()])?;
        }
    }
    Ok(())
}

async fn write_inside(
    connection: &mut Connection,
    events: &[EventWrite],
    now: i64,
) -> Result<WrittenEvents> {
    connection.run_on_postgres(&turn(events)).await?;
    let news = statements::remember(connection, &ids(events), now / 1_000_000).await?;
    let is_new = first_times(events, news);
    let fresh = || events.iter().zip(&is_new).filter(|(_, is_new)| **is_new);

    let mut people = People::new(now);
    for (event, _) in fresh() {
        if let Some(change) = &event.person {
            people.want(event.project_id, change);
        }
    }
    let mut groups = Groups::default();
    for (event, _) in fresh() {
        if let Some(change) = &event.group {
            groups.want(event.project_id, change);
        }
    }
    for some in statements::load_persons(connection, people.wanted())
        .await?
        .chunks(TURN)
    {
        people.found(some);
        tokio::task::yield_now().await;
    }
    groups.found(statements::load_groups(connection, groups.wanted()).await?);
    if let Some(projects) = groups.lack_types() {
        groups.types_are(statements::load_group_types(connection, projects).await?);
    }

    let mut written = WrittenEvents::default();
    for (number, (event, is_new)) in events.iter().zip(&is_new).enumerate() {
        if number % TURN == 0 {
            tokio::task::yield_now().await;
        }
        let outcome = if *is_new {
            apply(event, &mut people, &mut groups)
        } else {
            EventOutcome::Repeated
        };
        written.outcomes.push(outcome);
    }
    store(connection, people, groups, &mut written).await?;
    Ok(written)
}

/// SQL by which writers of events take turns: those of one project after one another, so that what was read stays as it
/// was, and none beside whoever changes definitions and people otherwise. All take the locks in the same order. A newer
/// snapshot than the default one may be must be taken after the locks.
fn turn(events: &[EventWrite]) -> String {
    let slots: BTreeSet<i64> = events
        .iter()
        .map(|event| event.project_id.rem_euclid(EVENT_LOCKS))
        .collect();
    let mut sql = format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock_shared({WRITERS_LOCK})"
    );
    for slot in slots {
        sql.push_str(&format!(
            "; SELECT pg_advisory_xact_lock({EVENTS_LOCK_CLASS}, {slot})"
        ));
    }
    sql
}

fn ids(events: &[EventWrite]) -> Vec<(i64, EventId)> {
    let ids: BTreeSet<(i64, EventId)> = events
        .iter()
        .filter_map(|event| Some((event.project_id, event.id?)))
        .collect();
    ids.into_iter().collect()
}

/// Says of each event whether it is seen for the first time: of those with one new id, the first is.
fn first_times(events: &[EventWrite], news: Vec<(i64, EventId)>) -> Vec<bool> {
    let mut news: HashSet<(i64, EventId)> = news.into_iter().collect();
    events
        .iter()
        .map(|event| {
            event
                .id
                .is_none_or(|id| news.remove(&(event.project_id, id)))
        })
        .collect()
}

fn apply(event: &EventWrite, people: &mut People, groups: &mut Groups) -> EventOutcome {
    let has_group = event
        .group
        .as_ref()
        .is_some_and(|change| groups.apply(event.project_id, change));
    if let Some(change) = &event.person {
        people.apply(event.project_id, change);
    } else if !has_group {
        return EventOutcome::NoGroupType;
    }
    EventOutcome::Written
}

/// Writes what has changed in memory.
async fn store(
    connection: &mut Connection,
    people: People,
    groups: Groups,
    written: &mut WrittenEvents,
) -> Result<()> {
    let mut changes: Vec<Change> = Vec::new();
    let people = people.changes();
    let ids = statements::new_person_ids(connection, people.new_count()).await?;
    let positions = statements::last_positions(connection, people.positions_needed()).await?;
    let plan = people.plan(&ids, &positions);
    written.persons = plan.inserted.len() + plan.updated.len();
    written.merged = plan.merged.len();
    let moved = statements::store_people(connection, &plan).await?;
    let mut members: BTreeMap<(i64, i64), TouchedPersons> = BTreeMap::new();
    for (project, cohort, person) in moved {
        members.entry((project, cohort)).or_default().add(person);
    }
    written.memberships_changed = !members.is_empty();
    for ((project, cohort), touched) in members {
        changes.push((project, ChangeKind::CohortMembers, touched.object(cohort)));
    }

    let (types, rows) = groups.changes();
    written.groups = rows.len();
    statements::store_groups(connection, &types, &rows).await?;
    let projects: BTreeSet<i64> = types.iter().map(|row| row.project_id).collect();
    for project in &projects {
        changes.push((*project, ChangeKind::Project, String::new()));
    }
    written.projects_changed = projects.into_iter().collect();
    change::record(connection, changes).await
}
