//! The settings of threads, and of the queues before them.

use super::faults::Faults;
use burgee_actors::Budget;
use std::time::Duration;

/// How many threads there are and how much waits for them, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ThreadOptions {
    /// How many CPUs to plan for; 0 finds out, container limits included
    #[arg(
        long,
        env = "BURGEE_CPUS",
        default_value = "0",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    cpus: String,
    /// HTTP workers; auto derives it from the CPUs
    #[arg(
        long,
        env = "BURGEE_HTTP_WORKERS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    http_workers: String,
    /// Evaluators of small requests; auto derives it from the CPUs
    #[arg(
        long,
        env = "BURGEE_EVALUATORS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    evaluators: String,
    /// Evaluators of large requests; auto derives it from the CPUs
    #[arg(
        long,
        env = "BURGEE_LARGE_EVALUATORS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    large_evaluators: String,
    /// Threads that large evaluations run on; auto derives it from the CPUs
    #[arg(
        long,
        env = "BURGEE_CPU_THREADS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    cpu_threads: String,
    /// Where small requests are evaluated: worker gives each HTTP worker an evaluator on its own thread beside the shared
    /// ones, thread leaves all of them to the shared ones
    #[arg(
        long,
        env = "BURGEE_EVALUATOR_PLACEMENT",
        default_value = "worker",
        value_name = "PLACE",
        help_heading = "Threads and queues"
    )]
    evaluator_placement: String,
    /// Requests expected to take longer than this to evaluate go to the large evaluators, in microseconds
    #[arg(
        long,
        env = "BURGEE_LARGE_ABOVE_US",
        default_value = "100",
        value_name = "US",
        help_heading = "Threads and queues"
    )]
    large_above_us: String,
    /// How long requests may go on waiting for a thread before further ones are refused, in milliseconds; 0 for as long as
    /// they have time. Bursts that are worked off within a tenth of a second may wait longer
    #[arg(
        long,
        env = "BURGEE_STANDING_LIMIT_MS",
        default_value = "100",
        value_name = "MS",
        help_heading = "Threads and queues"
    )]
    standing_limit_ms: String,
    /// Threads of the runtime that database connections live on; auto derives it from the CPUs
    #[arg(
        long,
        env = "BURGEE_DATABASE_THREADS",
        default_value = "auto",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    database_threads: String,
    /// Evaluations that may wait for one evaluator
    #[arg(
        long,
        env = "BURGEE_MAILBOX_CAPACITY",
        default_value = "1024",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    mailbox_capacity: String,
    /// Look-ups of persons that may wait for the database
    #[arg(
        long,
        env = "BURGEE_LOADER_MAILBOX_CAPACITY",
        default_value = "4096",
        value_name = "N",
        help_heading = "Threads and queues"
    )]
    loader_mailbox_capacity: String,
    /// Memory for the members of static cohorts, in bytes; the database answers for those that do not fit
    #[arg(
        long,
        env = "BURGEE_COHORT_CACHE_BYTES",
        default_value = "268435456",
        value_name = "BYTES",
        help_heading = "Threads and queues"
    )]
    cohort_cache_bytes: String,
}

impl ThreadOptions {
    pub(super) fn budget(&self, f: &mut Faults) -> Budget {
        let derived = match f.number("cpus", &self.cpus, 0..=65_536) {
            0 => Budget::detect(),
            cpus => Budget::for_cpus(cpus),
        };
        Budget {
            http_workers: f.auto("http-workers", &self.http_workers, derived.http_workers),
            small_evaluators: f.auto("evaluators", &self.evaluators, derived.small_evaluators),
            large_evaluators: f.auto(
                "large-evaluators",
                &self.large_evaluators,
                derived.large_evaluators,
            ),
            rayon: f.auto("cpu-threads", &self.cpu_threads, derived.rayon),
            database: f.auto("database-threads", &self.database_threads, derived.database),
        }
    }

    pub(super) fn evaluators_at_workers(&self, f: &mut Faults) -> bool {
        f.word(
            "evaluator-placement",
            &self.evaluator_placement,
            &[("worker", true), ("thread", false)],
            true,
        )
    }

    pub(super) fn large_above(&self, f: &mut Faults) -> Duration {
        Duration::from_micros(f.number("large-above-us", &self.large_above_us, 0..=10_000_000))
    }

    pub(super) fn standing_limit(&self, f: &mut Faults) -> Option<Duration> {
        match f.number("standing-limit-ms", &self.standing_limit_ms, 0..=60_000) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    pub(super) fn mailbox_capacity(&self, f: &mut Faults) -> usize {
        f.number("mailbox-capacity", &self.mailbox_capacity, 1..=1_000_000)
    }

    pub(super) fn loader_mailbox_capacity(&self, f: &mut Faults) -> usize {
        f.number(
            "loader-mailbox-capacity",
            &self.loader_mailbox_capacity,
            1..=1_000_000,
        )
    }

    pub(super) fn cohort_cache_bytes(&self, f: &mut Faults) -> usize {
        f.number("cohort-cache-bytes", &self.cohort_cache_bytes, 0..=1 << 40)
    }
}
