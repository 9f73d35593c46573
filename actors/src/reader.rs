//! What is stored about a request's person and groups: read within the deadline, and hash keys stored where the rules
//! ask for it (evaluation sections 5.5 and 5.7).

use crate::cohort_cache::CohortCache;
use crate::continuity;
use crate::courier::{Courier, Reply};
use crate::evaluator::FoundState;
use crate::mailbox::{Mailbox, WhyRefused};
use crate::metrics::Metrics;
use crate::override_writer::{OverrideWriter, WriteHashKeys};
use crate::person_loader::{BATCHES_IN_FLIGHT, Load, PersonLoader};
use crate::service_time::ServiceTime;
use crate::shares::Shares;
use crate::stages::Stage;
use crate::standing_queue::StandingQueue;
use crate::system::{EvaluateRequest, ProjectSnapshot};
use burgee_evaluation::outcome::FailureCode;
use burgee_evaluation::subject::Read;
use burgee_evaluation::{Needs, Selection, Subject};
use burgee_schema::models::{Found, FoundHashKeys, HashKeyWrite, Lookup};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// The way to the person loader, the hash-key writer, and the members of static cohorts.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) loader: Mailbox<PersonLoader>,
    pub(crate) writer: Mailbox<OverrideWriter>,
    pub(crate) cohorts: Mailbox<CohortCache>,
    pub(crate) shares: Arc<Shares>,
    /// How long a look-up takes, its part of a batch.
    pub(crate) service: Arc<ServiceTime>,
    pub(crate) standing: Arc<StandingQueue>,
    /// The way back to the worker that asks.
    pub(crate) courier: Option<Arc<Courier>>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Reader {
    /// Returns whether there is room for one more look-up of a project; if not, why, and how long it would have to wait.
    pub(crate) fn admit(&self, project: &ProjectSnapshot) -> Result<(), (WhyRefused, Duration)> {
        let waiting = self.loader.waiting();
        let wait = self.service.expected_wait(waiting, BATCHES_IN_FLIGHT);
        let pressure = self.standing.ask(Instant::now(), wait);
        let allowed = self.shares.under(pressure);
        if self.shares.has_place(&project.load.lookups, allowed) {
            return Ok(());
        }
        self.standing.refuse();
        Err((pressure.reason(), wait))
    }

    /// Reads what the request needs, and stores hash keys where the rules ask for it.
    pub(crate) async fn read(
        &self,
        project: &ProjectSnapshot,
        selection: &Selection,
        request: &EvaluateRequest,
        needs: Needs,
    ) -> (FoundState, Read<HashMap<String, String>>) {
        if needs == Needs::default() {
            return (Read::NotNeeded, Read::NotNeeded);
        }
        let deadline = before(request.deadline);
        let lookup = lookup(project, &request.subject, needs);
        let found = self.look_up_state(project, selection, &lookup, deadline);
        let mut found = match found.await {
            Ok(found) => found,
            Err(code) => {
                let state = if needs.state {
                    Read::Failed(code)
                } else {
                    Read::NotNeeded
                };
                let hash_keys = if needs.hash_keys {
                    Read::Failed(code)
                } else {
                    Read::NotNeeded
                };
                return (state, hash_keys);
            }
        };
        let hash_keys = if needs.hash_keys {
            let stored = std::mem::take(&mut found.hash_keys);
            self.hash_keys(project, request, lookup, stored, deadline)
                .await
        } else {
            Read::NotNeeded
        };
        (
            if needs.state {
                Read::Done(found)
            } else {
                Read::NotNeeded
            },
            hash_keys,
        )
    }

    /// Looks up, with the static cohorts from memory when those that matter are held.
    async fn look_up_state(
        &self,
        project: &ProjectSnapshot,
        selection: &Selection,
        lookup: &Lookup,
        deadline: Instant,
    ) -> Result<Found, FailureCode> {
        if !lookup.state {
            return self.look_up(project, lookup.clone(), deadline).await;
        }
        let reached = project.static_members.reached_by(selection);
        let memberships = reached.must_be_read(&self.cohorts, &self.metrics);
        let with = |memberships| Lookup {
            memberships,
            ..lookup.clone()
        };
        let mut found = self.look_up(project, with(memberships), deadline).await?;
        if memberships || reached.fill(&mut found) {
            return Ok(found);
        }
        self.look_up(project, with(true), deadline).await
    }

    async fn look_up(
        &self,
        project: &ProjectSnapshot,
        lookup: Lookup,
        deadline: Instant,
    ) -> Result<Found, FailureCode> {
        let (reply, answer) = Reply::channel(self.courier.as_ref());
        let share = &project.load.lookups;
        let _place = (self.shares)
            .take(share, self.shares.allowed(self.loader.waiting()))
            .ok_or(FailureCode::NoMoreConnections)?;
        let load = Load {
            lookup,
            deadline,
            posted_at: Instant::now(),
            reply,
        };
        if self.loader.post(load).is_err() {
            return Err(FailureCode::NoMoreConnections);
        }
        match timeout_at(deadline.into(), answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => {
                self.metrics.deadline_missed(Stage::LookUp);
                Err(FailureCode::Timeout)
            }
        }
    }

    /// Returns the hash keys that count, after storing those that must be.
    async fn hash_keys(
        &self,
        project: &ProjectSnapshot,
        request: &EvaluateRequest,
        lookup: Lookup,
        stored: FoundHashKeys,
        deadline: Instant,
    ) -> Read<HashMap<String, String>> {
        let sticky = project.definitions.sticky_keys();
        let Some(anonymous_id) = lookup
            .anonymous_id
            .clone()
            .filter(|_| request.write_hash_keys)
        else {
            return Read::Done(continuity::merge(stored));
        };
        if !continuity::must_write(&stored, sticky) {
            return Read::Done(continuity::merge(stored));
        }
        let write = HashKeyWrite {
            project_id: project.id.0,
            distinct_id: lookup.distinct_id.clone(),
            anonymous_id,
            flag_keys: sticky.iter().map(|key| key.to_string()).collect(),
        };
        let (reply, answer) = Reply::channel(self.courier.as_ref());
        let posted = self.writer.post(WriteHashKeys {
            write,
            deadline,
            reply,
        });
        let written =
            posted.is_ok() && matches!(timeout_at(deadline.into(), answer).await, Ok(Ok(Ok(()))));
        if !written {
            return Read::Failed(FailureCode::HashKeyOverrideError);
        }
        // Another request may have stored other keys first; what is stored is what counts.
        let again = Lookup {
            state: false,
            groups: Vec::new(),
            ..lookup
        };
        match self.look_up(project, again, deadline).await {
            Ok(found) => Read::Done(continuity::merge(found.hash_keys)),
            Err(code) => Read::Failed(code),
        }
    }
}

/// Returns when reading must be over, so that a fifth of the time that is left remains for evaluating.
fn before(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) * 4 / 5
}

fn lookup(project: &ProjectSnapshot, subject: &Subject, needs: Needs) -> Lookup {
    let types = project.definitions.group_types().as_ref().ok();
    let groups = subject.groups.iter().filter_map(|(name, key)| {
        let index = types?.index(name)?;
        Some((i16::from(index), key.clone()?))
    });
    Lookup {
        project_id: project.id.0,
        distinct_id: subject.distinct_id.clone(),
        anonymous_id: subject.anonymous_id.clone().filter(|_| needs.hash_keys),
        state: needs.state,
        memberships: false,
        groups: if needs.state {
            groups.collect()
        } else {
            Vec::new()
        },
        hash_keys: needs.hash_keys,
    }
}
