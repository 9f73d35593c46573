//! Many look-ups at once, with one statement per kind of thing however many there are.
//!
//! No statement needs another's answer: each starts from the distinct ids. So Postgres gets all of them in one go.

use crate::StoreError;
use crate::batch::{Batch, Column, Statement, is_storable};
use crate::connection::{Backend, Connection};
use crate::models::person::moment;
use crate::models::{Found, FoundHashKeys, FoundPerson, Lookup};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::hash::Hash;

/// Answers look-ups, in the order asked.
pub(crate) async fn look_up(
    connection: &mut Connection,
    lookups: &[Lookup],
) -> Result<Vec<Found>, StoreError> {
    let wanted = Wanted::of(lookups);
    let answers = ask(connection, &wanted).await?;
    Ok(lookups
        .iter()
        .map(|lookup| answers.found(&wanted, lookup))
        .collect())
}

/// (project, distinct id).
type PersonKey<'a> = (i64, &'a str);
/// (project, type index, group key).
type GroupKey<'a> = (i64, i16, &'a str);

/// The distinct keys of all look-ups.
#[derive(Default)]
struct Wanted<'a> {
    persons: Keys<PersonKey<'a>>,
    memberships: Keys<PersonKey<'a>>,
    groups: Keys<GroupKey<'a>>,
    hash_keys: Keys<PersonKey<'a>>,
}

impl<'a> Wanted<'a> {
    fn of(lookups: &'a [Lookup]) -> Self {
        let mut wanted = Self::default();
        for lookup in lookups {
            let project = lookup.project_id;
            if lookup.state {
                if is_storable(&lookup.distinct_id) {
                    wanted.persons.add((project, &lookup.distinct_id));
                    if lookup.memberships {
                        wanted.memberships.add((project, &lookup.distinct_id));
                    }
                }
                for (index, key) in &lookup.groups {
                    if is_storable(key) {
                        wanted.groups.add((project, *index, key));
                    }
                }
            }
            if lookup.hash_keys {
                for id in std::iter::once(&lookup.distinct_id).chain(&lookup.anonymous_id) {
                    if is_storable(id) {
                        wanted.hash_keys.add((project, id));
                    }
                }
            }
        }
        wanted
    }
}

/// Distinct keys, each with its place counted from 1.
struct Keys<K>(HashMap<K, i64>);

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Keys<K> {
    fn add(&mut self, key: K) {
        let next = i64::try_from(self.0.len())
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        self.0.entry(key).or_insert(next);
    }

    fn in_order(&self) -> Vec<&K> {
        let mut keys: Vec<_> = self.0.iter().collect();
        keys.sort_unstable_by_key(|(_, place)| **place);
        keys.into_iter().map(|(key, _)| key).collect()
    }

    fn place(&self, key: &K) -> Option<i64> {
        self.0.get(key).copied()
    }
}

fn person_columns(keys: &Keys<PersonKey<'_>>) -> Vec<Column> {
    let keys = keys.in_order();
    vec![
        Column::BigInt(keys.iter().map(|(project, _)| *project).collect()),
        Column::Text(keys.iter().map(|(_, id)| (*id).to_owned()).collect()),
    ]
}

fn group_columns(keys: &Keys<GroupKey<'_>>) -> Vec<Column> {
    let keys = keys.in_order();
    vec![
        Column::BigInt(keys.iter().map(|(project, ..)| *project).collect()),
        Column::SmallInt(keys.iter().map(|(_, index, _)| *index).collect()),
        Column::Text(keys.iter().map(|(_, _, key)| (*key).to_owned()).collect()),
    ]
}

struct Persons;

impl Statement for Persons {
    type Answer = (BigInt, BigInt, Text, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str = "SELECT k.n, p.id, p.properties, p.created_at_microseconds FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d CROSS JOIN persons p \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id AND p.id = d.person_id";
}

struct Memberships;

impl Statement for Memberships {
    type Answer = (BigInt, BigInt);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str = "SELECT k.n, m.cohort_id FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d CROSS JOIN cohort_members m \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id AND m.person_id = d.person_id \
        ORDER BY k.n, m.cohort_id";
}

struct Groups;

impl Statement for Groups {
    type Answer = (BigInt, Text);
    const COLUMNS: &'static [&'static str] = &["project_id", "group_type_index", "key"];
    const BEFORE: &'static str = "SELECT k.n, g.properties FROM";
    const AFTER: &'static str = "CROSS JOIN groups g WHERE g.project_id = k.project_id \
        AND g.group_type_index = k.group_type_index AND g.key = k.key";
}

/// A person without hash keys still answers, with nulls: whether there is a person decides what is written.
struct HashKeys;

impl Statement for HashKeys {
    type Answer = (BigInt, Nullable<Text>, Nullable<Text>);
    const COLUMNS: &'static [&'static str] = &["project_id", "distinct_id"];
    const BEFORE: &'static str = "SELECT k.n, o.flag_key, o.hash_key FROM";
    const AFTER: &'static str = "CROSS JOIN person_distinct_ids d \
        LEFT JOIN hash_key_overrides o ON o.person_id = d.person_id \
        WHERE d.project_id = k.project_id AND d.distinct_id = k.distinct_id";
}

type PersonAnswer = (i64, i64, String, i64);
type HashKeyAnswer = (i64, Option<String>, Option<String>);
type Rows = (
    Vec<PersonAnswer>,
    Vec<(i64, i64)>,
    Vec<(i64, String)>,
    Vec<HashKeyAnswer>,
);

async fn ask(connection: &mut Connection, wanted: &Wanted<'_>) -> Result<Answers, StoreError> {
    let persons: Batch<Persons> = Batch::new(person_columns(&wanted.persons));
    let memberships: Batch<Memberships> = Batch::new(person_columns(&wanted.memberships));
    let groups: Batch<Groups> = Batch::new(group_columns(&wanted.groups));
    let hash_keys: Batch<HashKeys> = Batch::new(person_columns(&wanted.hash_keys));
    let (backend, deadline) = connection.parts();
    let rows = match backend {
        Backend::Postgres(connection) => {
            let shared = &*connection;
            let (mut first, mut second, mut third, mut fourth) = (shared, shared, shared, shared);
            let all = async {
                tokio::try_join!(
                    rows(persons, &mut first),
                    rows(memberships, &mut second),
                    rows(groups, &mut third),
                    rows(hash_keys, &mut fourth),
                )
            };
            deadline.keep(all).await?
        }
        Backend::Sqlite(connection) => {
            let all = async {
                Ok((
                    rows(persons, connection).await?,
                    rows(memberships, connection).await?,
                    rows(groups, connection).await?,
                    rows(hash_keys, connection).await?,
                ))
            };
            deadline.keep(all).await?
        }
    };
    Ok(Answers::of(rows))
}

/// Loads a batch's answer; asks nothing when it has no keys. Not an `async fn`: the compiler cannot see that such a
/// future may change threads.
fn rows<'c, S, C, R>(batch: Batch<S>, connection: &'c mut C) -> BoxFuture<'c, QueryResult<Vec<R>>>
where
    S: Statement,
    C: AsyncConnectionCore,
    R: Send + 'c,
    Batch<S>: LoadQuery<'c, C, R> + 'c,
{
    if batch.is_empty() {
        return std::future::ready(Ok(Vec::new())).boxed();
    }
    batch.load(connection).boxed()
}

/// What was found, by the place of its key.
struct Answers {
    persons: HashMap<i64, FoundPerson>,
    memberships: HashMap<i64, Vec<i64>>,
    groups: HashMap<i64, String>,
    hash_keys: HashMap<i64, Vec<(String, String)>>,
}

impl Answers {
    fn of((persons, memberships, groups, hash_keys): Rows) -> Self {
        let person = |(n, id, properties, microseconds): PersonAnswer| {
            let created_at = moment(microseconds);
            (
                n,
                FoundPerson {
                    id,
                    properties,
                    created_at,
                    static_cohorts: Vec::new(),
                },
            )
        };
        let mut cohorts: HashMap<i64, Vec<i64>> = HashMap::new();
        for (n, cohort) in memberships {
            cohorts.entry(n).or_default().push(cohort);
        }
        let mut overrides: HashMap<i64, Vec<(String, String)>> = HashMap::new();
        for (n, flag_key, hash_key) in hash_keys {
            let of_person = overrides.entry(n).or_default();
            of_person.extend(flag_key.zip(hash_key));
        }
        for of_person in overrides.values_mut() {
            of_person.sort_unstable();
        }
        Self {
            persons: persons.into_iter().map(person).collect(),
            memberships: cohorts,
            groups: groups.into_iter().collect(),
            hash_keys: overrides,
        }
    }

    fn found(&self, wanted: &Wanted<'_>, lookup: &Lookup) -> Found {
        let mut found = Found::default();
        let project = lookup.project_id;
        if lookup.state {
            let key = (project, lookup.distinct_id.as_str());
            let place = wanted.persons.place(&key);
            found.person = place.and_then(|place| self.persons.get(&place)).cloned();
            if let Some(person) = found.person.as_mut().filter(|_| lookup.memberships) {
                let place = wanted.memberships.place(&key);
                let cohorts = place.and_then(|place| self.memberships.get(&place));
                person.static_cohorts = cohorts.cloned().unwrap_or_default();
            }
            let group = |(index, key): &(i16, String)| {
                let place = wanted.groups.place(&(project, *index, key.as_str()))?;
                Some((*index, self.groups.get(&place)?.clone()))
            };
            found.groups = lookup.groups.iter().filter_map(group).collect();
        }
        if lookup.hash_keys {
            let of = |id: &String| {
                let place = wanted.hash_keys.place(&(project, id.as_str()))?;
                self.hash_keys.get(&place).cloned()
            };
            found.hash_keys = FoundHashKeys {
                of_distinct_id: of(&lookup.distinct_id),
                of_anonymous_id: lookup.anonymous_id.as_ref().and_then(of),
            };
        }
        found
    }
}
