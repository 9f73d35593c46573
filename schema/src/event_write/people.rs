//! Persons as events change them, in memory: which ids are whose, what is merged, what the properties become.
//!
//! Pure. It is told what is stored, applies events in their order, and says what must be written.

#[cfg(test)]
mod tests;

use super::properties::Properties;
use crate::models::{Merge, PersonChange};
use std::collections::{BTreeSet, HashMap, HashSet};

/// A stored person, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredPerson {
    pub(super) id: i64,
    pub(super) properties: String,
    pub(super) created_at: i64,
    pub(super) is_identified: bool,
}

/// A distinct id of a project.
pub(super) type PersonKey = (i64, String);

/// All persons that some events may touch.
#[derive(Debug, Default)]
pub(super) struct People {
    now: i64,
    wanted: Vec<PersonKey>,
    known: HashSet<PersonKey>,
    persons: Vec<Person>,
    /// Where stored persons are.
    places: HashMap<i64, usize>,
    /// Which person an id is of. Follow [`Person::became`] from there.
    owners: HashMap<PersonKey, usize>,
}

#[derive(Debug)]
struct Person {
    project_id: i64,
    /// `None` until it is stored.
    id: Option<i64>,
    properties: Properties,
    created_at: i64,
    is_identified: bool,
    is_changed: bool,
    /// The person it became part of.
    became: Option<usize>,
    /// What it got, in order.
    additions: Vec<Addition>,
}

/// What a person got besides properties.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Addition {
    /// A distinct id that nobody had.
    Id(String),
    /// Everything of a stored person.
    Person(i64),
}

impl People {
    /// Begins with nobody; `now` is when new persons are created.
    pub(super) fn new(now: i64) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// Notes whom a change is about.
    pub(super) fn want(&mut self, project_id: i64, change: &PersonChange) {
        let other = change.merge.as_ref().map(|merge| &merge.other);
        for id in std::iter::once(&change.distinct_id).chain(other) {
            let key = (project_id, id.clone());
            if self.known.insert(key.clone()) {
                self.wanted.push(key);
            }
        }
    }

    /// Returns the distinct ids whose persons must be read.
    pub(super) fn wanted(&self) -> &[PersonKey] {
        &self.wanted
    }

    /// Takes what was read, or a part of it: the index of a wanted id, counted from 0, and its person.
    pub(super) fn found(&mut self, found: &[(usize, StoredPerson)]) {
        for (index, stored) in found {
            let Some(key) = self.wanted.get(*index) else {
                continue;
            };
            let next = self.persons.len();
            let place = *self.places.entry(stored.id).or_insert(next);
            if place == next {
                self.persons.push(Person::stored(key.0, stored));
            }
            self.owners.insert(key.clone(), place);
        }
    }

    /// Applies a change: first the merge, then the properties in the order of section 7.3.
    pub(super) fn apply(&mut self, project_id: i64, change: &PersonChange) {
        let key = (project_id, change.distinct_id.clone());
        if let Some(merge) = &change.merge {
            self.merge(&key, merge);
        }
        let place = self.owner(&key).unwrap_or_else(|| self.create(&key));
        if let Some(person) = self.persons.get_mut(place) {
            person.is_identified_if(change.merge.is_some());
            person.change(change);
        }
    }

    /// Makes another id the same person's.
    fn merge(&mut self, key: &PersonKey, merge: &Merge) {
        let other_key = (key.0, merge.other.clone());
        if other_key == *key {
            return;
        }
        match (self.owner(key), self.owner(&other_key)) {
            (Some(place), Some(other)) => {
                if place != other {
                    self.join(place, other, merge.is_forced);
                }
            }
            (Some(place), None) => self.add_id(place, other_key),
            (None, Some(other)) => self.add_id(other, key.clone()),
            (None, None) => {
                let place = self.create(key);
                self.add_id(place, other_key);
            }
        }
    }

    /// Makes one person part of another, unless it says who it is.
    fn join(&mut self, place: usize, other: usize, is_forced: bool) {
        let Some(source) = self.persons.get_mut(other) else {
            return;
        };
        if source.is_identified && !is_forced {
            return;
        }
        source.became = Some(place);
        let properties = std::mem::take(&mut source.properties);
        let mut additions = std::mem::take(&mut source.additions);
        if let Some(id) = source.id {
            additions.insert(0, Addition::Person(id));
        }
        let created_at = source.created_at;
        if let Some(person) = self.persons.get_mut(place) {
            person.is_changed |= person.properties.fill_from(&properties);
            person.is_changed |= created_at < person.created_at;
            person.created_at = person.created_at.min(created_at);
            person.additions.extend(additions);
        }
    }

    fn add_id(&mut self, place: usize, key: PersonKey) {
        if let Some(person) = self.persons.get_mut(place) {
            person.additions.push(Addition::Id(key.1.clone()));
        }
        self.owners.insert(key, place);
    }

    fn create(&mut self, key: &PersonKey) -> usize {
        let place = self.persons.len();
        self.persons.push(Person {
            project_id: key.0,
            id: None,
            properties: Properties::default(),
            created_at: self.now,
            is_identified: false,
            is_changed: true,
            became: None,
            additions: Vec::new(),
        });
        self.add_id(place, key.clone());
        place
    }

    fn owner(&self, key: &PersonKey) -> Option<usize> {
        let mut place = *self.owners.get(key)?;
        while let Some(next) = self.persons.get(place)?.became {
            place = next;
        }
        Some(place)
    }

    /// Ends the changes: keeps those who are still somebody, and changed.
    pub(super) fn changes(self) -> Changes {
        let mut merged: Vec<i64> = self
            .persons
            .iter()
            .filter(|person| person.became.is_some())
            .filter_map(|person| person.id)
            .collect();
        // Every writer in the same order.
        merged.sort_unstable();
        let is_changed = |person: &Person| {
            person.became.is_none() && (person.is_changed || !person.additions.is_empty())
        };
        Changes {
            persons: self.persons.into_iter().filter(is_changed).collect(),
            merged,
        }
    }
}

impl Person {
    fn stored(project_id: i64, stored: &StoredPerson) -> Self {
        let properties = Properties::read(&stored.properties).unwrap_or_else(|| {
            tracing::warn!(
                person = stored.id,
                "the stored properties of a person cannot be read; an event begins them anew"
            );
            Properties::default()
        });
        Self {
            project_id,
            id: Some(stored.id),
            properties,
            created_at: stored.created_at,
            is_identified: stored.is_identified,
            is_changed: false,
            became: None,
            additions: Vec::new(),
        }
    }

    fn is_identified_if(&mut self, is_named: bool) {
        self.is_changed |= is_named && !self.is_identified;
        self.is_identified |= is_named;
    }

    fn change(&mut self, change: &PersonChange) {
        for (name, value) in &change.set_once {
            self.is_changed |= self.properties.set_once(name, value);
        }
        for (name, value) in &change.set {
            self.is_changed |= self.properties.set(name, value);
        }
        for name in &change.unset {
            self.is_changed |= self.properties.unset(name);
        }
    }
}

/// Persons that must be written, before they have ids and places.
#[derive(Debug)]
pub(super) struct Changes {
    persons: Vec<Person>,
    merged: Vec<i64>,
}

impl Changes {
    /// Returns how many persons are new.
    pub(super) fn new_count(&self) -> usize {
        self.persons
            .iter()
            .filter(|person| person.id.is_none())
            .count()
    }

    /// Returns the stored persons whose last position counts: those that get something, and those that are given away.
    pub(super) fn positions_needed(&self) -> Vec<i64> {
        let mut needed = BTreeSet::new();
        for person in &self.persons {
            if !person.additions.is_empty() {
                needed.extend(person.id);
            }
            needed.extend(
                person
                    .additions
                    .iter()
                    .filter_map(|addition| match addition {
                        Addition::Person(id) => Some(*id),
                        Addition::Id(_) => None,
                    }),
            );
        }
        needed.into_iter().collect()
    }

    /// Makes a plan, given ids for the new persons and the last position of each that needs it.
    pub(super) fn plan(self, new_ids: &[i64], last_positions: &HashMap<i64, i32>) -> Plan {
        let mut plan = Plan {
            merged: self.merged,
            ..Plan::default()
        };
        let next_position = |id: &i64| {
            last_positions
                .get(id)
                .map_or(0, |last| last.saturating_add(1))
        };
        let mut new_ids = new_ids.iter();
        for person in self.persons {
            let Some(id) = person.id.or_else(|| new_ids.next().copied()) else {
                continue;
            };
            let mut position = next_position(&id);
            for addition in &person.additions {
                match addition {
                    Addition::Id(distinct_id) => {
                        plan.ids.push(NewId {
                            project_id: person.project_id,
                            distinct_id: distinct_id.clone(),
                            person_id: id,
                            position,
                        });
                        position = position.saturating_add(1);
                    }
                    Addition::Person(source) => {
                        plan.moves.push(Move {
                            source: *source,
                            target: id,
                            shift: position,
                        });
                        position = position.saturating_add(next_position(source));
                    }
                }
            }
            let row = WrittenPerson {
                id,
                project_id: person.project_id,
                properties: person.properties.write(),
                created_at: person.created_at,
                is_identified: person.is_identified,
            };
            if person.id.is_none() {
                plan.inserted.push(row);
            } else if person.is_changed {
                plan.updated.push(row);
            }
        }
        plan.updated.sort_unstable_by_key(|row| row.id);
        plan
    }
}

/// What to write, each list in one statement, in the order of the fields but for the merged persons, who go last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub(super) inserted: Vec<WrittenPerson>,
    pub(super) updated: Vec<WrittenPerson>,
    /// Everything of a person becomes another's.
    pub(super) moves: Vec<Move>,
    pub(super) ids: Vec<NewId>,
    /// Persons who are part of another now.
    pub(super) merged: Vec<i64>,
}

/// A person's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenPerson {
    pub(super) id: i64,
    pub(super) project_id: i64,
    pub(super) properties: String,
    pub(super) created_at: i64,
    pub(super) is_identified: bool,
}

/// Moves all ids of a person, each by so many positions, and its memberships and hash keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) source: i64,
    pub(super) target: i64,
    pub(super) shift: i32,
}

/// An id that nobody had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewId {
    pub(super) project_id: i64,
    pub(super) distinct_id: String,
    pub(super) person_id: i64,
    pub(super) position: i32,
}
