//! The handle to all actors, and a request's way through them.

use crate::{EvaluateError, ProjectError};
use burgee_evaluation::{
    CohortSet, Definitions, Evaluations, MatchingVersion, ProjectId, Selector, Subject,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::sync::Arc;
use std::time::Instant;

/// One project's definitions at one moment: immutable, shared.
#[derive(Debug)]
pub struct ProjectSnapshot {
    /// Its id.
    pub id: ProjectId,
    /// Its flags.
    pub definitions: Arc<Definitions>,
    /// Its cohorts.
    pub cohorts: Arc<CohortSet>,
    /// Its time zone.
    pub zone: Tz,
    /// Its rule for booleans.
    pub matching: MatchingVersion,
}

/// What the edge asks for: inputs that were read from the request, nothing stored.
#[derive(Debug)]
pub struct EvaluateRequest {
    /// Which flags.
    pub selector: Selector,
    /// Who.
    pub subject: Subject,
    /// `only_use_override_person_properties`: read nothing stored.
    pub overrides_only: bool,
    /// Whether hash keys may be written (off with `detailed_analysis` and with `overrides_only`, section 5.7).
    pub write_hash_keys: bool,
    /// The present, read once.
    pub now: DateTime<Utc>,
    /// When the answer is worthless.
    pub deadline: Instant,
}

/// Whether flags can be served, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They can.
    Ready,
    /// They cannot, with a sentence for the operator.
    NotReady(String),
}

/// Cheap to clone; one per HTTP worker.
#[derive(Debug, Clone)]
pub struct System {}

impl System {
    /// Returns the project of a public token, `None` when there is none. No I/O when the project is cached.
    pub async fn project(
        &self,
        _token: &str,
        _deadline: Instant,
    ) -> Result<Option<Arc<ProjectSnapshot>>, ProjectError> {
        todo!()
    }

    /// Evaluates: selects, reads what is needed, waits for an evaluator, all within the deadline.
    pub async fn evaluate(
        &self,
        _project: &Arc<ProjectSnapshot>,
        _request: EvaluateRequest,
    ) -> Result<Evaluations, EvaluateError> {
        todo!()
    }

    /// Returns whether flags can be served.
    pub fn readiness(&self) -> Readiness {
        todo!()
    }

    /// Returns whether the first load is over.
    pub fn started(&self) -> bool {
        todo!()
    }
}
