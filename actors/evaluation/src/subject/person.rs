//! A person's merged properties (section 5.2), looked up one at a time instead of being copied together.

use super::{Properties, StoredPerson};
use crate::property::Completeness;
use chrono::SecondsFormat;
use serde_json::Value;
use std::cell::{Cell, OnceCell};

/// The property that holds the request's distinct id, unless the request sends one of that name.
const DISTINCT_ID: &str = "distinct_id";
/// The only column of the person record that can be read.
const CREATED_AT: &str = "created_at";
/// What stands before the name of a first-touch property.
const INITIAL: &str = "$initial_";

/// The properties that fill an absent `$initial_` property. A leading `$` is dropped when the prefix is put in front.
const FIRST_TOUCH: [&str; 43] = [
    "$app_build",
    "$app_name",
    "$app_namespace",
    "$app_version",
    "$browser",
    "$browser_version",
    "$device_type",
    "$current_url",
    "$pathname",
    "$os",
    "$os_name",
    "$os_version",
    "$referring_domain",
    "$referrer",
    "$screen_height",
    "$screen_width",
    "$viewport_height",
    "$viewport_width",
    "$raw_user_agent",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "gclid",
    "gad_source",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "fbclid",
    "msclkid",
    "twclid",
    "li_fat_id",
    "mc_cid",
    "igshid",
    "ttclid",
    "rdt_cid",
    "epik",
    "qclid",
    "sccid",
    "irclid",
    "_kx",
];

/// What is known about the person of a request.
#[derive(Debug)]
pub(crate) struct PersonView<'a> {
    overrides: &'a Properties,
    distinct_id: &'a str,
    stored: Option<&'a StoredPerson>,
    /// Partial if the store was not read.
    pub(crate) completeness: Completeness,
    distinct_id_value: OnceCell<Value>,
    created_at: OnceCell<Value>,
    /// What was found for the properties that the definitions have a number for.
    numbered: Box<[Cell<Found<'a>>]>,
}

/// What is known about a property that has a number.
#[derive(Debug, Clone, Copy)]
enum Found<'a> {
    /// Nobody has asked for it.
    NotLookedUp,
    /// It is the distinct id, of which the view itself keeps the value.
    DistinctId,
    /// What the look-up gave.
    Value(Option<&'a Value>),
}

impl<'a> PersonView<'a> {
    pub(crate) fn new(
        overrides: &'a Properties,
        distinct_id: &'a str,
        stored: Option<&'a StoredPerson>,
        completeness: Completeness,
        numbers: usize,
    ) -> Self {
        Self {
            overrides,
            distinct_id,
            stored,
            completeness,
            distinct_id_value: OnceCell::new(),
            created_at: OnceCell::new(),
            numbered: vec![Cell::new(Found::NotLookedUp); numbers].into(),
        }
    }

    /// Returns the merged property that has this number and key, and looks for it only once.
    pub(crate) fn get_numbered(&self, number: usize, key: &str) -> Option<&Value> {
        let Some(found) = self.numbered.get(number) else {
            return self.get(key);
        };
        if matches!(found.get(), Found::NotLookedUp) {
            found.set(match self.find(key) {
                None if key == DISTINCT_ID => Found::DistinctId,
                value => Found::Value(value),
            });
        }
        match found.get() {
            Found::Value(value) => value,
            Found::DistinctId | Found::NotLookedUp => self.get(key),
        }
    }

    /// Returns a merged property: stored, overlaid, with the two spellings of the system's name and the first-touch copies.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        match self.find(key) {
            None if key == DISTINCT_ID => {
                let text = || Value::String(self.distinct_id.to_owned());
                Some(self.distinct_id_value.get_or_init(text))
            }
            found => found,
        }
    }

    /// Returns a column of the person record.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Value> {
        let person = self.stored.filter(|_| key == CREATED_AT)?;
        Some(self.created_at.get_or_init(|| {
            let text = person
                .created_at
                .to_rfc3339_opts(SecondsFormat::AutoSi, true);
            Value::String(text)
        }))
    }

    /// Returns whether the person is in a static cohort.
    pub(crate) fn is_in(&self, cohort: crate::CohortId) -> bool {
        self.stored
            .is_some_and(|person| person.static_cohorts.contains(&cohort))
    }

    /// Looks for a merged property among those that were sent or stored. The distinct id hides a stored one of its name.
    fn find(&self, key: &str) -> Option<&'a Value> {
        self.with_system_name(key)
            .or_else(|| self.with_system_name(first_touch(key)?))
    }

    fn with_system_name(&self, key: &str) -> Option<&'a Value> {
        self.overlaid(key).or_else(|| match key {
            "$os" => self.overlaid("$os_name"),
            "$os_name" => self.overlaid("$os"),
            _ => None,
        })
    }

    fn overlaid(&self, key: &str) -> Option<&'a Value> {
        let sent = self.overrides.get(key);
        if sent.is_some() || key == DISTINCT_ID {
            return sent;
        }
        self.stored?.properties.get(key)
    }
}

/// Returns whether a property is known without the store: the request has it, or it is the distinct id.
pub(crate) fn is_override(overrides: &Properties, key: &str) -> bool {
    key == DISTINCT_ID || overrides.contains_key(key)
}

/// Returns the plain name whose value fills a first-touch property.
fn first_touch(key: &str) -> Option<&'static str> {
    let bare = key.strip_prefix(INITIAL)?;
    FIRST_TOUCH
        .into_iter()
        .find(|name| name.strip_prefix('$').unwrap_or(name) == bare)
}
