//! The legacy definition of a cohort, `groups` (section 6.4): an OR of entries.
//!
//! Here an entry that cannot be read is false; it does not make the cohort unreadable.

use super::tree::{Node, TreeReader, Unreadable, is_leaf_type, list, object, text};
use crate::property::{Operator, Test};
use serde_json::{Value, value::RawValue};

/// Reads `groups`, which may be null.
pub(super) fn read(json: &str, reader: &mut TreeReader<'_>) -> Result<Node, Unreadable> {
    let entries: Option<Vec<&RawValue>> = serde_json::from_str(json)
        .map_err(|error| reader.unreadable("groups", &format!("expected a list: {error}")))?;
    let entries = entries
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(index, entry)| read_entry(entry, &format!("groups[{index}]"), reader))
        .collect();
    Ok(Node::Any(entries))
}

fn read_entry(raw: &RawValue, path: &str, reader: &mut TreeReader<'_>) -> Node {
    let Some(fields) = object(raw) else {
        return reader.unsupported(path, "expected an object");
    };
    let names = |name: &str| fields.get(name).is_some_and(|value| value.get() != "null");
    if names("action_id") || names("event_id") {
        reader.behavioral = true;
        return Node::Unsupported;
    }
    let path = format!("{path}.properties");
    let Some(properties) = fields.get("properties") else {
        return reader.unsupported(&path, "missing");
    };
    // what an unreadable entry refers to does not count
    let (references, missing) = (reader.references.len(), reader.missing);
    read_properties(properties, &path, reader).unwrap_or_else(|Unreadable| {
        reader.references.truncate(references);
        reader.missing = missing;
        Node::Unsupported
    })
}

fn read_properties(
    raw: &RawValue,
    path: &str,
    reader: &mut TreeReader<'_>,
) -> Result<Node, Unreadable> {
    if let Some(filters) = list(raw) {
        return read_filters(&filters, path, reader);
    }
    let Some(fields) = object(raw) else {
        return Ok(reader.unsupported(path, "expected a list or an object"));
    };
    match (fields.contains_key("type"), fields.contains_key("values")) {
        (true, true) => reader.tree(&fields, path, 1),
        (false, false) if !fields.is_empty() => read_pairs(raw, path, reader),
        _ => Ok(reader.unsupported(path, "neither a tree nor properties")),
    }
}

/// Reads a list of filters, all of which have to match.
fn read_filters(
    filters: &[&RawValue],
    path: &str,
    reader: &mut TreeReader<'_>,
) -> Result<Node, Unreadable> {
    if filters.is_empty() {
        return Ok(reader.unsupported(path, "no filter"));
    }
    let mut nodes = Vec::with_capacity(filters.len());
    for (index, filter) in filters.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(fields) = object(filter) else {
            return Err(reader.unreadable(&path, "expected an object"));
        };
        let untyped = fields.get("type").is_none_or(|kind| kind.get() == "null");
        let kind = match text(&fields, "type").as_deref() {
            None if untyped => "person".to_owned(),
            Some("event") => "person".to_owned(),
            kind => kind.unwrap_or_default().to_owned(),
        };
        nodes.push(if !is_leaf_type(&kind) {
            reader.behavioral |= matches!(kind.as_str(), "behavioral" | "lifecycle");
            reader.unsupported(&path, &format!("not a filter: type {kind:?}"))
        } else if text(&fields, "key").is_none() {
            reader.unsupported(&format!("{path}.key"), "missing")
        } else {
            reader.leaf(filter, &kind, &path)?
        });
    }
    Ok(Node::All(nodes.into()))
}

/// Reads an object of properties, each of which has to have exactly the given value.
fn read_pairs(raw: &RawValue, path: &str, reader: &mut TreeReader<'_>) -> Result<Node, Unreadable> {
    let pairs: serde_json::Map<String, Value> = serde_json::from_str(raw.get())
        .map_err(|error| reader.unreadable(path, &error.to_string()))?;
    let leaves = pairs.into_iter().map(|(key, value)| Node::Leaf {
        key: key.into(),
        test: Test::compile(Operator::Exact, Some(&value)),
        metadata: false,
        negation: false,
    });
    Ok(Node::All(leaves.collect()))
}
