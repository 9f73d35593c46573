//! `overload`: five times more than Burgee carries, out of a steady load and back into it.
//!
//! What counts: that it still answers as many as it can, that it refuses the others at once, that those it admits do not
//! wait for those it refuses, and that everything is as before soon afterwards.

use crate::bench::Bench;
use crate::load::samples::{Outcome, Samples, Span};
use crate::load::{SDK, Target, Traffic, open};
use crate::proc;
use crate::report::{Findings, cell};
use crate::saturation::{self, Saturation};
use crate::server::Server;
use crate::world::{Properties, World};
use anyhow::{Result, anyhow};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SMALL_PROJECTS: usize = 8;
/// More than are busy at any moment, also when every one of them is refused.
const CONNECTIONS: usize = 2_048;
/// An arrival waits no longer for a connection: a client of its own would open one.
const QUEUE: Duration = Duration::from_millis(100);
const TIMES: f64 = 5.0;
/// The steady load before and after, as a share of what Burgee carries.
const STEADY: f64 = 0.75;
/// Recovery is looked for in steps of this many seconds.
const WINDOW: f64 = 0.1;
/// It is over when a window's p99 is within this factor of the p99 before, or within this many milliseconds, and nothing
/// is refused.
const NORMAL: (f64, f64) = (3.0, 5.0);

/// Measures it.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let mut sizes = vec![20; SMALL_PROJECTS];
    sizes.push(1_000);
    let world = World::new(&sizes, bench.pace.pick(5_000, 1_000, 100))?;
    let traffic = Arc::new(mixture(&world));
    let burgee = Server::burgee(bench, world.url())?;
    let carries = saturation::find(bench, "burgee", &burgee, &traffic)?;
    let stage = Stage::of(bench);
    let overloaded = bench.watched("burgee: five times too much", || {
        overload(&burgee, &traffic, carries, stage)
    })?;
    findings(&overloaded, carries, stage)
}

/// Nine of ten requests for 20 flags, one for 1,000, each with a stored person: as in `tail`.
fn mixture(world: &World) -> Traffic {
    Traffic::new(8_192, |random| {
        let project = match random.below(10) {
            0 => SMALL_PROJECTS,
            _ => random.below(SMALL_PROJECTS as u64) as usize,
        };
        world.request(0, project, random.next(), Properties::Stored)
    })
}

/// How long each part takes, in seconds.
#[derive(Debug, Clone, Copy)]
struct Stage {
    warm_up: f64,
    before: f64,
    overload: f64,
    after: f64,
    connections: usize,
}

impl Stage {
    fn of(bench: &Bench) -> Self {
        let (warm_up, before, overload, after) = bench.pace.pick(
            (2.0, 8.0, 30.0, 8.0),
            (0.5, 2.0, 4.0, 3.0),
            (0.1, 0.3, 0.4, 0.3),
        );
        Self {
            warm_up,
            before,
            overload,
            after,
            connections: bench.pace.pick(CONNECTIONS, CONNECTIONS, 64),
        }
    }

    fn before_span(&self) -> Span {
        Span {
            from: self.warm_up,
            to: self.warm_up + self.before,
        }
    }

    /// The overload without its first tenth, in which queues fill.
    fn overload_span(&self) -> Span {
        let begin = self.warm_up + self.before;
        Span {
            from: begin + self.overload * 0.1,
            to: begin + self.overload,
        }
    }

    fn end_of_overload(&self) -> f64 {
        self.warm_up + self.before + self.overload
    }

    fn all(&self) -> f64 {
        self.end_of_overload() + self.after
    }
}

/// What happened, and the memory while it did: (seconds since the start, kB).
struct Overloaded {
    samples: Samples,
    memory: Vec<(f64, u64)>,
}

fn overload(
    server: &Server,
    traffic: &Traffic,
    carries: Saturation,
    stage: Stage,
) -> Result<Overloaded> {
    let step = |rate: f64, seconds: f64| open::Step {
        traffic,
        rate: rate.max(1.0),
        seconds,
    };
    let schedule = [
        step(STEADY * carries.carried, stage.warm_up + stage.before),
        step(TIMES * carries.peak, stage.overload),
        step(STEADY * carries.carried, stage.after),
    ];
    let target = Target {
        address: server.address,
        connections: stage.connections,
        queue: QUEUE,
        patience: SDK,
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let memory = scope.spawn(|| watch_memory(server.id(), &done));
        let samples = open::run(target, &schedule);
        done.store(true, Ordering::Release);
        let memory = memory
            .join()
            .map_err(|_panic| anyhow!("the watcher panicked"))?;
        Ok(Overloaded {
            samples: samples?,
            memory,
        })
    })
}

/// Looks at a process's memory until it is told to stop.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process there is nothing to wait for"
)]
fn watch_memory(id: u32, done: &AtomicBool) -> Vec<(f64, u64)> {
    let start = std::time::Instant::now();
    let mut seen = Vec::new();
    while !done.load(Ordering::Acquire) {
        if let Ok(kb) = proc::resident_kb(id) {
            seen.push((start.elapsed().as_secs_f64(), kb));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    seen
}

/// Returns the largest memory in a span.
fn largest(memory: &[(f64, u64)], from: f64, to: f64) -> Option<f64> {
    let within = memory.iter().filter(|(at, _)| (from..to).contains(at));
    within.map(|(_, kb)| *kb as f64).max_by(f64::total_cmp)
}

/// Returns the seconds from the end of the overload until all is as before and stays so; `None` when it never is.
fn recovery(samples: &Samples, stage: Stage, normal_p99: Option<f64>) -> Result<Option<f64>> {
    let (factor, floor) = NORMAL;
    let bound = normal_p99.map_or(floor, |p99| (p99 * factor).max(floor));
    let end = stage.end_of_overload();
    let windows = (stage.after / WINDOW) as u32;
    let mut recovered = None;
    for window in 0..windows {
        let begin = f64::from(window) * WINDOW;
        let within = samples.within(Span {
            from: end + begin,
            to: end + begin + WINDOW,
        });
        let p99 = within.latencies()?.at(0.99).unwrap_or(f64::INFINITY);
        if p99 > bound || within.answers() < within.events.len() {
            recovered = None;
        } else if recovered.is_none() {
            recovered = Some(begin);
        }
    }
    Ok(recovered)
}

fn findings(overloaded: &Overloaded, carries: Saturation, stage: Stage) -> Result<Findings> {
    let Overloaded { samples, memory } = overloaded;
    let before = samples.within(stage.before_span());
    let during = samples.within(stage.overload_span());
    let normal_p99 = before.sent().latencies()?.at(0.99);
    let admitted_p99 = during.sent().latencies()?.at(0.99);
    let recovered = recovery(samples, stage, normal_p99)?;
    let end = stage.end_of_overload();
    let before_kb = largest(memory, stage.warm_up, stage.before_span().to);
    let during_kb = largest(memory, stage.before_span().to, end);
    let after_kb = largest(memory, end, f64::INFINITY);

    let mut findings = Findings {
        heads: vec![
            "load",
            "/s",
            "answered /s",
            "admitted p50",
            "p99",
            "max ms",
            "refused",
            "refusal p99",
            "lost",
            "MB",
        ],
        ..Findings::default()
    };
    let (steady, flood) = (STEADY * carries.carried, TIMES * carries.peak);
    let after_span = Span {
        from: end,
        to: stage.all(),
    };
    // Answers count when they come, not when they were asked for: a backlog is not goodput.
    let goodput = samples.throughput(stage.overload_span());
    let parts = [
        ("75 %", steady, stage.before_span(), before_kb),
        ("500 %", flood, stage.overload_span(), during_kb),
        ("75 % again", steady, after_span, after_kb),
    ];
    for (name, rate, span, kb) in parts {
        let throughput = samples.throughput(span);
        let samples = samples.within(span);
        let latencies = samples.sent().latencies()?;
        let refused = samples.count(Outcome::Refused);
        findings.row([
            name.to_owned(),
            cell(Some(rate), 0),
            cell(Some(throughput), 0),
            cell(latencies.at(0.5), 2),
            cell(latencies.at(0.99), 2),
            cell(latencies.max(), 1),
            refused.to_string(),
            cell(samples.refusals()?.at(0.99), 2),
            (samples.events.len() - samples.answers() - refused).to_string(),
            cell(kb.map(|kb| kb / 1024.0), 1),
        ]);
        findings.figure(name, samples.figures()?);
    }
    findings.ratio("goodput", Some(goodput), Some(carries.peak));
    findings.ratio("admitted_p99", admitted_p99, normal_p99);
    let peak_kb = during_kb
        .zip(after_kb)
        .map(|(during, after)| during.max(after));
    findings.ratio("rss", peak_kb, before_kb);
    findings.figure("carries", carries.figures());
    findings.figure("recovery_s", json!(recovered));
    findings.figure("refusal_ms", during.refusals()?.figures());
    findings.figure(
        "rss_kb",
        json!({"before": before_kb, "during": during_kb, "after": after_kb}),
    );
    let unsent = during.count(Outcome::Unsent);
    if unsent > 0 {
        findings.notes.push(format!(
            "{unsent} requests of the overload were never sent: all {} connections were busy for {QUEUE:?}",
            stage.connections
        ));
    }
    findings.notes.push(match recovered {
        Some(seconds) => format!("as before {seconds:.1} s after the overload ended"),
        None => "not as before by the end of the run".to_owned(),
    });
    Ok(findings)
}
