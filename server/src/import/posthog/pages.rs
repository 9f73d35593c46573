//! Finds flags, cohorts and group types in whatever holds them: pages, lists of pages, lists of objects.

use crate::import::Notes;
use crate::import::value::{as_number, items, text_of};
use crate::project_file::{Name, Node, Value};

/// What the files hold.
#[derive(Debug, Default)]
pub(super) struct Pages<'n> {
    pub(super) flags: Vec<&'n Node>,
    pub(super) cohorts: Vec<&'n Node>,
    types: Vec<&'n Node>,
}

impl<'n> Pages<'n> {
    /// Collects the objects of all files, and notes pages that seem to be missing.
    pub(super) fn read(files: &'n [Node], notes: &mut Notes) -> Self {
        let mut pages = Self::default();
        let mut counts = (0.0, 0.0);
        for file in files {
            pages.collect(file, &mut counts, notes);
        }
        let found = [
            ("flags", counts.0, pages.flags.len()),
            ("cohorts", counts.1, pages.cohorts.len()),
        ];
        for (name, told, found) in found {
            // Numbers of things are small enough for a double.
            if told > f64::from(u32::try_from(found).unwrap_or(u32::MAX)) {
                let message =
                    format!("the pages tell of {told} in all, and only {found} are in the files");
                notes.left_out(name, message);
            }
        }
        pages
    }

    fn collect(&mut self, node: &'n Node, counts: &mut (f64, f64), notes: &mut Notes) {
        match &node.value {
            Value::List(items) => {
                for item in items {
                    self.collect(item, counts, notes);
                }
            }
            Value::Map(_) if node.get("results").is_some() => {
                let (flags, cohorts) = (self.flags.len(), self.cohorts.len());
                for result in items(node, "results") {
                    self.collect(result, counts, notes);
                }
                let count = node.get("count").and_then(as_number).unwrap_or(0.0);
                if self.flags.len() > flags {
                    counts.0 = count.max(counts.0);
                } else if self.cohorts.len() > cohorts {
                    counts.1 = count.max(counts.1);
                }
            }
            Value::Map(_) if text_of(node, "group_type").is_some() => self.types.push(node),
            Value::Map(_) if text_of(node, "key").is_some() => self.flags.push(node),
            Value::Map(_) if is_cohort(node) => self.cohorts.push(node),
            Value::Map(members) => self.collect_members(members, node, counts, notes),
            _ => notes.skipped(&place(node), "neither a page nor an object of PostHog"),
        }
    }

    /// Collects the lists of an object such as `{"feature_flags": …, "cohorts": …}`.
    fn collect_members(
        &mut self,
        members: &'n [(Name, Node)],
        node: &'n Node,
        counts: &mut (f64, f64),
        notes: &mut Notes,
    ) {
        let lists = [
            "feature_flags",
            "flags",
            "cohorts",
            "groups_types",
            "group_types",
        ];
        let mut found = false;
        for (name, member) in members {
            if lists.contains(&name.text.as_str()) {
                found = true;
                self.collect(member, counts, notes);
            }
        }
        if !found {
            notes.left_out(
                &place(node),
                "neither a flag nor a cohort nor a page of them",
            );
        }
    }

    /// Returns the names of the group types, by index.
    pub(super) fn group_types(&self, notes: &mut Notes) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut types: Vec<(f64, &str)> = (self.types.iter())
            .filter_map(|node| {
                let index = node.get("group_type_index").and_then(as_number)?;
                Some((index, text_of(node, "group_type")?))
            })
            .collect();
        types.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (index, name) in types {
            let next = f64::from(u32::try_from(names.len()).unwrap_or(u32::MAX));
            if index == next {
                names.push(name.to_owned());
            } else {
                let message = format!("its index {index} does not follow the one before");
                notes.left_out(&format!("group type {name}"), message);
            }
        }
        names
    }
}

fn is_cohort(node: &Node) -> bool {
    let has = |name: &str| node.get(name).is_some();
    has("id") && (has("is_static") || has("filters") || has("groups"))
}

fn place(node: &Node) -> String {
    format!("value at {}", node.place)
}
