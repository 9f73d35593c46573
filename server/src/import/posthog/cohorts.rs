//! Cohorts of PostHog: those that the server can compute, and those whose members somebody must give.

use super::super::value::{as_list, as_text, is_true, member, text_of};
use super::super::{Definition, Imported};
use crate::project_file::{Node, Value, object};
use std::collections::BTreeSet;

/// Which cohort is what, by the text of its id.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    pub(super) left_out: BTreeSet<String>,
    fixed: BTreeSet<String>,
}

impl Kinds {
    pub(super) fn is_static(&self, id: &str) -> bool {
        self.fixed.contains(id)
    }
}

/// Converts cohorts, and tells which are of which kind.
pub(super) fn convert(nodes: &[&Node], imported: &mut Imported) -> Kinds {
    let mut kinds = Kinds::default();
    for node in nodes {
        convert_one(node, &mut kinds, imported);
    }
    kinds
}

fn convert_one(node: &Node, kinds: &mut Kinds, imported: &mut Imported) {
    let id = node.get("id").map(Node::to_json).unwrap_or_default();
    let name = text_of(node, "name").unwrap_or_default();
    let subject = format!("cohort {id} {name}");
    let subject = subject.trim_end();
    if is_true(node, "deleted") {
        return imported.notes.skipped(subject, "it is deleted");
    }
    let mut kept = vec!["id", "name", "is_static"];
    if is_true(node, "is_static") {
        kinds.fixed.insert(id);
        let message = "its members are not in the files; nobody is a member until they are added";
        imported.notes.differs(subject, message);
    } else if let Some(kind) = unsupported(node) {
        kinds.left_out.insert(id);
        let message = format!("its members come from events (`{kind}`), which are not kept here");
        return imported.notes.left_out(subject, message);
    } else {
        kept.extend(["filters", "groups"]);
    }
    let members = (kept.into_iter()).filter_map(|name| {
        let value = &member(node, name)?.value;
        let is_empty = matches!(value, Value::List(items) if items.is_empty());
        (!is_empty).then(|| (name, value.clone()))
    });
    imported.cohorts.push(Definition {
        subject: subject.to_owned(),
        value: object(members.collect()),
    });
}

/// Returns the first criterion that only events can decide.
fn unsupported(node: &Node) -> Option<String> {
    let filters = member(node, "filters").filter(|f| f.value != Value::Map(Vec::new()));
    match filters {
        Some(filters) => in_tree(filters.get("properties")?),
        None => as_list(node.get("groups")?).iter().find_map(in_entry),
    }
}

fn in_tree(node: &Node) -> Option<String> {
    if let Some(values) = node.get("values") {
        return as_list(values).iter().find_map(in_tree);
    }
    let kind = node.get("type").and_then(as_text).unwrap_or("no type");
    let known = ["person", "person_metadata", "cohort", "group"];
    (!known.contains(&kind)).then(|| kind.to_owned())
}

fn in_entry(entry: &Node) -> Option<String> {
    let names = ["action_id", "event_id"];
    let by_event = names.into_iter().find(|name| member(entry, name).is_some());
    by_event.map(str::to_owned)
}
