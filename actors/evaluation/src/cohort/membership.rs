//! Whether the person of one request is in a cohort (sections 6.2 to 6.5). Each cohort is evaluated at most once.

use super::{CohortSet, Rule};
use crate::{CohortId, Moment, outcome::FailureCode, subject::PersonView};

/// The memberships of one person, found when they are asked for.
#[derive(Debug)]
pub(crate) struct Memberships<'a> {
    set: &'a CohortSet,
    /// By the cohort's place in the set; empty until the first question.
    known: Vec<Option<bool>>,
}

impl<'a> Memberships<'a> {
    pub(crate) fn new(set: &'a CohortSet) -> Self {
        Self {
            set,
            known: Vec::new(),
        }
    }

    /// Returns whether the person is a member, or why that cannot be said.
    pub(crate) fn contains(
        &mut self,
        id: CohortId,
        person: &PersonView<'_>,
        moment: &Moment,
    ) -> Result<bool, FailureCode> {
        let Some(&place) = self.set.places.get(&id) else {
            return Err(FailureCode::DependencyNotFoundCohort);
        };
        if let Some(failure) = self
            .set
            .cohorts
            .get(place)
            .and_then(|cohort| cohort.failure)
        {
            return Err(failure);
        }
        if self.known.is_empty() {
            self.known.resize(self.set.cohorts.len(), None);
        }
        self.evaluate(place, person, moment);
        Ok(self.is_member(place))
    }

    /// Returns whether a cohort has a behavioural criterion.
    pub(crate) fn is_behavioral(&self, id: CohortId) -> bool {
        self.set.is_behavioral(id)
    }

    /// Evaluates a cohort after all it refers to. There is no circle, or the cohort would have failed.
    fn evaluate(&mut self, place: usize, person: &PersonView<'_>, moment: &Moment) {
        let mut open = vec![place];
        while let Some(&place) = open.last() {
            if self.is_known(place) {
                open.pop();
                continue;
            }
            let before = open.len();
            let references = self.set.graph.references(place).iter();
            open.extend(references.filter(|&&reference| !self.is_known(reference)));
            if open.len() == before {
                open.pop();
                let member = self.decide(place, person, moment);
                if let Some(entry) = self.known.get_mut(place) {
                    *entry = Some(member);
                }
            }
        }
    }

    fn decide(&self, place: usize, person: &PersonView<'_>, moment: &Moment) -> bool {
        let member = |place| self.is_member(place);
        self.set
            .cohorts
            .get(place)
            .is_some_and(|cohort| match &cohort.rule {
                Rule::Static => person.is_in(cohort.id),
                Rule::Dynamic(tree) => tree.holds(person, &member, moment),
            })
    }

    fn is_known(&self, place: usize) -> bool {
        self.known.get(place).is_none_or(Option::is_some)
    }

    fn is_member(&self, place: usize) -> bool {
        self.known.get(place).copied().flatten() == Some(true)
    }
}
