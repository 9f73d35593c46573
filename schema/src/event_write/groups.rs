//! Groups as events change them, in memory, and the group types that come with them.
//!
//! Pure. A type that is not known gets the smallest free index; a project has five at most, and further ones are nothing.

#[cfg(test)]
mod tests;

use super::properties::Properties;
use crate::models::{GroupChange, GroupRow, GroupTypeRow};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many group types a project may have.
const MAX_TYPES: i16 = 5;

/// Project, type name and key of a group.
pub(super) type GroupKey = (i64, String, String);

/// A group of a known type: the type's index, and the properties if it is stored.
pub(super) type StoredGroup = (i16, Option<String>);

/// All groups that some events may touch.
#[derive(Debug, Default)]
pub(super) struct Groups {
    wanted: Vec<GroupKey>,
    groups: BTreeMap<GroupKey, Group>,
    /// By project, for those that may get a new type.
    types: HashMap<i64, Vec<GroupTypeRow>>,
    new_types: Vec<GroupTypeRow>,
}

#[derive(Debug, Default)]
struct Group {
    index: Option<i16>,
    properties: Properties,
    is_stored: bool,
    is_changed: bool,
}

impl Groups {
    /// Notes which group a change is about.
    pub(super) fn want(&mut self, project_id: i64, change: &GroupChange) {
        let key = (project_id, change.group_type.clone(), change.key.clone());
        if let std::collections::btree_map::Entry::Vacant(entry) = self.groups.entry(key.clone()) {
            entry.insert(Group::default());
            self.wanted.push(key);
        }
    }

    /// Returns the groups that must be read.
    pub(super) fn wanted(&self) -> &[GroupKey] {
        &self.wanted
    }

    /// Takes what was read: the index of a wanted group, counted from 0, and what is stored. Only those with a known type
    /// are found.
    pub(super) fn found(&mut self, found: Vec<(usize, StoredGroup)>) {
        for (index, (type_index, properties)) in found {
            let key = self.wanted.get(index);
            if let Some(group) = key.and_then(|key| self.groups.get_mut(key)) {
                group.index = Some(type_index);
                group.is_stored = properties.is_some();
                let properties = properties.as_deref().and_then(Properties::read);
                group.properties = properties.unwrap_or_default();
            }
        }
    }

    /// Returns the projects whose group types must be read, because some group's type is not known.
    pub(super) fn lack_types(&self) -> Option<Vec<i64>> {
        let unknown = self
            .groups
            .iter()
            .filter(|(_, group)| group.index.is_none());
        let projects: BTreeSet<i64> = unknown.map(|(key, _)| key.0).collect();
        (!projects.is_empty()).then(|| projects.into_iter().collect())
    }

    /// Takes the group types of these projects.
    pub(super) fn types_are(&mut self, types: Vec<GroupTypeRow>) {
        for row in types {
            self.types.entry(row.project_id).or_default().push(row);
        }
    }

    /// Applies a change; returns whether the group has a type to be of.
    pub(super) fn apply(&mut self, project_id: i64, change: &GroupChange) -> bool {
        let key = (project_id, change.group_type.clone(), change.key.clone());
        let known = self.groups.get(&key).and_then(|group| group.index);
        let Some(index) = known.or_else(|| self.type_index(project_id, &change.group_type)) else {
            return false;
        };
        let group = self.groups.entry(key).or_default();
        group.index = Some(index);
        group.is_changed |= !group.is_stored;
        for (name, value) in &change.set {
            group.is_changed |= group.properties.set(name, value);
        }
        true
    }

    /// Returns the index of a type, a new one if there is room.
    fn type_index(&mut self, project_id: i64, name: &str) -> Option<i16> {
        let types = self.types.entry(project_id).or_default();
        if let Some(known) = types.iter().find(|row| row.name == name) {
            return Some(known.group_type_index);
        }
        let is_free = |index: &i16| types.iter().all(|row| row.group_type_index != *index);
        let row = GroupTypeRow {
            project_id,
            group_type_index: (0..MAX_TYPES).find(is_free)?,
            name: name.to_owned(),
        };
        let index = row.group_type_index;
        types.push(row.clone());
        self.new_types.push(row);
        Some(index)
    }

    /// Returns the new types, and the groups that must be written.
    pub(super) fn changes(self) -> (Vec<GroupTypeRow>, Vec<GroupRow>) {
        let row = |((project_id, _, key), group): (GroupKey, Group)| {
            group
                .index
                .filter(|_| group.is_changed)
                .map(|index| GroupRow {
                    project_id,
                    group_type_index: index,
                    key,
                    properties: group.properties.write(),
                })
        };
        let rows = self.groups.into_iter().filter_map(row).collect();
        (self.new_types, rows)
    }
}
