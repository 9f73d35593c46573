//! `faults`: a database that stands still, dies and comes back, or is slow, under a steady load of two kinds of requests.
//!
//! Those that carry every property need no database, and must not notice. The others need a stored person: their flags
//! fail while the database is away, and must work again soon after it is back. Burgee reaches Postgres through a proxy
//! of this program, which can hold up what passes.

mod proxy;

use crate::bench::Bench;
use crate::load::samples::{Event, Outcome, Samples, Span};
use crate::load::{SDK, Target, Traffic, open};
use crate::report::{Findings, cell};
use crate::server::Server;
use crate::world::{Properties, World};
use anyhow::{Context, Result, anyhow};
use proxy::Proxy;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PLAIN: u8 = 0;
const PERSON: u8 = 1;
const PROJECTS: usize = 2;
const CONNECTIONS: usize = 512;
/// What is added to each query by the slow database.
const DELAY: Duration = Duration::from_millis(200);

/// What befalls the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Frozen,
    Killed,
    Slow,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Frozen, Self::Killed, Self::Slow];

    fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Killed => "killed",
            Self::Slow => "200 ms more",
        }
    }
}

/// How long each part takes, in seconds, and how many requests come a second.
#[derive(Debug, Clone, Copy)]
struct Stage {
    rate: f64,
    warm_up: f64,
    before: f64,
    fault: f64,
    after: f64,
}

/// What happened, and when the database went and came back, in seconds since the run began.
struct Course {
    samples: Samples,
    gone: f64,
    back: f64,
}

/// Measures all faults.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let world = World::new(&[20; PROJECTS], bench.pace.pick(5_000, 1_000, 100))?;
    let proxy = Proxy::start(world.postgres()?.address())?;
    let direct = world.postgres()?.address().to_string();
    let url = world.url().replace(&direct, &proxy.address.to_string());
    let burgee = Server::burgee(bench, &url)?;
    let traffic = Traffic::new(4_096, |random| {
        let (class, properties) = match random.below(2) {
            0 => (PLAIN, Properties::Sent),
            _ => (PERSON, Properties::Stored),
        };
        let project = random.below(PROJECTS as u64) as usize;
        world.request(class, project, random.next(), properties)
    });
    let (rate, warm_up, before, fault, after) = bench.pace.pick(
        (1_000.0, 2.0, 6.0, 6.0, 10.0),
        (500.0, 0.5, 2.0, 3.0, 4.0),
        (200.0, 0.1, 0.3, 0.4, 1.0),
    );
    let stage = Stage {
        rate,
        warm_up,
        before,
        fault,
        after,
    };
    let mut findings = Findings {
        heads: vec![
            "fault",
            "requests",
            "before p99",
            "during p99",
            "max ms",
            "flags failed",
            "refused",
            "no answer",
            "suffered s",
            "recovery s",
        ],
        ..Findings::default()
    };
    let (mut undisturbed, mut recovery) = (Vec::new(), Vec::new());
    for fault in Fault::ALL {
        let phase = format!("the database is {}", fault.name());
        let course = bench.watched(&phase, || {
            endure(bench, &world, &proxy, &burgee, &traffic, stage, fault)
        })?;
        let seen = Seen::of(&course, stage)?;
        seen.put(&mut findings, fault)?;
        undisturbed.push(seen.undisturbed);
        recovery.push(seen.recovery);
    }
    // The worst of all faults; a fault without a figure leaves none.
    let worst = |values: Vec<Option<f64>>| {
        let values: Option<Vec<f64>> = values.into_iter().collect();
        values.and_then(|values| values.into_iter().max_by(f64::total_cmp))
    };
    findings
        .ratios
        .push(("undisturbed_p99", worst(undisturbed)));
    findings.ratios.push(("recovery_s", worst(recovery)));
    Ok(findings)
}

/// Loads Burgee while a fault comes and goes.
fn endure(
    bench: &Bench,
    world: &World,
    proxy: &Proxy,
    burgee: &Server,
    traffic: &Traffic,
    stage: Stage,
    fault: Fault,
) -> Result<Course> {
    let target = Target {
        address: burgee.address,
        connections: bench.pace.pick(CONNECTIONS, CONNECTIONS / 2, 64),
        queue: SDK,
        patience: SDK,
    };
    let step = open::Step {
        traffic,
        rate: stage.rate,
        seconds: stage.warm_up + stage.before + stage.fault + stage.after,
    };
    std::thread::scope(|scope| {
        let load = scope.spawn(|| open::run(target, &[step]));
        let inflicted = inflict(world, proxy, stage, fault);
        let samples = load
            .join()
            .map_err(|_panic| anyhow!("the load panicked"))??;
        let (gone, back) = inflicted?;
        let began = samples.began.context("a run has a beginning")?;
        let since = |moment: Instant| moment.duration_since(began).as_secs_f64();
        Ok(Course {
            samples,
            gone: since(gone),
            back: since(back),
        })
    })
}

/// Lets the fault come and go; returns when it came and when the database was back.
fn inflict(world: &World, proxy: &Proxy, stage: Stage, fault: Fault) -> Result<(Instant, Instant)> {
    wait(stage.warm_up + stage.before);
    let gone = Instant::now();
    match fault {
        Fault::Frozen => {
            let frozen = world.postgres()?.freeze()?;
            wait(stage.fault);
            drop(frozen);
        }
        Fault::Killed => {
            world.postgres()?.stop()?;
            wait(stage.fault);
            world.postgres()?.resume()?;
        }
        Fault::Slow => {
            proxy.delay(DELAY);
            wait(stage.fault);
            proxy.delay(Duration::ZERO);
        }
    }
    Ok((gone, Instant::now()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the fault lasts for a time; nothing tells its end"
)]
fn wait(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

/// What the requests saw of a fault.
struct Seen {
    plain: [Samples; 2],
    person: [Samples; 2],
    /// p99 of requests without stored data, from the fault to the end, over the one before.
    undisturbed: Option<f64>,
    /// Seconds from the first request that suffered to the last one.
    suffered: f64,
    /// Seconds from the database's return until no request suffers any more.
    recovery: Option<f64>,
}

impl Seen {
    fn of(course: &Course, stage: Stage) -> Result<Self> {
        let end = stage.warm_up + stage.before + stage.fault + stage.after;
        let before = course.samples.within(Span {
            from: stage.warm_up,
            to: course.gone,
        });
        let since = course.samples.within(Span {
            from: course.gone,
            to: end,
        });
        let plain = [before.class(PLAIN), since.class(PLAIN)];
        let person = [before.class(PERSON), since.class(PERSON)];
        let [p99_before, p99_since] = [
            plain[0].latencies()?.at(0.99),
            plain[1].latencies()?.at(0.99),
        ];
        let bound = normal(&person[0])?;
        let suffered = |event: &&Event| suffers(event, bound);
        let mut times: Vec<u32> = (person[1].events.iter())
            .filter(suffered)
            .map(|event| event.intended)
            .collect();
        times.sort_unstable();
        let first = times.first().map_or(0.0, |at| f64::from(*at) / 1e6);
        let last = times.last().map_or(0.0, |at| f64::from(*at) / 1e6);
        let recovery = (last - course.back).max(0.0);
        // When the last one suffers at the very end, nobody knows when it would have been over.
        let over = last < end - stage.after * 0.1;
        Ok(Self {
            undisturbed: p99_since
                .zip(p99_before)
                .map(|(since, before)| since / before),
            suffered: last - first,
            recovery: over.then_some(recovery),
            plain,
            person,
        })
    }

    fn put(&self, findings: &mut Findings, fault: Fault) -> Result<()> {
        let name = fault.name();
        let kinds = [
            ("without stored data", &self.plain),
            ("with a person", &self.person),
        ];
        for (kind, [before, since]) in kinds {
            let refused = since.count(Outcome::Refused);
            let failed = since.count(Outcome::FlagsFailed);
            let answered = since.count(Outcome::Answered);
            let times = match kind == "with a person" {
                true => [cell(Some(self.suffered), 2), cell(self.recovery, 2)],
                false => [cell(None, 0), cell(None, 0)],
            };
            let cells = [
                name.to_owned(),
                kind.to_owned(),
                cell(before.latencies()?.at(0.99), 2),
                cell(since.latencies()?.at(0.99), 2),
                cell(since.latencies()?.max(), 1),
                failed.to_string(),
                refused.to_string(),
                (since.events.len() - refused - failed - answered).to_string(),
            ];
            findings.row(cells.into_iter().chain(times));
            let figures: Value = json!({
                "before": before.figures()?,
                "since": since.figures()?,
            });
            findings.figure(&format!("{name}, {kind}"), figures);
        }
        findings.figure(
            name,
            json!({
                "undisturbed_p99": self.undisturbed,
                "suffered_s": self.suffered,
                "recovery_s": self.recovery,
            }),
        );
        Ok(())
    }
}

/// Returns the latency in microseconds beyond which a request with a person suffers: twice the p99 before, at least 50 ms.
fn normal(before: &Samples) -> Result<u64> {
    let p99 = before.latencies()?.at(0.99).unwrap_or_default();
    Ok((p99 * 2e3).max(50e3) as u64)
}

fn suffers(event: &Event, bound: u64) -> bool {
    event.outcome != Outcome::Answered || event.latency() > bound
}
