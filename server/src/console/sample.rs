//! What the page is told of the time between two readings: rates, quantiles, and the state at its end. Pure.

#[cfg(test)]
mod tests;

use super::reading::{Buckets, Reading};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Whether the server can serve flags, as `/_readiness` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct State {
    /// `ready`, `stale` or `not_ready`.
    pub(super) is: &'static str,
    /// Why not, for the operator.
    pub(super) why: Option<String>,
}

/// A figure with four digits, so that a page's history is small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure(f64);

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if value == 0.0 || !value.is_finite() {
            return serializer.serialize_u8(0);
        }
        let digits = 10_f64.powf(3.0 - value.abs().log10().floor());
        serializer.serialize_f64((value * digits).round() / digits)
    }
}

/// The middle and the slow end of a histogram, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    p50: Figure,
    p99: Figure,
}

/// A second, or whatever lies between two readings.
#[derive(Debug, Serialize)]
pub(super) struct Sample<'a> {
    /// Its end, in milliseconds of Unix time.
    at: i64,
    /// Its length in seconds.
    span: Figure,
    state: &'a State,
    /// Answers a second: `2xx`, `3xx`, `4xx`, `429`, `5xx`.
    answers: BTreeMap<&'static str, Figure>,
    latency: Option<Spread>,
    routes: Vec<RouteSample<'a>>,
    in_flight: Figure,
    /// A second, by reason.
    refused: BTreeMap<&'a str, Figure>,
    /// A second, by stage.
    missed: BTreeMap<&'a str, Figure>,
    mailboxes: Vec<MailboxSample<'a>>,
    waits: Waits,
    evaluation: Option<Spread>,
    lanes: BTreeMap<&'a str, Figure>,
    flags: Flags,
    pool: Pool,
    cohorts: Cohorts,
    definitions: Definitions,
    loops: Vec<Loop<'a>>,
    cpu: Cpu,
    memory: Memory,
    events: Events,
}

#[derive(Debug, Serialize)]
struct RouteSample<'a> {
    route: &'a str,
    /// Since the start.
    total: u64,
    rate: Figure,
    /// Of them with a status of 429 or from 500 on.
    bad: Figure,
    #[serde(flatten)]
    latency: Option<Spread>,
}

#[derive(Debug, Serialize)]
struct MailboxSample<'a> {
    actor: &'a str,
    instance: &'a str,
    depth: Figure,
    capacity: Figure,
    refused: Figure,
}

#[derive(Debug, Serialize)]
struct Waits {
    http: Option<Spread>,
    evaluator: Option<Spread>,
    loader: Option<Spread>,
}

#[derive(Debug, Serialize)]
struct Flags {
    evaluated: Figure,
    failed: Figure,
}

#[derive(Debug, Serialize)]
struct Pool {
    connections: Figure,
    in_use: Figure,
    waiting: Figure,
    acquire: Option<Spread>,
    hold: Option<Spread>,
    query: Option<Spread>,
}

#[derive(Debug, Serialize)]
struct Cohorts {
    bytes: Figure,
    limit: Figure,
    entries: Figure,
    /// Of the look-ups in between.
    hits: Option<Figure>,
}

#[derive(Debug, Serialize)]
struct Definitions {
    /// In seconds; `None` while there are none.
    age: Option<Figure>,
    projects: Figure,
    hits: Option<Figure>,
    loads_failed: Figure,
}

#[derive(Debug, Serialize)]
struct Loop<'a> {
    runtime: &'a str,
    instance: &'a str,
    busy: Figure,
    /// How late its timers fired, p99 in seconds.
    late: Option<Figure>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    /// Cores kept busy.
    used: Figure,
    quota: Option<Figure>,
    /// Seconds of waiting for the quota, a second.
    throttled: Option<Figure>,
    /// Share of the periods in which it had to wait.
    periods: Option<Figure>,
}

#[derive(Debug, Serialize)]
struct Memory {
    resident: Figure,
    threads: Figure,
    files: Figure,
    most_files: Figure,
}

#[derive(Debug, Serialize)]
struct Events {
    accepted: Figure,
    dropped: Figure,
    pending: Figure,
}

/// Two readings and the seconds between them.
pub(super) struct Between<'a> {
    pub(super) before: &'a Reading,
    pub(super) now: &'a Reading,
    pub(super) seconds: f64,
}

impl<'a> Between<'a> {
    /// Tells what happened in between. `at` is the end, in milliseconds of Unix time.
    pub(super) fn sample(&self, at: i64, state: &'a State) -> Sample<'a> {
        Sample {
            at,
            span: Figure(self.seconds),
            state,
            answers: self.answers(),
            latency: self.spread("burgee_http_request_duration_seconds", &[]),
            routes: self.routes(),
            in_flight: self.gauge("burgee_http_requests_in_flight"),
            refused: self.refused(),
            missed: self.rates("burgee_deadlines_missed_total", "stage"),
            mailboxes: self.mailboxes(),
            waits: Waits {
                http: self.spread("burgee_http_wait_seconds", &[]),
                evaluator: self.spread("burgee_evaluator_wait_seconds", &[]),
                loader: self.spread("burgee_loader_wait_seconds", &[]),
            },
            evaluation: self.spread("burgee_evaluation_seconds", &[]),
            lanes: figures(self.now.by("burgee_batches_in_flight", "lane")),
            flags: Flags {
                evaluated: self.rate("burgee_flags_evaluated_total"),
                failed: self.rate("burgee_flags_failed_total"),
            },
            pool: self.pool(),
            cohorts: Cohorts {
                bytes: self.gauge("burgee_cohort_cache_bytes"),
                limit: self.gauge("burgee_cohort_cache_limit_bytes"),
                entries: self.gauge("burgee_cohort_cache_entries"),
                hits: self.share(
                    "burgee_cohort_cache_hits_total",
                    "burgee_cohort_cache_misses_total",
                ),
            },
            definitions: Definitions {
                age: self.now.value("burgee_definitions_age_seconds").map(Figure),
                projects: self.gauge("burgee_projects_cached"),
                hits: self.share(
                    "burgee_definition_hits_total",
                    "burgee_definition_loads_total",
                ),
                loads_failed: self.rate("burgee_definition_loads_failed_total"),
            },
            loops: self.loops(),
            cpu: self.cpu(),
            memory: Memory {
                resident: self.gauge("process_resident_memory_bytes"),
                threads: self.gauge("process_threads"),
                files: self.gauge("process_open_fds"),
                most_files: self.gauge("process_max_fds"),
            },
            events: Events {
                accepted: self.rate("burgee_events_accepted_total"),
                dropped: self.rate("burgee_events_dropped_total"),
                pending: self.gauge("burgee_events_pending"),
            },
        }
    }

    fn gauge(&self, name: &str) -> Figure {
        Figure(self.now.sum(name))
    }

    fn growth(&self, name: &str) -> f64 {
        (self.now.sum(name) - self.before.sum(name)).max(0.0)
    }

    fn per_second(&self, growth: f64) -> Figure {
        if self.seconds > 0.0 {
            Figure(growth.max(0.0) / self.seconds)
        } else {
            Figure(0.0)
        }
    }

    fn rate(&self, counter: &str) -> Figure {
        self.per_second(self.growth(counter))
    }

    /// Returns what a counter grew by each second, by a label; what did not grow is left out.
    fn rates(&self, counter: &str, label: &str) -> BTreeMap<&'a str, Figure> {
        let before = self.before.by(counter, label);
        let grown = self.now.by(counter, label).into_iter().map(|(key, value)| {
            let earlier = before.get(key).copied().unwrap_or_default();
            (key, value - earlier)
        });
        grown
            .filter(|(_, growth)| *growth > 0.0)
            .map(|(key, growth)| (key, self.per_second(growth)))
            .collect()
    }

    fn spread(&self, histogram: &str, only: &[(&str, &str)]) -> Option<Spread> {
        let seen = self.seen(histogram, only);
        Some(Spread {
            p50: Figure(seen.quantile(0.5)?),
            p99: Figure(seen.quantile(0.99)?),
        })
    }

    fn seen(&self, histogram: &str, only: &[(&str, &str)]) -> Buckets {
        let before = self.before.buckets(histogram, only);
        self.now.buckets(histogram, only).since(&before)
    }

    /// Returns the share of the one in both; `None` when there was neither.
    fn share(&self, one: &str, other: &str) -> Option<Figure> {
        let (one, other) = (self.growth(one), self.growth(other));
        let both = one + other;
        (both > 0.0).then(|| Figure(one / both))
    }

    fn answers(&self) -> BTreeMap<&'static str, Figure> {
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        let before = self.before.by("burgee_http_requests_total", "status");
        for (status, total) in self.now.by("burgee_http_requests_total", "status") {
            let earlier = before.get(status).copied().unwrap_or_default();
            *sums.entry(class(status)).or_default() += total - earlier;
        }
        let rates = sums.into_iter();
        rates
            .map(|(class, growth)| (class, self.per_second(growth)))
            .collect()
    }

    fn routes(&self) -> Vec<RouteSample<'a>> {
        const REQUESTS: &str = "burgee_http_requests_total";
        let labels = ["route", "status"];
        let before = self.before.by_two(REQUESTS, labels);
        let mut routes: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
        for ((route, status), total) in self.now.by_two(REQUESTS, labels) {
            let earlier = of(&before, (route, status));
            let (all, grown, bad) = routes.entry(route).or_default();
            *all += total;
            *grown += total - earlier;
            if matches!(class(status), "429" | "5xx") {
                *bad += total - earlier;
            }
        }
        let routes = routes.into_iter();
        routes
            .map(|(route, (total, grown, bad))| RouteSample {
                route,
                total: whole(total),
                rate: self.per_second(grown),
                bad: self.per_second(bad),
                latency: self.spread("burgee_http_request_duration_seconds", &[("route", route)]),
            })
            .collect()
    }

    /// Returns refusals by reason: those of the actors, and those that never reached them.
    fn refused(&self) -> BTreeMap<&'a str, Figure> {
        let mut refused = self.rates("burgee_requests_refused_total", "reason");
        let limited = self.rates("burgee_http_rate_limited_total", "outcome");
        if let Some(rate) = limited.get("refused") {
            refused.insert("rate limit", *rate);
        }
        let events = self.rates("burgee_events_dropped_total", "reason");
        if let Some(rate) = events.get("refused") {
            refused.insert("events", *rate);
        }
        refused
    }

    fn mailboxes(&self) -> Vec<MailboxSample<'a>> {
        let labels = ["actor", "instance"];
        let depths = self.now.by_two("burgee_mailbox_depth", labels);
        let refused = self.now.by_two("burgee_mailbox_refused_total", labels);
        let before = self.before.by_two("burgee_mailbox_refused_total", labels);
        let capacities = self
            .now
            .by_two("burgee_mailbox_capacity", labels)
            .into_iter();
        capacities
            .map(|(key, capacity)| MailboxSample {
                actor: key.0,
                instance: key.1,
                depth: Figure(of(&depths, key)),
                capacity: Figure(capacity),
                refused: self.per_second(of(&refused, key) - of(&before, key)),
            })
            .collect()
    }

    fn pool(&self) -> Pool {
        let connections = self.now.sum("burgee_pool_connections");
        Pool {
            connections: Figure(connections),
            in_use: Figure((connections - self.now.sum("burgee_pool_idle")).max(0.0)),
            waiting: self.gauge("burgee_pool_waiting"),
            acquire: self.spread("burgee_pool_acquire_seconds", &[]),
            hold: self.spread("burgee_pool_hold_seconds", &[]),
            query: self.spread("burgee_database_query_seconds", &[]),
        }
    }

    fn loops(&self) -> Vec<Loop<'a>> {
        let labels = ["runtime", "instance"];
        let busy = self.now.by_two("burgee_runtime_busy_ratio", labels);
        let loops = busy.into_iter();
        loops
            .map(|((runtime, instance), busy)| {
                let only = [("runtime", runtime), ("instance", instance)];
                let late = self.seen("burgee_runtime_delay_seconds", &only);
                Loop {
                    runtime,
                    instance,
                    busy: Figure(busy),
                    late: late.quantile(0.99).map(Figure),
                }
            })
            .collect()
    }

    fn cpu(&self) -> Cpu {
        let periods = self.growth("burgee_cpu_periods_total");
        let throttled = self.now.value("burgee_cpu_throttled_seconds_total");
        Cpu {
            used: self.rate("process_cpu_seconds_total"),
            quota: self.now.value("burgee_cpu_quota_cores").map(Figure),
            throttled: throttled.map(|_| self.rate("burgee_cpu_throttled_seconds_total")),
            periods: (periods > 0.0)
                .then(|| Figure(self.growth("burgee_cpu_throttled_periods_total") / periods)),
        }
    }
}

fn of(all: &BTreeMap<(&str, &str), f64>, key: (&str, &str)) -> f64 {
    all.get(&key).copied().unwrap_or_default()
}

fn class(status: &str) -> &'static str {
    match (status, status.as_bytes().first()) {
        ("429", _) => "429",
        (_, Some(b'2')) => "2xx",
        (_, Some(b'3')) => "3xx",
        (_, Some(b'4')) => "4xx",
        _ => "5xx",
    }
}

fn figures(values: BTreeMap<&str, f64>) -> BTreeMap<&str, Figure> {
    let values = values.into_iter();
    values.map(|(key, value)| (key, Figure(value))).collect()
}

/// Counters are whole numbers that were written as text.
fn whole(value: f64) -> u64 {
    #[expect(
        clippy::as_conversions,
        reason = "saturates, and no counter comes near the end of what is exact"
    )]
    let whole = value as u64;
    whole
}
