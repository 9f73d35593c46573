//! The settings of a stop.

use super::faults::Faults;
use std::time::Duration;

/// The variable that Kubernetes sets in every pod.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";
/// How long balancers get in a pod, in seconds: its endpoints and their proxies follow with a delay of a second or two.
const DELAY_IN_A_POD: u64 = 5;

/// How a stop goes, as it was written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LifecycleOptions {
    /// How long to go on serving after a stop signal, with /_readiness saying no, so that balancers send nothing more, in
    /// seconds; auto is 5 in a Kubernetes pod and 0 elsewhere
    #[arg(
        long,
        alias = "drain-delay",
        env = "BURGEE_DRAIN_DELAY_S",
        default_value = "auto",
        value_name = "S",
        help_heading = "Stopping"
    )]
    drain_delay_s: String,
    /// How long, after that, requests under way may take to end, and what waits to be written to be written, in seconds
    #[arg(
        long,
        alias = "shutdown-timeout",
        env = "BURGEE_SHUTDOWN_TIMEOUT_S",
        default_value = "25",
        value_name = "S",
        help_heading = "Stopping"
    )]
    shutdown_timeout_s: String,
}

/// How a stop goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifecycleConfig {
    /// How long balancers get to notice.
    pub drain_delay: Duration,
    /// How long requests under way and what waits to be written get.
    pub shutdown_timeout: Duration,
}

impl LifecycleOptions {
    pub(super) fn resolve(&self, f: &mut Faults) -> LifecycleConfig {
        let drain_delay = match self.drain_delay_s.trim() {
            "auto" => Duration::from_secs(delay(std::env::var_os(KUBERNETES).is_some())),
            raw => f.seconds("drain-delay-s", raw, 0),
        };
        LifecycleConfig {
            drain_delay,
            shutdown_timeout: f.seconds("shutdown-timeout-s", &self.shutdown_timeout_s, 0),
        }
    }
}

fn delay(is_pod: bool) -> u64 {
    if is_pod { DELAY_IN_A_POD } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn balancers_get_time_in_a_pod() {
        assert_eq!((delay(true), delay(false)), (5, 0));
    }
}
