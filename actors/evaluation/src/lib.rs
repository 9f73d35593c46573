//! The evaluation core: pure functions from definitions and a subject to flag values.
//!
//! No I/O, no clock, no actix, no tokio: whatever varies (the time, the project's zone, stored data) is an argument.
//! The rules are those of the evaluation specification; section numbers in the docs refer to it.
//!
//! - [`definition`]: the public JSON shape of flags and cohorts, and [`Definitions`], their compiled form.
//! - [`property`]: one property filter against one value (section 4).
//! - [`bucketing`]: key and identifier to a number in 0…1, and from it to rollout, variant, holdout (section 2).
//! - `dependency`: what refers to what: stages, cycles, closures (sections 6.5 and 7).
//! - [`cohort`]: dynamic cohorts, their order and cycles (section 6).
//! - [`selection`]: which flags a request asks for (section 9).
//! - [`subject`]: what the request and the store say about a person and its groups (section 5).
//! - [`evaluate()`]: all of it together (sections 3, 7 and 8); [`outcome`] is what comes out.

pub mod bucketing;
pub mod cohort;
pub mod definition;
mod dependency;
mod evaluate;
mod ids;
pub mod moment;
pub mod outcome;
pub mod property;
pub mod selection;
pub mod subject;
#[cfg(test)]
mod testing;
mod text;

pub use cohort::{CohortSet, StaticReach};
pub use definition::Definitions;
pub use evaluate::{Join, Needs, PART_NS, evaluate, evaluate_split};
pub use ids::{CohortId, FlagId, PersonId, ProjectId};
pub use moment::{MatchingVersion, Moment};
pub use outcome::{Evaluation, Evaluations, Outcome};
pub use selection::{Selection, Selector};
pub use subject::{Stored, Subject};
pub use text::text_form;
