//! What has to be read before a request can be evaluated (sections 5.5 and 5.7).

use crate::{
    Definitions, Selection, Subject,
    definition::{GroupTypes, needs::StateNeeds},
    subject::{is_override, needs_store},
};

/// What must be read from the store before a selection can be evaluated (sections 5.5 and 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Person, groups and static memberships.
    pub state: bool,
    /// Hash-key overrides: some flag to be evaluated is sticky and hash-dependent.
    pub hash_keys: bool,
}

impl Needs {
    /// Decides what a request needs.
    pub fn of(definitions: &Definitions, selection: &Selection, subject: &Subject) -> Self {
        let types = definitions.group_types().as_ref().ok();
        if let Some(needs) = &selection.needs {
            return Self {
                state: needs_state(&needs.state, types, subject),
                hash_keys: needs.hash_keys,
            };
        }
        let mut needs = Self::default();
        let flags = selection
            .order
            .iter()
            .filter_map(|&place| definitions.flags.get(place));
        for flag in flags {
            needs.state = needs.state || needs_state(&flag.needs, types, subject);
            needs.hash_keys = needs.hash_keys || flag.hash_keys_matter;
            if needs.state && needs.hash_keys {
                break;
            }
        }
        needs
    }
}

/// Returns whether a flag, or several, need the stored state for this request.
pub(super) fn needs_state(
    needs: &StateNeeds,
    types: Option<&GroupTypes>,
    subject: &Subject,
) -> bool {
    needs.always
        || needs
            .person_keys
            .iter()
            .any(|key| !is_override(&subject.person_properties, key))
        || types.is_some_and(|types| {
            needs
                .group_keys
                .iter()
                .any(|(index, key)| needs_store(types, subject, *index, key))
        })
}
