//! The rules of evaluation.md for flags and cohorts, as the core states them, with the places of the file.

use super::node::{Node, Place, Value};
use super::plan::definitions::{PlannedCohort, PlannedFlag, Source};
use super::problem::{Findings, Problem};
use burgee_evaluation::cohort::CohortDefinition;
use burgee_evaluation::definition::{Fault, FlagDefinition, GroupTypes, faults};
use burgee_evaluation::{CohortId, FlagId};
use burgee_schema::models::{CohortRow, FlagRow};
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};

/// One project's definitions, as they will be.
pub(crate) struct Definitions<'a> {
    pub(crate) flags: &'a [PlannedFlag],
    pub(crate) cohorts: &'a [PlannedCohort],
    /// Name and index.
    pub(crate) group_types: &'a HashMap<String, i16>,
    /// The flags as they are stored now.
    pub(crate) old_flags: &'a [FlagRow],
    /// The cohorts as they are stored now.
    pub(crate) old_cohorts: &'a [CohortRow],
}

/// Reports what is wrong with the definitions of the project at `path`: problems, or warnings when they are stored all the
/// same. What is wrong with stored definitions that the file does not name is the file's fault only if it is new.
pub(crate) fn definitions(
    path: &str,
    definitions: &Definitions<'_>,
    lenient: bool,
    findings: &mut Findings,
) {
    let types = group_types(definitions.group_types);
    let flags = flag_definitions(definitions.flags.iter().map(|f| &f.row));
    let cohorts = cohort_definitions(definitions.cohorts.iter().map(|c| &c.row));
    let mut known: Option<HashSet<(String, String)>> = None;
    for fault in faults(&flags, &cohorts, &types) {
        let located = match locate(&fault, definitions) {
            Located::InFile(source, list, rest) => in_file(path, source, list, rest, &fault),
            Located::Stored(name) => {
                let known = known.get_or_insert_with(|| stored_faults(definitions, &types));
                if known.contains(&(name.clone(), fault.message.clone())) {
                    continue;
                }
                let message = format!("this would break the stored {name}: {}", fault.message);
                problem(Place::default(), path.to_owned(), message)
            }
        };
        let list = match lenient {
            true => &mut findings.warnings,
            false => &mut findings.problems,
        };
        list.push(located);
    }
    for flag in definitions.flags {
        if let Some(source) = &flag.source {
            legacy_fields(path, source, findings);
        }
    }
}

enum Located<'a> {
    /// Where the definition stands, the name of its list, and the path inside it.
    InFile(&'a Source, &'static str, &'a str),
    /// What it is called.
    Stored(String),
}

/// Finds the definition of a fault's path, which begins with `flags[N]` or `cohorts[N]`, N counting in the lists given.
fn locate<'a>(fault: &'a Fault, definitions: &'a Definitions<'_>) -> Located<'a> {
    let (list, rest) = fault.path.split_once('[').unwrap_or((&fault.path, ""));
    let (index, rest) = rest.split_once(']').unwrap_or((rest, ""));
    let index = index.parse().unwrap_or(usize::MAX);
    let rest = rest.trim_start_matches('.');
    let (source, name, list) = match list {
        "flags" => {
            let flag = definitions.flags.get(index);
            let name = flag.map(|f| format!("flag `{}`", f.row.key));
            (flag.and_then(|f| f.source.as_ref()), name, "flags")
        }
        _ => {
            let cohort = definitions.cohorts.get(index);
            let name = cohort.map(|c| format!("cohort {}", c.row.id));
            (cohort.and_then(|c| c.source.as_ref()), name, "cohorts")
        }
    };
    match source {
        Some(source) => Located::InFile(source, list, rest),
        None => Located::Stored(name.unwrap_or_else(|| fault.path.clone())),
    }
}

fn in_file(path: &str, source: &Source, list: &str, rest: &str, fault: &Fault) -> Problem {
    let (field, inner) = match rest.find(['.', '[']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let node = match field {
        "filters" => source.filters.as_ref(),
        "groups" => source.groups.as_ref(),
        _ => None,
    };
    let place = node.map_or(source.place, |node| node.place_of(inner));
    let own = format!("{path}.{list}[{}]", source.index);
    let full = match rest {
        "" => own,
        rest => format!("{own}.{rest}"),
    };
    problem(place, full, fault.message.clone())
}

fn problem(place: Place, path: String, message: String) -> Problem {
    Problem {
        place: (place != Place::default()).then_some(place),
        path,
        message,
    }
}

/// Returns what is wrong with the stored definitions already: the definition's name and the message.
fn stored_faults(definitions: &Definitions<'_>, types: &GroupTypes) -> HashSet<(String, String)> {
    let flags = flag_definitions(definitions.old_flags);
    let cohorts = cohort_definitions(definitions.old_cohorts);
    let name = |fault: &Fault| {
        let (list, rest) = fault.path.split_once('[')?;
        let index: usize = rest.split_once(']')?.0.parse().ok()?;
        match list {
            "flags" => Some(format!("flag `{}`", flags.get(index)?.key)),
            _ => Some(format!("cohort {}", cohorts.get(index)?.id)),
        }
    };
    faults(&flags, &cohorts, types)
        .into_iter()
        .filter_map(|fault| Some((name(&fault)?, fault.message)))
        .collect()
}

fn group_types(types: &HashMap<String, i16>) -> GroupTypes {
    let mut types: Vec<(String, u8)> = types
        .iter()
        .filter_map(|(name, index)| Some((name.clone(), u8::try_from(*index).ok()?)))
        .collect();
    types.sort_by_key(|(_, index)| *index);
    GroupTypes { types }
}

/// Returns flags as the core's checks read them.
pub(crate) fn flag_definitions<'a>(
    rows: impl IntoIterator<Item = &'a FlagRow>,
) -> Vec<FlagDefinition> {
    let definition = |row: &FlagRow| FlagDefinition {
        id: FlagId(row.id),
        key: row.key.clone(),
        filters: raw(&row.filters),
        active: row.active,
        archived: row.archived,
        deleted: row.deleted,
        ensure_experience_continuity: Some(row.ensure_experience_continuity),
        version: None,
        evaluation_runtime: row.evaluation_runtime.clone(),
        evaluation_contexts: None,
        bucketing_identifier: row.bucketing_identifier.clone(),
        has_experiment: Some(row.has_experiment),
        is_remote_configuration: Some(row.is_remote_configuration),
    };
    rows.into_iter().map(definition).collect()
}

/// Returns cohorts as the core's checks read them.
pub(crate) fn cohort_definitions<'a>(
    rows: impl IntoIterator<Item = &'a CohortRow>,
) -> Vec<CohortDefinition> {
    let definition = |row: &CohortRow| CohortDefinition {
        id: CohortId(row.id),
        name: None,
        deleted: row.deleted,
        is_static: row.is_static,
        filters: row.filters.as_deref().map(raw),
        groups: row.groups.as_deref().map(raw),
    };
    rows.into_iter().map(definition).collect()
}

/// A stored text that is not JSON is read as null, which no definition may be, so that it is reported.
fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Warns of fields of old flags that are not evaluated any more (evaluation.md 1.9).
fn legacy_fields(path: &str, source: &Source, findings: &mut Findings) {
    let Some(filters) = &source.filters else {
        return;
    };
    let is_given = |name: &str| {
        let node: Option<&Node> = filters.get(name);
        node.is_some_and(|node| !matches!(&node.value, Value::Null | Value::Bool(false)))
    };
    for (old, new) in [
        ("super_groups", "feature_enrollment"),
        ("holdout_groups", "holdout"),
    ] {
        let entries = filters.get(old);
        let is_used = entries.is_some_and(|e| matches!(&e.value, Value::List(l) if !l.is_empty()));
        if is_used && !is_given(new) {
            let path = format!("{path}.flags[{}].filters.{old}", source.index);
            let message = format!("`{old}` is not evaluated any more; write `{new}` instead");
            findings.warn(filters.place_of(old), path, message);
        }
    }
}
