//! The public JSON shape of a flag (section 1), and its compiled form.
//!
//! Compiling parses everything once (patterns, texts, percentages, hash prefixes, the dependency order), so that a wrong
//! flag cannot be held: it is dropped with a reason, and its neighbours stay (section 1.8).

mod check;
mod cost;
pub(crate) mod filters;
mod flag;
pub(crate) mod needs;
mod read;

pub use check::faults;
pub use filters::payload_text;
pub use flag::Flag;
pub use read::Fault;
pub(crate) use read::{Faults, Object};

use crate::{
    FlagId,
    dependency::{Graph, Order},
    outcome::FailureCode,
    selection::Standard,
};
use filters::{Condition, Filter, Format, Source};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// A flag as it is stored and written in project files (section 1.1). Unknown fields are ignored.
#[derive(Debug, Clone, Deserialize)]
pub struct FlagDefinition {
    /// Its id.
    pub id: FlagId,
    /// Its key, hashed as it is.
    pub key: String,
    /// `filters`, as JSON text: it is read when the flag is compiled.
    pub filters: Box<RawValue>,
    /// Inactive flags are left out of answers.
    #[serde(default)]
    pub active: bool,
    /// Archived counts as inactive.
    #[serde(default)]
    pub archived: bool,
    /// As if it did not exist.
    #[serde(default)]
    pub deleted: bool,
    /// Section 5.7.
    #[serde(default)]
    pub ensure_experience_continuity: Option<bool>,
    /// Row counter.
    #[serde(default)]
    pub version: Option<i64>,
    /// `server`, `client` or `all`.
    #[serde(default)]
    pub evaluation_runtime: Option<String>,
    /// Contexts (section 9.3).
    #[serde(default, alias = "evaluation_tags")]
    pub evaluation_contexts: Option<Vec<String>>,
    /// `device_id` or anything else.
    #[serde(default)]
    pub bucketing_identifier: Option<String>,
    /// Copied to the answer.
    #[serde(default)]
    pub has_experiment: Option<bool>,
    /// Whether its payload is its value. Nothing in evaluation depends on it.
    #[serde(default)]
    pub is_remote_configuration: Option<bool>,
}

/// The group types of a project: name ↔ index 0…4. Names are case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupTypes {
    /// Name and index, at most five.
    pub types: Vec<(String, u8)>,
}

impl GroupTypes {
    /// Returns the index of a type name.
    pub fn index(&self, name: &str) -> Option<u8> {
        self.types.iter().find(|(n, _)| n == name).map(|(_, i)| *i)
    }

    /// Returns the name of a type index.
    pub fn name(&self, index: u8) -> Option<&str> {
        self.types
            .iter()
            .find(|(_, i)| *i == index)
            .map(|(n, _)| n.as_str())
    }
}

/// Where a flag may be evaluated (section 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    All,
    Server,
    Client,
}

impl Runtime {
    /// Reads the wire name, in any case; any other text counts as `all`.
    pub(crate) fn of(name: Option<&str>) -> Self {
        match name {
            Some(name) if name.eq_ignore_ascii_case("server") => Self::Server,
            Some(name) if name.eq_ignore_ascii_case("client") => Self::Client,
            _ => Self::All,
        }
    }
}

/// A flag that was dropped because it cannot be read (section 1.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedFlag {
    /// Its id.
    pub id: FlagId,
    /// Its key.
    pub key: String,
    /// Why, for the log: a path inside `filters` and what is wrong there.
    pub reason: String,
}

/// The compiled flags of one project. Immutable; readers share it behind an `Arc`.
#[derive(Debug)]
pub struct Definitions {
    /// Ascending by key. A flag's place in this list is its name inside the core.
    pub(crate) flags: Vec<Flag>,
    /// What depends on what, over all flags that are not deleted, active or not.
    pub(crate) graph: Graph,
    /// The order in which they can be evaluated; those in a cycle, or behind one, have no place in it.
    pub(crate) order: Order,
    /// Whether any flag depends on another, so that values have to be kept while a request is evaluated.
    pub(crate) has_dependencies: bool,
    /// How many person properties the flags ask for, each by a number of its own.
    pub(crate) person_slots: usize,
    /// The selections of requests that name neither keys nor contexts.
    pub(crate) standard: Standard,
    places: HashMap<Box<str>, usize>,
    sticky_keys: Vec<Box<str>>,
    group_types: Result<GroupTypes, FailureCode>,
    /// See [`Definitions::derived`].
    derived: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Definitions {
    /// Compiles the flags of a project.
    ///
    /// `group_types` is the project's mapping, or the reason why it could not be loaded (section 8.4).
    pub fn compile(
        flags: Vec<FlagDefinition>,
        group_types: Result<GroupTypes, FailureCode>,
    ) -> (Self, Vec<DroppedFlag>) {
        let (mut flags, dropped) = read_flags(flags);
        let (graph, missing) = link_flags(&mut flags);
        let missing = graph.spread_to_referrers(missing);
        for (flag, missing) in flags.iter_mut().zip(missing) {
            flag.missing_dependency = missing;
        }
        let person_slots = number_properties(&mut flags);
        let order = graph.order();
        let standard = Standard::of(&flags, &order);
        let definitions = Self {
            places: flags
                .iter()
                .enumerate()
                .map(|(place, flag)| (flag.key.clone(), place))
                .collect(),
            sticky_keys: flags
                .iter()
                .filter(|flag| flag.active && flag.continuity)
                .map(|flag| flag.key.clone())
                .collect(),
            flags,
            has_dependencies: order.stages.iter().any(|&stage| stage != Some(0)),
            graph,
            order,
            person_slots,
            standard,
            group_types,
            derived: OnceLock::new(),
        };
        (definitions, dropped)
    }

    /// Returns the flag of a key.
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.get(self.place(key)?)
    }

    /// Returns the place of a key.
    pub(crate) fn place(&self, key: &str) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// Returns whether a condition of a flag, another flag, and all that the other depends on are about the flag's own subject:
    /// persons, or groups of one type. Whoever evaluates with one subject at hand can then follow the dependency.
    pub fn shares_subject(&self, key: &str, condition: usize, other: &str) -> bool {
        let (Some(flag), Some(other)) = (self.flag(key), self.place(other)) else {
            return false;
        };
        let is_own = |condition: &Condition| condition.aggregation == flag.aggregation;
        let is_alike = |place: &usize| {
            let other = self.flags.get(*place);
            other.is_some_and(|other| {
                other.aggregation == flag.aggregation && other.conditions.iter().all(is_own)
            })
        };
        flag.conditions.get(condition).is_some_and(is_own)
            && self.graph.closure([other]).iter().all(is_alike)
    }

    /// Returns the keys of all flags that a flag's value depends on, each after those that it depends on itself, its own key
    /// last.
    ///
    /// `None` where there is no such order of flags that can be read: the flag does not exist, or it or one of the others is
    /// in a circle, refers to a flag that does not exist, or has a format that is not known here.
    pub fn dependency_chain(&self, key: &str) -> Option<Vec<&str>> {
        let place = self.place(key)?;
        if self.flags.get(place)?.missing_dependency {
            return None;
        }
        let mut chain = Vec::new();
        for place in self.graph.closure([place]) {
            let stage = self.order.stages.get(place).copied().flatten()?;
            let flag = self.flags.get(place).filter(|flag| flag.supported)?;
            chain.push((stage, &*flag.key));
        }
        chain.sort_unstable();
        Some(chain.into_iter().map(|(_, key)| key).collect())
    }

    /// Returns the group types, or why they could not be loaded.
    pub fn group_types(&self) -> &Result<GroupTypes, FailureCode> {
        &self.group_types
    }

    /// Returns how many flags there are; their places are below it.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Returns whether there is no flag.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Returns what the reader of answers derives from the definitions: made at the first call, and kept as long as they are.
    ///
    /// What it is, the core does not know. There is room for one thing; whoever asks for another type gets `None`.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        self.derived
            .get_or_init(|| Box::new(make(self)))
            .downcast_ref()
    }

    /// Returns the keys of all sticky-marked flags of the project (active, not deleted, `ensure_experience_continuity`),
    /// for which hash keys are written (section 5.7).
    pub fn sticky_keys(&self) -> &[Box<str>] {
        &self.sticky_keys
    }
}

/// Reads every flag that is not deleted, sorted by key, and drops those that cannot be read or that repeat another one.
fn read_flags(mut definitions: Vec<FlagDefinition>) -> (Vec<Flag>, Vec<DroppedFlag>) {
    definitions.retain(|definition| !definition.deleted);
    definitions.sort_by(|a, b| (&a.key, a.id).cmp(&(&b.key, b.id)));
    let mut flags: Vec<Flag> = Vec::with_capacity(definitions.len());
    let mut ids = HashSet::with_capacity(definitions.len());
    let mut dropped = Vec::new();
    for definition in definitions {
        let mut faults = Faults::default();
        let format = filters::read(&definition.filters, &mut faults);
        let fault = match format {
            Format::Unsupported => None,
            Format::Readable(_) => faults.0.first().map(Fault::to_string),
        };
        let same_key = flags
            .last()
            .is_some_and(|flag| *flag.key == *definition.key);
        let reason = if same_key {
            Some("its key is used twice".to_owned())
        } else if fault.is_none() && !ids.insert(definition.id) {
            Some("its id is used twice".to_owned())
        } else {
            fault
        };
        match reason {
            Some(reason) => dropped.push(DroppedFlag {
                id: definition.id,
                key: definition.key,
                reason,
            }),
            None => flags.push(Flag::new(definition, format)),
        }
    }
    (flags, dropped)
}

/// Resolves the references between flags; the marks say which flags refer to one that does not exist.
fn link_flags(flags: &mut [Flag]) -> (Graph, Vec<bool>) {
    let places: HashMap<FlagId, usize> = flags
        .iter()
        .enumerate()
        .map(|(place, flag)| (flag.id, place))
        .collect();
    let (targets, missing): (Vec<_>, Vec<_>) = flags
        .iter_mut()
        .map(|flag| flag.link(|id| places.get(&id).copied()))
        .unzip();
    (Graph::new(targets), missing)
}

/// Numbers the names of person properties, so that a request looks each of them up once for all flags that ask for it.
fn number_properties(flags: &mut [Flag]) -> usize {
    let mut numbers: HashMap<Box<str>, usize> = HashMap::new();
    let conditions = flags.iter_mut().flat_map(|flag| &mut flag.conditions);
    for filter in conditions.flat_map(|condition| &mut condition.filters) {
        if let Filter::Property {
            source: Source::Person,
            key,
            slot,
            ..
        } = filter
        {
            let next = numbers.len();
            *slot = *numbers.entry(key.clone()).or_insert(next);
        }
    }
    numbers.len()
}

#[cfg(test)]
mod tests;
