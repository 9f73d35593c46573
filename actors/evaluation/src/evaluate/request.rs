//! What all flags of one request share: the views on person and groups, memberships, and the values found so far.

use super::needs::needs_state;
use crate::{
    CohortSet, Definitions, Moment, Outcome, Stored, Subject,
    bucketing::cut_identifier,
    cohort::Memberships,
    definition::{Flag, GroupTypes, filters::Aggregation},
    outcome::{FailureCode, FlagValue, Reason},
    property::Completeness,
    subject::{GroupsView, PersonView, Read},
};
use std::collections::HashMap;

/// One request, while its flags are evaluated.
pub(super) struct Request<'a> {
    pub(super) definitions: &'a Definitions,
    pub(super) moment: &'a Moment,
    pub(super) person: PersonView<'a>,
    pub(super) groups: GroupsView<'a>,
    pub(super) memberships: Memberships<'a>,
    subject: &'a Subject,
    /// `None` if they were not read.
    hash_keys: Option<&'a HashMap<String, String>>,
    state_failure: Option<FailureCode>,
    hash_keys_failed: bool,
}

/// What is known about a flag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its value. Flags that are not evaluated are off.
    Value(FlagValue),
    /// It failed: neither on nor off.
    Failed,
}

/// The values found so far, by the place of their flag, each as a number: all of them have to be laid out for every request
/// that may ask for one, and zeros in four bytes are laid out quickest.
pub(super) struct Values(Vec<u32>);

const OFF: u32 = 0;
const ON: u32 = 1;
const HOLDOUT: u32 = 2;
const FAILED: u32 = 3;
const FIRST_VARIANT: u32 = 4;

impl<'a> Request<'a> {
    pub(super) fn new(
        definitions: &'a Definitions,
        cohorts: &'a CohortSet,
        subject: &'a Subject,
        stored: &'a Stored,
        moment: &'a Moment,
    ) -> Self {
        let (state, state_failure) = match &stored.state {
            Read::Done(state) => (Some(state), None),
            Read::NotNeeded => (None, None),
            Read::Failed(code) => (None, Some(*code)),
        };
        let completeness = if state.is_some() {
            Completeness::Complete
        } else {
            Completeness::Partial
        };
        Self {
            definitions,
            moment,
            person: PersonView::new(
                &subject.person_properties,
                &subject.distinct_id,
                state.and_then(|state| state.person.as_ref()),
                completeness,
                definitions.person_slots,
            ),
            groups: GroupsView::new(definitions.group_types().as_ref().ok(), subject, state),
            memberships: Memberships::new(cohorts),
            subject,
            hash_keys: match &stored.hash_keys {
                Read::Done(keys) => Some(keys),
                Read::NotNeeded | Read::Failed(_) => None,
            },
            state_failure,
            hash_keys_failed: matches!(stored.hash_keys, Read::Failed(_)),
        }
    }

    /// Returns why a flag cannot be computed before it is looked at (sections 8.2 and 8.3).
    pub(super) fn failure_of(&self, flag: &Flag) -> Option<FailureCode> {
        if flag.continuity && self.hash_keys_failed {
            return Some(FailureCode::HashKeyOverrideError);
        }
        let types: Option<&GroupTypes> = self.definitions.group_types().as_ref().ok();
        self.state_failure
            .filter(|_| needs_state(&flag.needs, types, self.subject))
    }

    /// Returns the device id, if the request has one.
    pub(super) fn device_id(&self) -> Option<&'a str> {
        self.subject
            .device_id
            .as_deref()
            .filter(|id| !id.is_empty())
    }

    /// Returns the identifier of a person for rollout and variant (section 2.3).
    pub(super) fn identifier(&self, flag: &Flag) -> &'a str {
        let distinct_id = self.subject.distinct_id.as_str();
        let identifier = if flag.by_device {
            self.device_id().unwrap_or(distinct_id)
        } else if flag.is_sticky() {
            self.hash_keys
                .and_then(|keys| keys.get(&*flag.key))
                .or(self.subject.anonymous_id.as_ref())
                .map_or(distinct_id, String::as_str)
        } else {
            distinct_id
        };
        cut_identifier(identifier)
    }

    /// Returns the identifier for a holdout, which follows the flag and knows no stored hash keys (section 2.3).
    pub(super) fn holdout_identifier(&self, flag: &Flag) -> &'a str {
        let distinct_id = self.subject.distinct_id.as_str();
        let identifier = if let Aggregation::Groups(index) = flag.aggregation {
            self.groups.key(index).unwrap_or_default()
        } else if flag.by_device {
            self.device_id().unwrap_or(distinct_id)
        } else if flag.is_sticky() {
            self.subject.anonymous_id.as_deref().unwrap_or(distinct_id)
        } else {
            distinct_id
        };
        cut_identifier(identifier)
    }
}

impl Values {
    /// No value is known yet: everything is off. Nothing is kept if nobody will ask.
    pub(super) fn new(definitions: &Definitions) -> Self {
        let askable = if definitions.has_dependencies {
            definitions.flags.len()
        } else {
            0
        };
        Self(vec![OFF; askable])
    }

    pub(super) fn get(&self, place: usize) -> Known {
        match self.0.get(place) {
            None | Some(&OFF) => Known::Value(FlagValue::Off),
            Some(&ON) => Known::Value(FlagValue::On),
            Some(&HOLDOUT) => Known::Value(FlagValue::Holdout),
            Some(&FAILED) => Known::Failed,
            Some(variant) => Known::Value(FlagValue::Variant(variant - FIRST_VARIANT)),
        }
    }

    pub(super) fn set(&mut self, place: usize, flag: &Flag, outcome: Outcome) {
        if let Some(entry) = self.0.get_mut(place) {
            *entry = match (outcome.reason, outcome.value) {
                // a flag of an unknown format counts as off (section 1.2), any other failure as unknown
                (Reason::Failed(_), _) if flag.supported => FAILED,
                (_, FlagValue::Off) => OFF,
                (_, FlagValue::On) => ON,
                (_, FlagValue::Holdout) => HOLDOUT,
                (_, FlagValue::Variant(variant)) => FIRST_VARIANT.saturating_add(variant),
            };
        }
    }
}
