//! A project's definitions as they are stored, and what a change would do to them as a whole.
//!
//! The rules are those of the evaluation core, as the project file asks them too. What is wrong already is nobody's fault
//! who changes something else.

#[cfg(test)]
mod tests;

use super::filters;
use crate::error::Invalid;
use crate::project_file::{Node, Value, cohort_definitions, flag_definitions, parse};
use burgee_evaluation::definition::{Fault, GroupTypes, faults};
use burgee_schema::models::{CohortRow, FlagRow, GroupTypeRow};
use std::collections::HashSet;

/// Flags and cohorts that are not deleted, and the names of group types.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// The flags.
    pub flags: Vec<FlagRow>,
    /// The cohorts.
    pub cohorts: Vec<CohortRow>,
    /// The group types.
    pub group_types: Vec<GroupTypeRow>,
}

impl Definitions {
    /// Returns a flag.
    pub fn flag(&self, id: i32) -> Option<&FlagRow> {
        self.flags.iter().find(|flag| flag.id == id)
    }

    /// Returns whether another flag than this one has a key.
    pub fn has_key(&self, key: &str, other_than: Option<i32>) -> bool {
        let mut flags = self.flags.iter();
        flags.any(|flag| flag.key == key && Some(flag.id) != other_than)
    }

    /// Returns whether there is a cohort.
    pub fn has_cohort(&self, id: i64) -> bool {
        self.cohort(id).is_some()
    }

    fn cohort(&self, id: i64) -> Option<&CohortRow> {
        self.cohorts.iter().find(|cohort| cohort.id == id)
    }

    /// Returns whether there is a group type.
    pub fn has_group_type(&self, index: i64) -> bool {
        let mut types = self.group_types.iter();
        types.any(|it| i64::from(it.group_type_index) == index)
    }

    /// Returns whether a flag has a variant.
    pub fn has_variant(flag: &FlagRow, key: &str) -> bool {
        let filters = parse("flag.json", &flag.filters);
        filters.is_ok_and(|filters| filters::variant_keys(&filters).iter().any(|it| it == key))
    }

    /// Returns whether a cohort, or one it refers to, has conditions on what people did.
    pub fn is_behavioral(&self, id: i64) -> bool {
        let mut open = vec![id];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            let Some(cohort) = self.cohort(id).filter(|_| seen.insert(id)) else {
                continue;
            };
            let content = content(cohort);
            if content.is_behavioral {
                return true;
            }
            open.extend(content.cohorts);
        }
        false
    }

    /// Returns the key of a flag that refers to a cohort, directly or through others.
    pub fn user_of(&self, cohort: i64) -> Option<&str> {
        let mut users = HashSet::from([cohort]);
        // Each round adds those that refer to a known one; there are no more rounds than cohorts.
        loop {
            let is_new = |it: &&CohortRow| {
                !users.contains(&it.id) && content(it).cohorts.iter().any(|id| users.contains(id))
            };
            let more: Vec<i64> = self.cohorts.iter().filter(is_new).map(|it| it.id).collect();
            if more.is_empty() {
                break;
            }
            users.extend(more);
        }
        let mut flags = self.flags.iter();
        let user = flags.find(|flag| {
            let filters = parse("flag.json", &flag.filters);
            filters.is_ok_and(|filters| {
                let mut found = Content::default();
                collect(&filters, &mut found);
                found.cohorts.iter().any(|id| users.contains(id))
            })
        });
        user.map(|flag| flag.key.as_str())
    }

    /// Checks what a flag would do to all definitions, itself included.
    pub fn check_flag(&self, flag: &FlagRow) -> Result<(), Invalid> {
        let mut after = self.clone();
        after.flags.retain(|other| other.id != flag.id);
        if !flag.deleted {
            after.flags.push(flag.clone());
        }
        self.check(&after, &format!("flag `{}`", flag.key), flag.deleted)
    }

    /// Checks what a cohort would do to all definitions, itself included.
    pub fn check_cohort(&self, cohort: &CohortRow) -> Result<(), Invalid> {
        let mut after = self.clone();
        after.cohorts.retain(|other| other.id != cohort.id);
        if !cohort.deleted {
            after.cohorts.push(cohort.clone());
        }
        self.check(&after, &format!("cohort {}", cohort.id), cohort.deleted)
    }

    fn check(&self, after: &Self, own: &str, is_deleted: bool) -> Result<(), Invalid> {
        let found = after.faults();
        if found.is_empty() {
            return Ok(());
        }
        let known: HashSet<(String, String)> = self
            .faults()
            .into_iter()
            .map(|(name, fault)| (name, fault.message))
            .collect();
        let mut found = found.into_iter();
        let is_new = |(name, fault): &(String, Fault)| {
            !known.contains(&(name.clone(), fault.message.clone()))
        };
        let Some((name, Fault { path, message })) = found.find(is_new) else {
            return Ok(());
        };
        if message.contains("itself: ") {
            let detail = format!("Circular dependencies are not allowed: {name} {message}");
            return Err(Invalid::input("filters", detail));
        }
        if name == own {
            return Err(Invalid::input(attr(&path), sentence(&message)));
        }
        let at = if is_deleted { "deleted" } else { "filters" };
        let detail = format!("This would break {name}: {message}");
        Err(Invalid::input(at, detail))
    }

    /// Returns what the core finds wrong: the definition's name, and what it is, with a path inside the definition.
    fn faults(&self) -> Vec<(String, Fault)> {
        // References count whether a flag is active or not: it may be tomorrow.
        let mut flags = flag_definitions(&self.flags);
        for flag in &mut flags {
            (flag.active, flag.archived) = (true, false);
        }
        let cohorts = cohort_definitions(&self.cohorts);
        let types = self
            .group_types
            .iter()
            .filter_map(|row| Some((row.name.clone(), u8::try_from(row.group_type_index).ok()?)));
        let types = GroupTypes {
            types: types.collect(),
        };
        let named = |fault: Fault| {
            let (list, rest) = fault.path.split_once('[').unwrap_or_default();
            let (index, path) = rest.split_once(']').unwrap_or_default();
            let index = index.parse().unwrap_or(usize::MAX);
            let name = match list {
                "flags" => self.flags.get(index).map(|it| format!("flag `{}`", it.key)),
                _ => self
                    .cohorts
                    .get(index)
                    .map(|it| format!("cohort {}", it.id)),
            };
            let path = path.trim_start_matches('.').to_owned();
            let message = fault.message;
            (name.unwrap_or_default(), Fault { path, message })
        };
        faults(&flags, &cohorts, &types)
            .into_iter()
            .map(named)
            .collect()
    }
}

/// What the conditions of a cohort or a flag mention.
#[derive(Debug, Default)]
struct Content {
    cohorts: Vec<i64>,
    is_behavioral: bool,
}

fn content(cohort: &CohortRow) -> Content {
    let mut found = Content::default();
    if cohort.is_static {
        return found;
    }
    for text in [&cohort.filters, &cohort.groups].into_iter().flatten() {
        if let Ok(node) = parse("cohort.json", text) {
            collect(&node, &mut found);
        }
    }
    found
}

/// Notes what a tree of conditions mentions; its depth is bounded by the reader.
fn collect(node: &Node, found: &mut Content) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(members) => {
            let is = |name: &str, text: &str| matches!(node.get(name).map(|it| &it.value), Some(Value::Text(found)) if found == text);
            let names = |name: &str| matches!(node.get(name).map(|it| &it.value), Some(value) if *value != Value::Null);
            if is("type", "cohort")
                && let Some(Value::Number(id)) = node.get("value").map(|it| &it.value)
            {
                found.cohorts.extend(id.parse::<i64>());
            }
            found.is_behavioral |= is("type", "behavioral")
                || is("type", "lifecycle")
                || names("action_id")
                || names("event_id");
            for (_, member) in members {
                collect(member, found);
            }
        }
        _ => {}
    }
}

/// Returns a member's name from a path such as `filters.groups[0].properties[1].operator`.
fn attr(path: &str) -> String {
    path.replace('[', ".").replace(']', "").replace('.', "__")
}

/// Makes a sentence of a fault's message.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), chars.as_str())
}
