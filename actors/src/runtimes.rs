//! Watches the event loops: how late a timer fires on each, and how busy its threads are.
//!
//! One small task lives on each runtime that is watched and ends with it. How busy the threads were comes from
//! `tokio-metrics`; how long a task waits for its turn is not among tokio's stable figures, so the task measures that itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::ffi::CString;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::time::Instant;
use tokio_metrics::{RuntimeIntervals, RuntimeMonitor};

/// How often the timer is set.
const PERIOD: Duration = Duration::from_millis(100);
/// After so many periods the busy ratio is taken anew.
const PERIODS_PER_RATIO: u32 = 10;

/// What a runtime is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Parses and answers HTTP.
    HttpWorker,
    /// The thread of an evaluator of the small lane.
    SmallEvaluator,
    /// The thread of an evaluator of the large lane.
    LargeEvaluator,
    /// The definitions and cohort caches and the change listener.
    Caches,
    /// The person loader and the hash-key writer.
    Loaders,
    /// The threads that database connections live on.
    Database,
}

impl Runtime {
    const fn name(self) -> &'static str {
        match self {
            Self::HttpWorker => "http_worker",
            Self::SmallEvaluator => "evaluator_small",
            Self::LargeEvaluator => "evaluator_large",
            Self::Caches => "caches",
            Self::Loaders => "loaders",
            Self::Database => "database",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    runtime: &'static str,
    instance: u32,
}

/// What is measured of the runtimes.
#[derive(Debug)]
pub(crate) struct RuntimeMetrics {
    delay: Family<Labels, Histogram, fn() -> Histogram>,
    busy_seconds: Family<Labels, Counter<f64, AtomicU64>>,
    busy_ratio: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl RuntimeMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            // Timers have a resolution of a millisecond: less than that is no delay.
            delay: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 13))
            }),
            busy_seconds: Family::default(),
            busy_ratio: Family::default(),
        };
        registry.register_with_unit(
            "burgee_runtime_delay",
            "How late a timer fired on an event loop; up to a millisecond is its resolution",
            Unit::Seconds,
            metrics.delay.clone(),
        );
        registry.register_with_unit(
            "burgee_runtime_busy",
            "Time the threads of an event loop spent working, not waiting",
            Unit::Seconds,
            metrics.busy_seconds.clone(),
        );
        registry.register(
            "burgee_runtime_busy_ratio",
            "Share of the last second that the threads of an event loop spent working, 0 to 1",
            metrics.busy_ratio.clone(),
        );
        metrics
    }

    /// Returns the task that watches a runtime; to be spawned there. It ends with its runtime.
    pub(crate) fn watch(
        &self,
        runtime: Runtime,
        instance: u32,
    ) -> impl Future<Output = ()> + Send + 'static {
        let labels = Labels {
            runtime: runtime.name(),
            instance,
        };
        let watched = Watched {
            delay: self.delay.get_or_create_owned(&labels),
            busy_seconds: self.busy_seconds.get_or_create_owned(&labels),
            busy_ratio: self.busy_ratio.get_or_create_owned(&labels),
            labels,
        };
        watched.run()
    }
}

/// The series of one runtime.
struct Watched {
    labels: Labels,
    delay: Histogram,
    busy_seconds: Counter<f64, AtomicU64>,
    busy_ratio: Gauge<f64, AtomicU64>,
}

impl Watched {
    async fn run(self) {
        self.name_thread();
        let monitor = RuntimeMonitor::new(&tokio::runtime::Handle::current());
        let mut intervals = monitor.intervals();
        loop {
            for _ in 0..PERIODS_PER_RATIO {
                let due = Instant::now() + PERIOD;
                tokio::time::sleep_until(due).await;
                self.delay.observe(due.elapsed().as_secs_f64());
            }
            self.take(&mut intervals);
        }
    }

    /// Gives the thread its runtime's name, for those who look at the CPU time of threads: actix calls all of them the same.
    fn name_thread(&self) {
        let Labels { runtime, instance } = &self.labels;
        if *runtime == Runtime::Database.name() {
            return; // It has several threads, and they have a name.
        }
        // The system cuts a name after 15 bytes.
        let short = runtime.replace("evaluator_", "eval-");
        let Ok(name) = CString::new(format!("{short}-{instance}")) else {
            return;
        };
        if let Err(error) = rustix::thread::set_name(&name) {
            tracing::debug!(%error, runtime, "a thread keeps its name");
        }
    }

    fn take(&self, intervals: &mut RuntimeIntervals) {
        let Some(interval) = intervals.next() else {
            return;
        };
        let busy = interval.total_busy_duration.as_secs_f64();
        let threads = f64::from(u32::try_from(interval.workers_count).unwrap_or(u32::MAX));
        self.busy_seconds.inc_by(busy);
        let whole = interval.elapsed.as_secs_f64() * threads;
        if whole > 0.0 {
            self.busy_ratio.set((busy / whole).min(1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PERIOD, Runtime, RuntimeMetrics};
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use std::time::Duration;
    use tokio::time::Instant;

    /// Keeps the thread from doing anything else.
    fn block(time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn a_blocked_event_loop_is_seen() {
        let mut registry = Registry::default();
        let metrics = RuntimeMetrics::register(&mut registry);
        tokio::spawn(metrics.watch(Runtime::SmallEvaluator, 3));
        let labels = r#"{runtime="evaluator_small",instance="3"}"#;
        let values = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let names = ["delay_seconds_sum", "busy_seconds_total", "busy_ratio"];
            names.map(|name| {
                let start = format!("burgee_runtime_{name}{labels} ");
                let value = text.lines().find_map(|line| line.strip_prefix(&start));
                value
                    .and_then(|value| value.parse::<f64>().ok())
                    .unwrap_or_default()
            })
        };
        let give_up = Instant::now() + Duration::from_secs(60);
        loop {
            // Longer than the period: the timer is due in the middle.
            block(PERIOD * 2);
            tokio::task::yield_now().await;
            let [late, busy, ratio] = values();
            if late > PERIOD.as_secs_f64() / 2.0 && busy > PERIOD.as_secs_f64() && ratio > 0.0 {
                assert!(ratio <= 1.0, "{ratio}");
                break;
            }
            assert!(Instant::now() < give_up, "{late} {busy} {ratio}");
        }
    }
}
