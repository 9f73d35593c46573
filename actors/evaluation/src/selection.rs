//! Which flags a request asks for (section 9).
//!
//! It is decided on an I/O thread: a request without contexts and keys gets a list that was made with the definitions.

mod runtime;

use crate::{
    Definitions, Evaluation, Evaluations, Outcome,
    definition::{Flag, Runtime, needs::StateNeeds},
    dependency::Order,
    outcome::FailureCode,
};
use std::sync::Arc;

/// What the keys of survey flags start with.
const SURVEY_PREFIX: &str = "survey-targeting-";

/// Where the request comes from, as far as flags care (section 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestRuntime {
    /// Every flag.
    All,
    /// Flags for servers, and flags for all.
    Server,
    /// Flags for clients, and flags for all.
    Client,
    /// Only flags for all.
    #[default]
    Unknown,
}

/// The headers that tell the runtime. Each `bool` says whether the header is present.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeHints<'a> {
    /// The `User-Agent`, if any.
    pub user_agent: Option<&'a str>,
    /// Whether any of `Origin`, `Referer`, `Sec-Fetch-Mode`, `Sec-Fetch-Site` is present.
    pub browser_header: bool,
}

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// `only_evaluate_survey_feature_flags`.
    pub surveys_only: bool,
    /// The request's runtime.
    pub runtime: RequestRuntime,
    /// `evaluation_contexts`; empty means no filter.
    pub contexts: Vec<String>,
    /// `flag_keys`; `None` means all flags, an empty list none.
    pub keys: Option<Vec<String>>,
}

/// The flags chosen by a [`Selector`] from one set of [`Definitions`]; good only for those definitions.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The places of the flags to evaluate, dependencies first.
    pub(crate) order: Arc<[usize]>,
    /// Whether flags that are in a cycle, or behind one, have to be reported (section 7.4).
    pub(crate) cyclic: bool,
    /// About how long the flags take to evaluate, in nanoseconds.
    cost_ns: u64,
    /// What all of its flags need together, if the selection was made with the definitions: many flags ask for few
    /// properties, and a request should look for each of them once.
    pub(crate) needs: Option<Arc<SelectionNeeds>>,
}

/// What the flags of a selection need of the store, together.
#[derive(Debug)]
pub(crate) struct SelectionNeeds {
    pub(crate) state: StateNeeds,
    pub(crate) hash_keys: bool,
}

impl SelectionNeeds {
    fn of(flags: &[Flag], order: &[usize]) -> Self {
        let selected = || order.iter().filter_map(|&place| flags.get(place));
        Self {
            state: StateNeeds::union(selected().map(|flag| &flag.needs)),
            hash_keys: selected().any(|flag| flag.hash_keys_matter),
        }
    }
}

/// The selections that depend on the runtime of the request only.
#[derive(Debug)]
pub(crate) struct Standard {
    all: Selection,
    server: Selection,
    client: Selection,
    unknown: Selection,
}

impl Standard {
    pub(crate) fn of(flags: &[Flag], order: &Order) -> Self {
        let select = |runtime| {
            let selector = Selector {
                runtime,
                ..Selector::default()
            };
            let selection = filter(flags, order, &selector, &order.ready);
            Selection {
                needs: Some(Arc::new(SelectionNeeds::of(flags, &selection.order))),
                ..selection
            }
        };
        Self {
            all: select(RequestRuntime::All),
            server: select(RequestRuntime::Server),
            client: select(RequestRuntime::Client),
            unknown: select(RequestRuntime::Unknown),
        }
    }

    fn get(&self, runtime: RequestRuntime) -> &Selection {
        match runtime {
            RequestRuntime::All => &self.all,
            RequestRuntime::Server => &self.server,
            RequestRuntime::Client => &self.client,
            RequestRuntime::Unknown => &self.unknown,
        }
    }
}

impl Definitions {
    /// Chooses the flags a request asks for, and those they depend on.
    pub fn select(&self, selector: &Selector) -> Selection {
        if let Some(keys) = &selector.keys {
            return self.select_keys(selector, keys);
        }
        if selector.contexts.is_empty() && !selector.surveys_only {
            return self.standard.get(selector.runtime).clone();
        }
        filter(&self.flags, &self.order, selector, &self.order.ready)
    }

    fn select_keys(&self, selector: &Selector, keys: &[String]) -> Selection {
        let named = keys.iter().filter_map(|key| self.place(key));
        let wanted = self.graph.closure(named);
        let is_left = |place: &usize| {
            self.flags
                .get(*place)
                .is_some_and(|flag| selector.admits(flag))
        };
        if !wanted.iter().any(is_left) {
            return Selection::none();
        }
        let mut ready: Vec<(usize, usize)> = wanted
            .into_iter()
            .filter_map(|place| Some((self.order.stages.get(place).copied().flatten()?, place)))
            .collect();
        ready.sort_unstable();
        let ready: Vec<usize> = ready.into_iter().map(|(_, place)| place).collect();
        filter(&self.flags, &self.order, selector, &ready)
    }
}

impl Definitions {
    /// Returns an answer for every flag that the selector would let through if all flags were active, ascending by key:
    /// those of `evaluations`, which were made for it, `flag_disabled` for inactive flags, and a failure for flags that
    /// depend on themselves.
    ///
    /// For protocols that report what `/flags` leaves out. The selector's keys are not looked at.
    pub fn report<'a>(
        &'a self,
        selector: &'a Selector,
        evaluations: &'a Evaluations,
    ) -> impl Iterator<Item = Evaluation<'a>> {
        let mut answers = evaluations.iter().peekable();
        let flags = self.flags.iter().enumerate();
        let admitted = flags.filter(|(_, flag)| selector.admits_if_active(flag));
        admitted.map(move |(place, flag)| {
            while answers.next_if(|answer| answer.place < place).is_some() {}
            let answer = answers.next_if(|answer| answer.place == place);
            answer.unwrap_or_else(|| Evaluation {
                place,
                flag,
                outcome: flag.unevaluated(),
            })
        })
    }

    /// Returns the same for the flag of one key; `None` if the selector does not let it through, or there is none.
    pub fn report_one<'a>(
        &'a self,
        selector: &Selector,
        evaluations: &'a Evaluations,
        key: &str,
    ) -> Option<Evaluation<'a>> {
        let place = self.place(key)?;
        let flag = self.flags.get(place)?;
        if !selector.admits_if_active(flag) {
            return None;
        }
        Some(evaluations.get(key).unwrap_or_else(|| Evaluation {
            place,
            flag,
            outcome: flag.unevaluated(),
        }))
    }
}

impl Flag {
    /// The answer for a flag that was not evaluated although it was asked for.
    fn unevaluated(&self) -> Outcome {
        if self.active {
            Outcome::failed(FailureCode::DependencyFailed)
        } else {
            Outcome::DISABLED
        }
    }
}

impl Selector {
    /// Returns whether a flag passes all filters but the one by keys.
    fn admits(&self, flag: &Flag) -> bool {
        flag.active && self.admits_if_active(flag)
    }

    fn admits_if_active(&self, flag: &Flag) -> bool {
        (!self.surveys_only || flag.key.starts_with(SURVEY_PREFIX))
            && self.runtime.admits(flag.runtime)
            && self.admits_contexts(&flag.contexts)
    }

    fn admits_contexts(&self, contexts: &[Box<str>]) -> bool {
        self.contexts.is_empty()
            || contexts.is_empty()
            || contexts
                .iter()
                .any(|context| self.contexts.iter().any(|wanted| **wanted == **context))
    }
}

impl RequestRuntime {
    fn admits(self, flag: Runtime) -> bool {
        match self {
            Self::All => true,
            Self::Server => flag != Runtime::Client,
            Self::Client => flag != Runtime::Server,
            Self::Unknown => flag == Runtime::All,
        }
    }
}

impl Selection {
    fn none() -> Self {
        Self {
            order: Arc::new([]),
            cyclic: false,
            cost_ns: 0,
            needs: None,
        }
    }

    /// Returns whether nothing is left to evaluate and nothing to report.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty() && !self.cyclic
    }

    /// Returns about how long the evaluation takes, in nanoseconds: orders of magnitude, from what the flags are made of.
    pub fn cost_ns(&self) -> u64 {
        self.cost_ns
    }

    /// Returns how many flags will be evaluated.
    pub fn len(&self) -> usize {
        self.order.len()
    }
}

/// Keeps what the selector admits. Flags left over by cycles are reported whichever keys were asked for (section 7.4).
fn filter(flags: &[Flag], order: &Order, selector: &Selector, ready: &[usize]) -> Selection {
    let admits = |flag: &Flag| selector.admits(flag);
    let mut cost_ns = 0;
    let mut count = |place: &usize| match flags.get(*place) {
        Some(flag) if admits(flag) => {
            cost_ns += u64::from(flag.cost_ns);
            true
        }
        _ => false,
    };
    Selection {
        order: ready.iter().copied().filter(&mut count).collect(),
        cost_ns,
        cyclic: flags
            .iter()
            .zip(&order.stages)
            .any(|(flag, stage)| stage.is_none() && admits(flag)),
        needs: None,
    }
}

#[cfg(test)]
mod tests;
