//! Dynamic cohorts as SDKs read them (section 4.2): id → property group.
//!
//! What is left out is asked of the server, so everything is left out that an SDK would not decide as the server does: static
//! cohorts, what evaluation cannot read or does not resolve, and circles.

use super::json::{Members, Object, list, text};
use super::spelling::Spelling;
use burgee_schema::models::CohortRow;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many groups may stand inside each other (evaluation section 1.6).
const DEEPEST: usize = 64;

/// A property group as it is written, and the cohorts it names.
struct Group {
    json: Vec<u8>,
    names: BTreeSet<i64>,
}

/// Why a cohort is left to the server. There is nothing to tell: evaluation has said it.
struct Left;

/// Writes the cohorts of these ids, and those that they name, by id.
pub(super) fn write_all(
    out: &mut Vec<u8>,
    rows: &[CohortRow],
    named: BTreeSet<i64>,
) -> serde_json::Result<()> {
    let rows: HashMap<i64, &CohortRow> = rows.iter().map(|row| (row.id, row)).collect();
    let mut groups = BTreeMap::new();
    let mut open: Vec<i64> = named.into_iter().collect();
    while let Some(id) = open.pop() {
        if groups.contains_key(&id) {
            continue;
        }
        let Some(group) = rows.get(&id).and_then(|row| group(row)) else {
            continue;
        };
        open.extend(&group.names);
        groups.insert(id, group);
    }
    let circles = circles(&groups);
    let mut cohorts = Object::open(out);
    for (id, group) in groups.iter().filter(|(id, _)| !circles.contains(*id)) {
        cohorts
            .name(&id.to_string())?
            .extend_from_slice(&group.json);
    }
    cohorts.close();
    Ok(())
}

/// Returns the cohorts that are in a circle, or behind one: an SDK would follow it for ever.
fn circles(groups: &BTreeMap<i64, Group>) -> BTreeSet<i64> {
    let mut left: BTreeSet<i64> = groups.keys().copied().collect();
    loop {
        let is_stuck = |id: &i64| {
            let names = groups.get(id).map(|group| &group.names);
            names.is_some_and(|names| names.iter().any(|name| left.contains(name)))
        };
        let stuck: BTreeSet<i64> = left.iter().copied().filter(is_stuck).collect();
        if stuck.len() == left.len() {
            return stuck;
        }
        left = stuck;
    }
}

/// Returns a cohort's property group.
fn group(row: &CohortRow) -> Option<Group> {
    if row.is_static || row.deleted {
        return None;
    }
    let filters = row.filters.as_deref().filter(|json| *json != "null");
    let filters = Members::of(filters.unwrap_or("{}"))?;
    let mut group = Group {
        json: Vec::new(),
        names: BTreeSet::new(),
    };
    let written = if filters.is_empty() {
        group.legacy(row.groups.as_deref().unwrap_or("null"))
    } else {
        let tree = filters.get("properties").and_then(Members::of);
        tree.ok_or(Left).and_then(|tree| group.top(&tree))
    };
    written.ok().map(|()| group)
}

impl Group {
    /// Writes the outermost group.
    fn top(&mut self, tree: &Members<'_>) -> Result<(), Left> {
        match tree.text("type").as_deref() {
            Some("AND" | "OR") => self.tree(tree, 1),
            _ => Err(Left),
        }
    }

    fn tree(&mut self, tree: &Members<'_>, depth: usize) -> Result<(), Left> {
        let entries = tree.get("values").and_then(list).ok_or(Left)?;
        let kind = match tree.text("type").as_deref() {
            Some("AND" | "property") => "AND",
            // Nothing matches here; SDKs let everybody into a group without entries.
            Some("OR") if !entries.is_empty() => "OR",
            _ => return Err(Left),
        };
        if depth > DEEPEST {
            return Err(Left);
        }
        self.open(kind);
        for (index, entry) in entries.into_iter().enumerate() {
            self.comma(index);
            self.entry(entry, depth)?;
        }
        self.close();
        Ok(())
    }

    fn entry(&mut self, entry: &RawValue, depth: usize) -> Result<(), Left> {
        let members = Members::of(entry.get()).ok_or(Left)?;
        let kind = members.text("type").unwrap_or_default();
        if members.text("key").is_some() && is_leaf_type(&kind) {
            self.leaf(&members, &kind)
        } else if members.get("values").is_some() {
            self.tree(&members, depth + 1)
        } else {
            Err(Left)
        }
    }

    /// Writes a filter of a known type that has a key.
    fn leaf(&mut self, members: &Members<'_>, kind: &str) -> Result<(), Left> {
        if kind == "cohort" {
            self.names.insert(members.integer("value").ok_or(Left)?);
        }
        let spelling = Spelling::of(members);
        let mut leaf = Object::open(&mut self.json);
        for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
            spelling.write(&mut leaf, name, value)?;
        }
        text(leaf.name("type")?, kind)?;
        if members.get("value").is_none() {
            leaf.raw("value", "null")?;
        }
        leaf.close();
        Ok(())
    }

    /// Writes the older form (evaluation section 6.4): any of some entries.
    fn legacy(&mut self, json: &str) -> Result<(), Left> {
        let entries = list(json)
            .filter(|entries| !entries.is_empty())
            .ok_or(Left)?;
        self.open("OR");
        for (index, entry) in entries.into_iter().enumerate() {
            self.comma(index);
            let entry = Members::of(entry.get()).ok_or(Left)?;
            let is_behavioral = |name| entry.get(name).is_some_and(|json| json != "null");
            if is_behavioral("action_id") || is_behavioral("event_id") {
                return Err(Left);
            }
            self.legacy_properties(entry.get("properties").ok_or(Left)?)?;
        }
        self.close();
        Ok(())
    }

    fn legacy_properties(&mut self, json: &str) -> Result<(), Left> {
        if let Some(filters) = list(json).filter(|filters| !filters.is_empty()) {
            self.open("AND");
            for (index, filter) in filters.into_iter().enumerate() {
                self.comma(index);
                self.legacy_filter(filter)?;
            }
            self.close();
            return Ok(());
        }
        let members = Members::of(json).ok_or(Left)?;
        match (members.get("type"), members.get("values")) {
            (Some(_), Some(_)) => self.tree(&members, 1),
            (None, None) if !members.is_empty() => self.pairs(&members),
            _ => Err(Left),
        }
    }

    /// Writes a filter, whose type may be missing or that of an event and is then a person's.
    fn legacy_filter(&mut self, filter: &RawValue) -> Result<(), Left> {
        let members = Members::of(filter.get()).ok_or(Left)?;
        let is_untyped = members.get("type").is_none_or(|json| json == "null");
        let kind = match members.text("type").as_deref() {
            None if is_untyped => "person".to_owned(),
            Some("event") => "person".to_owned(),
            kind => kind.unwrap_or_default().to_owned(),
        };
        if !is_leaf_type(&kind) || members.text("key").is_none() {
            return Err(Left);
        }
        self.leaf(&members, &kind)
    }

    /// Writes properties each of which has to have one value.
    fn pairs(&mut self, pairs: &Members<'_>) -> Result<(), Left> {
        self.open("AND");
        for (index, (name, value)) in pairs.iter().enumerate() {
            self.comma(index);
            let mut leaf = Object::open(&mut self.json);
            leaf.optional("key", Some(name))?;
            leaf.raw("value", value)?;
            leaf.raw("operator", r#""exact""#)?;
            leaf.raw("type", r#""person""#)?;
            leaf.close();
        }
        self.close();
        Ok(())
    }

    fn open(&mut self, kind: &str) {
        self.json.extend_from_slice(b"{\"type\":\"");
        self.json.extend_from_slice(kind.as_bytes());
        self.json.extend_from_slice(b"\",\"values\":[");
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.json.push(b',');
        }
    }

    fn close(&mut self) {
        self.json.extend_from_slice(b"]}");
    }
}

/// Writing into memory does not fail; should it, the server can still be asked.
impl From<serde_json::Error> for Left {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// Returns whether an entry of this type is a filter that an SDK takes for the same one. A filter on a flag is not: inside a
/// cohort it reads a person's property here.
fn is_leaf_type(kind: &str) -> bool {
    matches!(kind, "person" | "person_metadata" | "group" | "cohort")
}
