//! The pages of PostHog's public API. Flags and cohorts have the shape that the project file uses; what is translated are the
//! older forms of enrolment and holdouts.

mod cohorts;
mod filters;
mod pages;

use super::value::{is_true, items, member, text_of};
use super::{Imported, Notes, flag};
use crate::project_file::{Node, Value};
use cohorts::Kinds;
use pages::Pages;

/// Members of a flag that are taken as they are.
const KEPT: [&str; 9] = [
    "id",
    "name",
    "active",
    "archived",
    "ensure_experience_continuity",
    "evaluation_runtime",
    "bucketing_identifier",
    "has_experiment",
    "is_remote_configuration",
];

/// Converts pages.
pub(super) fn convert(files: &[Node]) -> Imported {
    let mut imported = Imported::default();
    let pages = Pages::read(files, &mut imported.notes);
    imported.group_types = pages.group_types(&mut imported.notes);
    let kinds = cohorts::convert(&pages.cohorts, &mut imported);
    for node in &pages.flags {
        convert_flag(node, &kinds, &mut imported);
    }
    imported
}

fn convert_flag(node: &Node, kinds: &Kinds, imported: &mut Imported) {
    let key = text_of(node, "key").unwrap_or_default();
    let subject = format!("flag {key}");
    if is_true(node, "deleted") {
        imported.notes.skipped(&subject, "it is deleted");
        return;
    }
    let filters = match filters_of(node, key) {
        Ok(filters) => filters,
        Err(reason) => return imported.notes.left_out(&subject, reason),
    };
    if let Some(reason) = unreadable_cohort(&filters, kinds) {
        return imported.notes.left_out(&subject, reason);
    }
    note_cohorts(&subject, &filters, kinds, &mut imported.notes);
    let mut members: Vec<(&str, Value)> = (KEPT.iter())
        .filter_map(|name| Some((*name, member(node, name)?.value.clone())))
        .collect();
    if member(node, "active").is_none() {
        members.push(("active", Value::Bool(false)));
    }
    if member(node, "has_experiment").is_none() && !items(node, "experiment_set").is_empty() {
        members.push(("has_experiment", Value::Bool(true)));
    }
    let contexts = ["evaluation_contexts", "evaluation_tags"];
    if let Some(contexts) = contexts.iter().find_map(|name| member(node, name)) {
        members.push(("evaluation_contexts", contexts.value.clone()));
    }
    members.push(("filters", filters.value));
    imported.flags.push(flag(key, members));
}

fn filters_of(node: &Node, key: &str) -> Result<Node, String> {
    if is_true(node, "has_encrypted_payloads") {
        return Err("its payloads are encrypted".to_owned());
    }
    let filters = member(node, "filters").ok_or("it has no `filters`")?;
    filters::translate(filters, key)
}

/// Says why a flag cannot be imported because of a cohort that cannot.
fn unreadable_cohort(filters: &Node, kinds: &Kinds) -> Option<String> {
    let id = (filters::cohorts(filters)).find(|id| kinds.left_out.contains(id))?;
    Some(format!("it needs cohort {id}, which is left out"))
}

fn note_cohorts(subject: &str, filters: &Node, kinds: &Kinds, notes: &mut Notes) {
    for id in filters::cohorts(filters) {
        if kinds.is_static(&id) {
            let message = format!(
                "it needs static cohort {id}, whose members are not in the files; nobody is a member until they are added"
            );
            notes.differs(subject, message);
        }
    }
}

#[cfg(test)]
mod tests;
