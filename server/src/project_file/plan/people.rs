//! Persons and groups: whom an entry means, and what of them is new.

use super::{Kind, Matched, Planner, Write, settled};
use crate::project_file::shape::{GroupEntry, PersonEntry};
use burgee_schema::models::{FullPerson, GroupRow, PersonRow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

impl<'s> Planner<'s, '_> {
    /// Plans the groups; `types` maps the names of the group types to their indexes.
    pub(super) fn groups(
        &mut self,
        path: &str,
        entries: Vec<GroupEntry>,
        types: &HashMap<String, i16>,
        matched: &Matched<'s>,
    ) {
        let old: &[GroupRow] = matched.old.map_or(&[], |old| &old.groups);
        let by_key: HashMap<(i16, &str), &GroupRow> = old
            .iter()
            .map(|g| ((g.group_type_index, g.key.as_str()), g))
            .collect();
        let mut named = HashSet::new();
        for entry in entries {
            let path = format!("{path}.groups[{}]", entry.index);
            let name = &entry.group_type;
            let Some(index) = types.get(&name.value).copied() else {
                if !name.value.is_empty() {
                    let message = format!("the project has no group type `{}`", name.value);
                    self.findings.problem(name.place, path, message);
                }
                continue;
            };
            if !named.insert((index, entry.key.value.clone())) {
                let message = format!("the group `{}` is written twice", entry.key.value);
                self.findings.problem(entry.place, path, message);
                continue;
            }
            let stored = by_key.get(&(index, entry.key.value.as_str())).copied();
            let row = GroupRow {
                project_id: matched.id,
                group_type_index: index,
                properties: self
                    .properties(entry.properties, stored.map(|g| g.properties.as_str())),
                key: entry.key.value,
            };
            let what = (
                Kind::Group,
                matched.id,
                format!("{} {}", name.value, row.key),
            );
            self.put(what, stored, row, Write::Group);
        }
        if self.options.prune {
            for gone in old {
                let index = gone.group_type_index;
                if !named.contains(&(index, gone.key.clone())) {
                    let name = types.iter().find(|(_, i)| **i == index);
                    let name = name.map_or_else(|| index.to_string(), |(name, _)| name.clone());
                    let label = format!("{name} {}", gone.key);
                    let write = Write::DeleteGroup(matched.id, index, gone.key.clone());
                    self.remove(Kind::Group, matched.id, label, write);
                }
            }
        }
    }

    /// Plans the persons; `cohorts` maps the ids of the project's cohorts to whether they are static.
    pub(super) fn persons(
        &mut self,
        path: &str,
        entries: Vec<PersonEntry>,
        cohorts: &HashMap<i64, bool>,
        matched: &Matched<'s>,
    ) {
        let old: &[FullPerson] = matched.old.map_or(&[], |old| &old.persons);
        let owners: HashMap<&str, &FullPerson> = old
            .iter()
            .flat_map(|p| p.distinct_ids.iter().map(move |id| (id.as_str(), p)))
            .collect();
        let mut seen = HashMap::new();
        let mut named: HashMap<i64, usize> = HashMap::new();
        for entry in entries {
            let path = format!("{path}.persons[{}]", entry.index);
            self.memberships_exist(&path, &entry, cohorts);
            if !self.ids_are_new(&path, &entry, &mut seen) {
                continue;
            }
            let Some(stored) = self.find_person(&path, &entry, &owners) else {
                continue;
            };
            if let Some(stored) = stored
                && let Some(first) = named.insert(stored.person.id, entry.index)
            {
                let message = format!(
                    "one stored person owns distinct ids of this entry and of persons[{first}]"
                );
                self.findings.problem(entry.place, path, message);
                continue;
            }
            let name = entry.distinct_ids.first().map(|id| id.value.clone());
            let Some(name) = name else { continue };
            let row = self.person_row(entry, stored, matched.id);
            let what = (Kind::Person, matched.id, name);
            match stored {
                Some(_) => self.put(what, stored, row, Write::ReplacePerson),
                None => self.put(what, None, row, Write::InsertPerson),
            }
        }
        if self.options.prune {
            for gone in old.iter().filter(|p| !named.contains_key(&p.person.id)) {
                let first = gone.distinct_ids.first().cloned();
                let name = first.unwrap_or_else(|| format!("without ids, {}", gone.person.id));
                let write = Write::DeletePerson(matched.id, gone.person.id);
                self.remove(Kind::Person, matched.id, name, write);
            }
        }
    }

    fn memberships_exist(&mut self, path: &str, entry: &PersonEntry, cohorts: &HashMap<i64, bool>) {
        for (i, id) in entry.static_cohorts.iter().flatten().enumerate() {
            let message = match cohorts.get(&id.value) {
                Some(true) => continue,
                Some(false) => format!("cohort {} is not static", id.value),
                None => format!("the project has no cohort {}", id.value),
            };
            let path = format!("{path}.static_cohorts[{i}]");
            self.findings.problem(id.place, path, message);
        }
    }

    fn ids_are_new(
        &mut self,
        path: &str,
        entry: &PersonEntry,
        seen: &mut HashMap<String, usize>,
    ) -> bool {
        let mut all_new = true;
        for (i, id) in entry.distinct_ids.iter().enumerate() {
            if let Some(first) = seen.insert(id.value.clone(), entry.index) {
                let message = format!("`{}` is already an id of persons[{first}]", id.value);
                let path = format!("{path}.distinct_ids[{i}]");
                self.findings.problem(id.place, path, message);
                all_new = false;
            }
        }
        all_new
    }

    /// Finds the one stored person that owns any of the ids; the outer `None` is a problem.
    #[expect(
        clippy::option_option,
        reason = "a problem, nobody, and somebody are three answers"
    )]
    fn find_person<'o>(
        &mut self,
        path: &str,
        entry: &PersonEntry,
        owners: &HashMap<&str, &'o FullPerson>,
    ) -> Option<Option<&'o FullPerson>> {
        let mut found: Option<(&str, &FullPerson)> = None;
        for id in &entry.distinct_ids {
            let Some(owner) = owners.get(id.value.as_str()).copied() else {
                continue;
            };
            match found {
                Some((first, other)) if other.person.id != owner.person.id => {
                    let message = format!(
                        "`{first}` and `{}` belong to two stored persons, and a file does not merge them",
                        id.value
                    );
                    self.findings.problem(entry.place, path, message);
                    return None;
                }
                Some(_) => {}
                None => found = Some((&id.value, owner)),
            }
        }
        Some(found.map(|(_, owner)| owner))
    }

    fn person_row(
        &self,
        entry: PersonEntry,
        stored: Option<&FullPerson>,
        project_id: i64,
    ) -> FullPerson {
        // What a file leaves out stays, unless the file is meant to be the whole truth.
        let kept = stored.filter(|_| !self.options.prune);
        let mut distinct_ids: Vec<String> =
            entry.distinct_ids.into_iter().map(|id| id.value).collect();
        let mut static_cohorts: BTreeSet<i64> = (entry.static_cohorts.into_iter().flatten())
            .map(|id| id.value)
            .collect();
        let mut overrides: BTreeMap<String, String> =
            entry.hash_key_overrides.into_iter().flatten().collect();
        if let Some(kept) = kept {
            for id in &kept.distinct_ids {
                if !distinct_ids.contains(id) {
                    distinct_ids.push(id.clone());
                }
            }
            static_cohorts.extend(&kept.static_cohorts);
            for (flag, hash_key) in &kept.hash_key_overrides {
                let entry = overrides.entry(flag.clone());
                entry.or_insert_with(|| hash_key.clone());
            }
        }
        let old = stored.map(|s| s.person.properties.as_str());
        FullPerson {
            person: PersonRow {
                id: stored.map_or(0, |s| s.person.id),
                project_id,
                properties: self.properties(entry.properties, old),
                created_at: (entry.created_at)
                    .or_else(|| stored.map(|s| s.person.created_at))
                    .unwrap_or(self.options.now),
            },
            distinct_ids,
            static_cohorts: static_cohorts.into_iter().collect(),
            hash_key_overrides: overrides.into_iter().collect(),
        }
    }

    /// Returns the properties to store: those of the file, else those stored unless pruning, else none.
    fn properties(&self, new: Option<String>, old: Option<&str>) -> String {
        match (new, old) {
            (Some(new), old) => settled(old, new),
            (None, Some(old)) if !self.options.prune => old.to_owned(),
            (None, _) => "{}".to_owned(),
        }
    }
}
