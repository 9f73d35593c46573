//! Flags and cohorts: which stored one an entry means, its id, its row.

use super::{Kind, Matched, Planner, Write, settled};
use crate::project_file::node::Node;
use crate::project_file::shape::{CohortEntry, FlagEntry};
use burgee_schema::models::{CohortRow, FlagRow};
use std::collections::{HashMap, HashSet};

/// A flag as it will be, and where the file says so; nowhere for one that stays as it is stored.
pub(crate) struct PlannedFlag {
    pub(crate) row: FlagRow,
    pub(crate) source: Option<Source>,
}

/// A cohort as it will be.
pub(crate) struct PlannedCohort {
    pub(crate) row: CohortRow,
    pub(crate) source: Option<Source>,
}

/// Where a definition stands in the file.
pub(crate) struct Source {
    pub(crate) index: usize,
    pub(crate) place: crate::project_file::node::Place,
    pub(crate) filters: Option<Node>,
    pub(crate) groups: Option<Node>,
}

impl<'s> Planner<'s, '_> {
    /// Gives every flag of the file its id and row, and adds the stored flags that stay.
    pub(super) fn flags(
        &mut self,
        path: &str,
        entries: Vec<FlagEntry>,
        matched: &Matched<'s>,
    ) -> Vec<PlannedFlag> {
        let old: &[FlagRow] = matched.old.map_or(&[], |old| &old.flags);
        let by_key: HashMap<&str, &FlagRow> = old.iter().map(|f| (f.key.as_str(), f)).collect();
        let mut keys = HashSet::new();
        let mut ids = HashSet::new();
        let mut planned = Vec::new();
        for entry in entries {
            let path = format!("{path}.flags[{}]", entry.index);
            if entry.key.value.is_empty() {
                continue;
            }
            if !keys.insert(entry.key.value.clone()) {
                let message = format!("the key `{}` is used twice", entry.key.value);
                self.findings.problem(entry.key.place, path, message);
                continue;
            }
            let stored = by_key.get(entry.key.value.as_str()).copied();
            let Some(id) = self.flag_id(&path, &entry, matched, stored) else {
                continue;
            };
            if !ids.insert(id) {
                let message = format!("the id {id} is used twice");
                self.findings.problem(entry.place, path, message);
                continue;
            }
            planned.push(planned_flag(entry, matched.id, id, stored));
        }
        if !self.options.prune {
            let kept = old.iter().filter(|f| !keys.contains(&f.key)).cloned();
            planned.extend(kept.map(|row| PlannedFlag { row, source: None }));
        }
        planned
    }

    fn flag_id(
        &mut self,
        path: &str,
        entry: &FlagEntry,
        matched: &Matched<'s>,
        stored: Option<&FlagRow>,
    ) -> Option<i32> {
        let project = matched.id;
        let old: &[FlagRow] = matched.old.map_or(&[], |old| &old.flags);
        let Some(id) = &entry.id else {
            let id = stored.map(|s| s.id).or_else(|| self.ids.flag());
            if id.is_none() {
                self.findings
                    .problem(entry.place, path, "no flag id is left");
            }
            return id;
        };
        let owner = self.stored.flag_owners.get(&id.value);
        let same = old.iter().find(|f| f.id == id.value);
        let message = match (stored, same, owner) {
            (Some(stored), ..) if stored.id != id.value => Some(format!(
                "the flag `{}` is stored with the id {}, and the id of a flag does not change",
                stored.key, stored.id
            )),
            (None, Some(same), _) => Some(format!(
                "the id {} belongs to the flag `{}`",
                id.value, same.key
            )),
            (_, _, Some(owner)) if *owner != project => Some(format!(
                "the id {} belongs to a flag of project {owner}",
                id.value
            )),
            _ => None,
        };
        if let Some(message) = message {
            self.findings
                .problem(id.place, format!("{path}.id"), message);
        }
        // After a problem nothing is written; this only keeps references from looking broken as well.
        match (stored, same) {
            (Some(stored), _) => Some(stored.id),
            (None, Some(_)) => None,
            (None, None) => Some(id.value),
        }
    }

    /// Gives every cohort of the file its id and row, and adds the stored cohorts that stay.
    pub(super) fn cohorts(
        &mut self,
        path: &str,
        entries: Vec<CohortEntry>,
        matched: &Matched<'s>,
    ) -> Vec<PlannedCohort> {
        let old: &[CohortRow] = matched.old.map_or(&[], |old| &old.cohorts);
        let given: HashSet<i64> = (entries.iter())
            .filter_map(|e| e.id.as_ref().map(|id| id.value))
            .collect();
        let mut ids = HashSet::new();
        let mut names = HashSet::new();
        let mut planned = Vec::new();
        for entry in entries {
            let path = format!("{path}.cohorts[{}]", entry.index);
            if entry.id.is_none()
                && let Some(name) = &entry.name
                && !names.insert(name.value.clone())
            {
                let message = format!("the name `{}` is used twice without an id", name.value);
                self.findings.problem(name.place, path, message);
                continue;
            }
            let Some((id, stored)) = self.cohort_id(&path, &entry, matched.id, old, &given) else {
                continue;
            };
            if !ids.insert(id) {
                let message = format!("the id {id} is used twice");
                self.findings.problem(entry.place, path, message);
                continue;
            }
            planned.push(planned_cohort(entry, matched.id, id, stored));
        }
        if !self.options.prune {
            let kept = old.iter().filter(|c| !ids.contains(&c.id)).cloned();
            planned.extend(kept.map(|row| PlannedCohort { row, source: None }));
        }
        planned
    }

    /// Finds a cohort by its id, or without one by its name among those whose id the file does not give.
    fn cohort_id<'o>(
        &mut self,
        path: &str,
        entry: &CohortEntry,
        project: i64,
        old: &'o [CohortRow],
        given: &HashSet<i64>,
    ) -> Option<(i64, Option<&'o CohortRow>)> {
        if let Some(id) = &entry.id {
            let stored = old.iter().find(|c| c.id == id.value);
            let owner = self.stored.cohort_owners.get(&id.value);
            if let Some(owner) = owner.filter(|owner| **owner != project) {
                let message = format!("the id {} belongs to a cohort of project {owner}", id.value);
                self.findings
                    .problem(id.place, format!("{path}.id"), message);
            }
            return Some((id.value, stored));
        }
        let name = entry.name.as_ref()?;
        let mut named = old
            .iter()
            .filter(|c| c.name.as_ref() == Some(&name.value) && !given.contains(&c.id));
        match (named.next(), named.next()) {
            (Some(first), Some(second)) => {
                let message = format!(
                    "two stored cohorts are named `{}`, {} and {}; say which by `id`",
                    name.value, first.id, second.id
                );
                self.findings.problem(name.place, path, message);
                None
            }
            (Some(stored), None) => Some((stored.id, Some(stored))),
            (None, _) => {
                let id = self.ids.cohort();
                if id.is_none() {
                    self.findings
                        .problem(entry.place, path, "no cohort id is left");
                }
                Some((id?, None))
            }
        }
    }

    /// Adds the steps for cohorts and flags: cohorts first, removals last.
    pub(super) fn write_definitions(
        &mut self,
        cohorts: Vec<PlannedCohort>,
        flags: Vec<PlannedFlag>,
        matched: &Matched<'s>,
    ) {
        let project = matched.id;
        let old_cohorts: &[CohortRow] = matched.old.map_or(&[], |old| &old.cohorts);
        let old_flags: &[FlagRow] = matched.old.map_or(&[], |old| &old.flags);
        let by_id: HashMap<i64, &CohortRow> = old_cohorts.iter().map(|c| (c.id, c)).collect();
        let mut stay = HashSet::new();
        for PlannedCohort { row, source } in cohorts {
            if row.deleted {
                continue;
            }
            stay.insert(row.id);
            if source.is_some() {
                let what = (Kind::Cohort, project, cohort_label(&row));
                self.put(what, by_id.get(&row.id).copied(), row, Write::Cohort);
            }
        }
        let by_id: HashMap<i32, &FlagRow> = old_flags.iter().map(|f| (f.id, f)).collect();
        let mut keys = HashSet::new();
        for PlannedFlag { row, source } in flags {
            if row.deleted {
                continue;
            }
            keys.insert(row.key.clone());
            if source.is_some() {
                let what = (Kind::Flag, project, row.key.clone());
                self.put(what, by_id.get(&row.id).copied(), row, Write::Flag);
            }
        }
        for gone in old_flags.iter().filter(|f| !keys.contains(&f.key)) {
            let write = Write::DeleteFlag(project, gone.id);
            self.remove(Kind::Flag, project, gone.key.clone(), write);
        }
        for gone in old_cohorts.iter().filter(|c| !stay.contains(&c.id)) {
            let write = Write::DeleteCohort(project, gone.id);
            self.remove(Kind::Cohort, project, cohort_label(gone), write);
        }
    }
}

fn cohort_label(row: &CohortRow) -> String {
    match &row.name {
        Some(name) => format!("{} {name}", row.id),
        None => row.id.to_string(),
    }
}

fn planned_flag(
    entry: FlagEntry,
    project_id: i64,
    id: i32,
    stored: Option<&FlagRow>,
) -> PlannedFlag {
    let filters = entry
        .filters
        .as_ref()
        .map_or_else(|| "{}".to_owned(), Node::to_json);
    // An empty list of contexts means the same as none.
    let contexts = entry.evaluation_contexts.filter(|c| !c.is_empty());
    let row = FlagRow {
        id,
        project_id,
        key: entry.key.value,
        name: entry.name,
        filters: settled(stored.map(|s| s.filters.as_str()), filters),
        active: entry.active,
        archived: entry.archived,
        deleted: entry.deleted,
        ensure_experience_continuity: entry.ensure_experience_continuity,
        // Counted by the store.
        version: stored.map_or(0, |s| s.version),
        evaluation_runtime: entry.evaluation_runtime,
        evaluation_contexts: contexts.map(|contexts| {
            let old = stored.and_then(|s| s.evaluation_contexts.as_deref());
            settled(old, serde_json::Value::from(contexts).to_string())
        }),
        bucketing_identifier: entry.bucketing_identifier,
        has_experiment: entry.has_experiment,
        is_remote_configuration: entry.is_remote_configuration,
    };
    let source = Source {
        index: entry.index,
        place: entry.place,
        filters: entry.filters,
        groups: None,
    };
    PlannedFlag {
        row,
        source: Some(source),
    }
}

fn planned_cohort(
    entry: CohortEntry,
    project_id: i64,
    id: i64,
    stored: Option<&CohortRow>,
) -> PlannedCohort {
    let json = |node: &Option<Node>, old: Option<&str>| {
        node.as_ref().map(|node| settled(old, node.to_json()))
    };
    let row = CohortRow {
        id,
        project_id,
        name: entry.name.map(|name| name.value),
        deleted: entry.deleted,
        is_static: entry.is_static,
        filters: json(&entry.filters, stored.and_then(|s| s.filters.as_deref())),
        groups: json(&entry.groups, stored.and_then(|s| s.groups.as_deref())),
        cohort_type: entry.cohort_type,
        condition_type: entry.condition_type,
    };
    let source = Source {
        index: entry.index,
        place: entry.place,
        filters: entry.filters,
        groups: entry.groups,
    };
    PlannedCohort {
        row,
        source: Some(source),
    }
}
