//! What a request needs to know of static cohorts, answered from memory when all that matters is there.
//!
//! Only for the cohorts that the request's flags can reach: of these all must be held, else the database is asked, and the
//! cohort cache is told to load what was missing. A hit takes no lock and sends no message.

use crate::cohort_cache::{CohortCache, LoadMembers, Slot};
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use burgee_evaluation::{CohortId, Selection, StaticReach};
use burgee_schema::models::Found;
use std::collections::HashMap;
use std::sync::Arc;

/// The static cohorts that a project's flags can reach, each with the place of its members.
#[derive(Debug, Default)]
pub(crate) struct StaticMembers {
    reach: StaticReach,
    /// Beside the cohorts of `reach`.
    slots: Box<[Arc<Slot>]>,
}

impl StaticMembers {
    pub(crate) fn new(reach: StaticReach, slots: &HashMap<CohortId, Arc<Slot>>) -> Self {
        // A slot that the cache does not know stays empty, so that the database is asked.
        let slot = |cohort| slots.get(cohort).cloned().unwrap_or_default();
        Self {
            slots: reach.cohorts().iter().map(slot).collect(),
            reach,
        }
    }

    /// Returns those that some flags can reach.
    pub(crate) fn reached_by(&self, selection: &Selection) -> Reached<'_> {
        Reached {
            members: self,
            places: self.reach.places(selection),
        }
    }
}

/// The static cohorts that matter to one request.
#[derive(Debug)]
pub(crate) struct Reached<'a> {
    members: &'a StaticMembers,
    places: Vec<usize>,
}

impl Reached<'_> {
    fn slots(&self) -> impl Iterator<Item = (CohortId, &Slot)> {
        self.places.iter().filter_map(|&place| {
            let cohort = self.members.reach.cohorts().get(place)?;
            Some((*cohort, &**self.members.slots.get(place)?))
        })
    }

    /// Returns whether the database has to be asked, and has what is missing loaded.
    pub(crate) fn must_be_read(&self, cache: &Mailbox<CohortCache>, metrics: &Metrics) -> bool {
        if self.places.is_empty() {
            return false;
        }
        if self.slots().all(|(_, slot)| slot.is_held()) {
            metrics.members.hits.inc();
            return false;
        }
        metrics.members.misses.inc();
        let missing = self.slots().filter(|(_, slot)| !slot.is_held());
        let unasked = missing.filter(|(_, slot)| slot.ask());
        let cohorts: Vec<CohortId> = unasked.map(|(cohort, _)| cohort).collect();
        if !cohorts.is_empty()
            && let Err(refused) = cache.post(LoadMembers { cohorts })
        {
            let cohorts = refused.message.cohorts;
            let unasked = self.slots().filter(|(cohort, _)| cohorts.contains(cohort));
            unasked.for_each(|(_, slot)| slot.may_be_asked());
        }
        true
    }

    /// Writes the person's static cohorts into what was found, from memory. Returns whether it could: a cohort may have
    /// been given up since it was last looked at.
    pub(crate) fn fill(&self, found: &mut Found) -> bool {
        let Some(person) = &mut found.person else {
            return true;
        };
        let mut cohorts = Vec::new();
        for (cohort, slot) in self.slots() {
            match slot.contains(person.id) {
                Some(true) => cohorts.push(cohort.0),
                Some(false) => {}
                None => return false,
            }
        }
        person.static_cohorts = cohorts;
        true
    }
}
