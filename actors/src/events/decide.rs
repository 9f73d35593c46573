//! What an event changes (section 7.3 to 7.5). Pure: an event in, a decision out.

#[cfg(test)]
mod tests;

use super::event::{Event, GroupMembers, PropertyMembers};
use super::metrics::Dropped;
use burgee_evaluation::bucketing::cut_identifier;
use burgee_schema::models::{GroupChange, Merge, PersonChange};

/// Ids that say nothing about who somebody is, in any case.
pub const FORBIDDEN_IDS: [&str; 10] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
];

/// The same in exactly this case.
const FORBIDDEN_EXACTLY: [&str; 6] = ["[object Object]", "NaN", "None", "none", "null", "0"];

/// Type names and keys of groups may have this many characters: databases do not index longer texts.
const MAX_GROUP_TEXT: usize = 400;

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It changes a person, a group, or both.
    Write {
        person: Option<PersonChange>,
        group: Option<GroupChange>,
    },
    /// It says that a flag was called; with the value as JSON text.
    Called { flag: String, value: String },
    /// It changes nothing.
    Drop(Dropped),
}

/// Decides what an event changes.
pub(super) fn decide(event: Event) -> Decision {
    if event.name == "$feature_flag_called" {
        return called(event);
    }
    if !event.has_profile {
        return Decision::Drop(Dropped::Personless);
    }
    if !is_storable(&event.distinct_id) {
        return Decision::Drop(Dropped::Invalid);
    }
    let is_group = event.name == "$groupidentify";
    let properties = match event.name.as_str() {
        "$exception" | "$$heatmap" => PropertyMembers::default(),
        _ => merged(event.beside, event.inside),
    };
    let group = is_group.then(|| group_change(event.group)).flatten();
    let merge = merge(
        &event.name,
        &event.distinct_id,
        event.anonymous_id,
        event.alias,
    );
    let person = creates_person(&event.name, &properties).then(|| PersonChange {
        distinct_id: event.distinct_id,
        merge,
        set_once: properties.set_once.unwrap_or_default(),
        set: properties.set.unwrap_or_default(),
        unset: properties.unset.unwrap_or_default(),
    });
    match (person, group) {
        (None, None) if is_group => Decision::Drop(Dropped::Invalid),
        (None, None) => Decision::Drop(Dropped::NotWanted),
        (person, group) => Decision::Write { person, group },
    }
}

fn called(event: Event) -> Decision {
    match event.flag {
        Some(flag) => Decision::Called {
            flag,
            value: event.flag_value.unwrap_or_else(|| "null".to_owned()),
        },
        None => Decision::Drop(Dropped::Invalid),
    }
}

/// Whether an event has to do with a person. One about a group does only when it brings properties for the person too: its
/// distinct id may be anybody's, or nobody's.
fn creates_person(name: &str, properties: &PropertyMembers) -> bool {
    let PropertyMembers {
        set,
        set_once,
        unset,
    } = properties;
    match name {
        "$identify" | "$create_alias" | "$merge_dangerously" | "$set" => true,
        "$groupidentify" => {
            let any = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
            any(set) || any(set_once) || unset.as_ref().is_some_and(|names| !names.is_empty())
        }
        _ => set.is_some() || set_once.is_some() || unset.is_some(),
    }
}

/// Joins what stands beside `properties` and what stands inside; of two values for a name the inner one comes last, and so
/// wins. `$set_once` keeps the first, so there the inner ones come first.
fn merged(beside: PropertyMembers, inside: PropertyMembers) -> PropertyMembers {
    PropertyMembers {
        set: chain(beside.set, inside.set),
        set_once: chain(inside.set_once, beside.set_once),
        unset: chain(beside.unset, inside.unset),
    }
}

fn chain<T>(first: Option<Vec<T>>, second: Option<Vec<T>>) -> Option<Vec<T>> {
    match (first, second) {
        (Some(mut first), Some(second)) => {
            first.extend(second);
            Some(first)
        }
        (first, second) => first.or(second),
    }
}

/// Returns the id to merge: another one than the event's, and both of them allowed.
fn merge(
    name: &str,
    distinct_id: &str,
    anonymous_id: Option<String>,
    alias: Option<String>,
) -> Option<Merge> {
    let other = match name {
        "$identify" => anonymous_id?,
        "$create_alias" | "$merge_dangerously" => alias?,
        _ => return None,
    };
    let other = cut_identifier(&other);
    let is_allowed = |id: &str| is_storable(id) && !is_forbidden(id);
    (other != distinct_id && is_allowed(other) && is_allowed(distinct_id)).then(|| Merge {
        other: other.to_owned(),
        is_forced: name == "$merge_dangerously",
    })
}

/// Whether an id names nobody in particular.
fn is_forbidden(id: &str) -> bool {
    let bare = |quote: char| {
        id.strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    let id = bare('"').or_else(|| bare('\'')).unwrap_or(id);
    id.trim().is_empty()
        || FORBIDDEN_EXACTLY.contains(&id)
        || FORBIDDEN_IDS
            .iter()
            .any(|other| other.eq_ignore_ascii_case(id))
}

fn group_change(members: GroupMembers) -> Option<GroupChange> {
    let is_usable = |text: &String| {
        !text.is_empty() && text.chars().count() <= MAX_GROUP_TEXT && is_storable(text)
    };
    Some(GroupChange {
        group_type: members.group_type.filter(is_usable)?,
        key: members.key.filter(is_usable)?,
        set: members.set.unwrap_or_default(),
    })
}

/// Postgres knows no zero byte in a text.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
