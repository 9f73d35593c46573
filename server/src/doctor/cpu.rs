//! The thread plan against the cores there are, the container's limit, and what it was promised.

use super::Finding;
use super::cgroup::Container;
use burgee_actors::Budget;

const CHECK: &str = "threads";

/// What is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuFacts {
    /// Cores of the machine that this process may run on.
    pub(super) cores: usize,
    pub(super) container: Container,
    pub(super) plan: Budget,
}

/// Says whether the plan fits.
pub(super) fn judge(facts: &CpuFacts) -> Finding {
    let plan = facts.plan;
    let threads = format!(
        "{} HTTP workers, {} + {} evaluators, {} CPU threads",
        plan.http_workers, plan.small_evaluators, plan.large_evaluators, plan.rayon
    );
    if let Some(quota) = facts.container.cpu_quota {
        return against_quota(quota, &plan, &threads);
    }
    if let Some(request) = facts.container.cpu_request
        && exceeds(&plan, whole(request * 2.0))
    {
        let found = format!(
            "{threads}: planned for more than the CPU request of about {request:.1} cores, and there is no limit"
        );
        let fix = format!(
            "set --cpus (BURGEE_CPUS) to {}, or request more",
            whole(request)
        );
        return Finding::warn(CHECK, found, fix);
    }
    if exceeds(&plan, facts.cores) {
        let found = format!(
            "{threads}: planned for more than the {} cores there are",
            facts.cores
        );
        let fix = format!(
            "set --cpus (BURGEE_CPUS) to {}, or leave it out",
            facts.cores
        );
        return Finding::warn(CHECK, found, fix);
    }
    Finding::ok(CHECK, format!("{threads} on {} cores", facts.cores))
}

/// What goes beyond a limit is not slowed down but stopped, for the rest of each tenth of a second.
fn against_quota(quota: f64, plan: &Budget, threads: &str) -> Finding {
    let cores = whole(quota);
    if exceeds(plan, cores) {
        let found = format!("{threads}: planned for more than the CPU limit of {quota} cores");
        let fix = format!(
            "set --cpus (BURGEE_CPUS) to {cores}, or raise the limit: above it all threads stand still at once"
        );
        return Finding::fail(CHECK, found, fix);
    }
    if quota.fract() != 0.0 {
        let found = format!("{threads}: the CPU limit of {quota} cores is not a whole number");
        let fix = format!(
            "raise the limit to {}: threads cannot share the rest of a core without being throttled",
            quota.ceil()
        );
        return Finding::warn(CHECK, found, fix);
    }
    Finding::ok(CHECK, format!("{threads} within a CPU limit of {quota}"))
}

/// Returns whether a plan has more threads of some kind than so many cores would get.
fn exceeds(plan: &Budget, cores: usize) -> bool {
    let fit = Budget::for_cpus(cores);
    plan.http_workers > fit.http_workers
        || plan.small_evaluators > fit.small_evaluators
        || plan.large_evaluators > fit.large_evaluators
        || plan.rayon > fit.rayon
}

/// Returns how many whole cores there are to plan for, at least one.
fn whole(cores: f64) -> usize {
    (1..=1024_u32)
        .rev()
        .find(|whole| f64::from(*whole) <= cores)
        .and_then(|whole| usize::try_from(whole).ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::testing::expect;

    #[test]
    fn plans_and_limits() {
        let facts = |planned, cores, cpu_quota, cpu_request| CpuFacts {
            cores,
            container: Container {
                cpu_quota,
                cpu_request,
                memory: None,
            },
            plan: Budget::for_cpus(planned),
        };
        type Case<'a> = (CpuFacts, State, &'a [&'a str]);
        let cases: [Case<'_>; 10] = [
            (facts(2, 2, None, None), State::Ok, &["2 cores"]),
            (facts(2, 8, None, None), State::Ok, &["8 cores"]),
            (
                facts(8, 2, None, None),
                State::Warn,
                &["2 cores", "BURGEE_CPUS"],
            ),
            (facts(2, 8, Some(2.0), None), State::Ok, &["limit of 2"]),
            (
                facts(4, 8, Some(1.0), None),
                State::Fail,
                &["limit of 1", "to 1"],
            ),
            (facts(1, 8, Some(1.5), None), State::Warn, &["1.5", "to 2"]),
            (facts(1, 8, Some(0.5), None), State::Warn, &["0.5", "to 1"]),
            (
                facts(32, 64, None, Some(0.5)),
                State::Warn,
                &["request of about 0.5", "to 1"],
            ),
            (facts(4, 64, None, Some(4.0)), State::Ok, &["64 cores"]),
            // A request below what is planned is no fault where there is a limit that fits.
            (
                facts(4, 64, Some(4.0), Some(0.5)),
                State::Ok,
                &["limit of 4"],
            ),
        ];
        for (facts, state, words) in cases {
            expect(&judge(&facts), state, words);
        }
    }

    #[test]
    fn one_kind_of_thread_is_enough_to_exceed() {
        let mut plan = Budget::for_cpus(2);
        assert!(!exceeds(&plan, 2));
        plan.rayon = 2;
        assert!(exceeds(&plan, 2));
    }
}
