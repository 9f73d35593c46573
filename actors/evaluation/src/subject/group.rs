//! The groups of a request: keys and merged properties by type index (section 5.4).

use super::{Properties, StoredState, Subject};
use crate::{definition::GroupTypes, property::Completeness};
use serde_json::Value;

/// The property that holds the group's key; no other property of that name counts.
const GROUP_KEY: &str = "$group_key";

/// What is known about the groups of a request.
#[derive(Debug)]
pub(crate) struct GroupsView<'a> {
    /// One per group type of the project.
    groups: Vec<GroupView<'a>>,
    /// Whether the request mentions any group, known or not.
    pub(crate) mentioned: bool,
}

/// One group type of the project, as the request sees it.
#[derive(Debug)]
struct GroupView<'a> {
    index: i64,
    /// `None` if the request has no usable one.
    key: Option<&'a str>,
    key_value: Option<Value>,
    overrides: Option<&'a Properties>,
    stored: Option<&'a Properties>,
    completeness: Completeness,
}

impl<'a> GroupsView<'a> {
    /// Puts together what request and store say. `state` is `None` if the store was not read.
    pub(crate) fn new(
        types: Option<&'a GroupTypes>,
        subject: &'a Subject,
        state: Option<&'a StoredState>,
    ) -> Self {
        let view = |(name, index): &'a (String, u8)| {
            let key = usable_key(subject, name);
            GroupView {
                index: i64::from(*index),
                key,
                key_value: key.map(|key| Value::String(key.to_owned())),
                overrides: subject.group_properties.get(name),
                stored: key.and(state).and_then(|state| state.groups.get(index)),
                completeness: if key.is_some() && state.is_none() {
                    Completeness::Partial
                } else {
                    Completeness::Complete
                },
            }
        };
        Self {
            groups: types.map_or_else(Vec::new, |types| types.types.iter().map(view).collect()),
            mentioned: !subject.groups.is_empty(),
        }
    }

    /// Returns the usable key of a group type.
    pub(crate) fn key(&self, index: i64) -> Option<&'a str> {
        self.group(index)?.key
    }

    /// Returns a merged property, and whether its absence is certain.
    pub(crate) fn get(&self, index: Option<i64>, key: &str) -> (Option<&Value>, Completeness) {
        match index.map(|index| self.group(index)) {
            Some(Some(group)) => (group.get(key), group.completeness),
            // an index that is not in the mapping, while the request does speak of groups: it might be one of those
            Some(None) if self.mentioned => (None, Completeness::Partial),
            Some(None) | None => (None, Completeness::Complete),
        }
    }

    fn group(&self, index: i64) -> Option<&GroupView<'a>> {
        self.groups.iter().find(|group| group.index == index)
    }
}

impl GroupView<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        match &self.key_value {
            Some(value) if key == GROUP_KEY => Some(value),
            _ => self
                .overrides
                .and_then(|overrides| overrides.get(key))
                .or_else(|| self.stored?.get(key)),
        }
    }
}

/// Returns whether the store is needed for a property of a group: the group is usable, and the request does not have it.
pub(crate) fn needs_store(types: &GroupTypes, subject: &Subject, index: i64, key: &str) -> bool {
    let name = u8::try_from(index).ok().and_then(|index| types.name(index));
    name.is_some_and(|name| {
        let overrides = subject.group_properties.get(name);
        usable_key(subject, name).is_some()
            && key != GROUP_KEY
            && !overrides.is_some_and(|overrides| overrides.contains_key(key))
    })
}

fn usable_key<'a>(subject: &'a Subject, name: &str) -> Option<&'a str> {
    let key = subject.groups.get(name)?.as_deref()?;
    (!key.is_empty()).then_some(key)
}
