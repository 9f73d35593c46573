//! `tail`: small requests beside large ones, at equal arrival rates, against the two baselines.
//!
//! Nine of ten requests are for 20 flags, one for 1,000, each with a stored person. First at a rate that the naive
//! server still carries, then at three quarters of what Burgee carries; then one large project floods the others.

use crate::bench::Bench;
use crate::load::samples::{Latencies, Outcome, Samples, Span};
use crate::load::{ENDLESS, Target, Traffic, open};
use crate::proc::{Cpu, Used};
use crate::report::{Findings, cell};
use crate::saturation::{self, OPEN, Steady};
use crate::scrape::Reading;
use crate::server::{Baseline, Server};
use crate::world::{Properties, World};
use anyhow::{Result, anyhow};
use serde_json::json;
use std::sync::Arc;

const SMALL: u8 = 0;
const LARGE: u8 = 1;
/// The projects with few flags; the one with many comes after them.
const SMALL_PROJECTS: usize = 8;
const FLAGS: (usize, usize) = (20, 1_000);
/// Share of large requests, in percent.
const LARGE_PERCENT: u64 = 10;
/// Of naive's ceiling: a rate that it still carries.
const OF_NAIVE: f64 = 0.76;
/// Of Burgee's saturation.
const OF_BURGEE: f64 = 0.75;
/// The calm projects' rate in the flood, as a share of Burgee's saturation by the mixture.
const CALM: f64 = 0.4;
/// The flood's rate, as a multiple of the large requests that a server answers when it gets no others.
const FLOOD: f64 = 2.0;

/// What a server did under a steady load.
struct Measured {
    samples: Samples,
    used: Used,
    acquire_p99_ms: Option<f64>,
}

/// One server's figures at both rates, and in the flood.
struct Course {
    carried: Measured,
    three_quarters: Measured,
    flood: Option<Flood>,
}

/// The calm before, and the flood.
struct Flood {
    calm: Samples,
    flood: Samples,
}

/// The rates of a run.
struct Rates {
    carried: f64,
    three_quarters: f64,
    calm: f64,
    flood: f64,
}

/// Measures all three servers.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let mut sizes = vec![FLAGS.0; SMALL_PROJECTS];
    sizes.push(FLAGS.1);
    let world = World::new(&sizes, bench.pace.pick(5_000, 1_000, 100))?;
    let mixed = Arc::new(traffic(&world, LARGE_PERCENT));
    let large = Arc::new(traffic(&world, 100));

    let burgee = Server::burgee(bench, world.url())?;
    let burgee_carries = saturation::find(bench, "burgee", &burgee, &mixed)?;
    let burgee_large = saturation::find(bench, "burgee, large only", &burgee, &large)?;
    drop(burgee);
    let naive = Server::baseline(Baseline::Naive, world.url(), &world.file())?;
    let naive_carries = saturation::find(bench, "naive", &naive, &mixed)?;
    let rates = Rates {
        carried: OF_NAIVE * naive_carries.carried,
        three_quarters: OF_BURGEE * burgee_carries.carried,
        calm: CALM * burgee_carries.carried,
        flood: FLOOD * burgee_large.peak,
    };
    let of_naive = course(bench, "naive", &naive, &world, &mixed, &rates)?;
    drop(naive);
    let inline = Server::baseline(Baseline::Inline, world.url(), &world.file())?;
    let inline_carries = saturation::find(bench, "inline", &inline, &mixed)?;
    let of_inline = course(bench, "inline", &inline, &world, &mixed, &rates)?;
    drop(inline);
    let burgee = Server::burgee(bench, world.url())?;
    let of_burgee = course(bench, "burgee", &burgee, &world, &mixed, &rates)?;
    drop(burgee);

    let mut findings = Findings {
        heads: vec![
            "server",
            "load",
            "/s",
            "small p50",
            "p99",
            "p99.9",
            "max ms",
            "large p99",
            "refused",
            "failed",
            "acquire p99",
            "CPU µs",
        ],
        ..Findings::default()
    };
    let servers = [
        ("naive", &of_naive),
        ("inline", &of_inline),
        ("burgee", &of_burgee),
    ];
    for (name, course) in servers {
        rows(&mut findings, name, course, &rates)?;
    }
    ratios(&mut findings, &of_naive, &of_inline, &of_burgee)?;
    findings.figure(
        "carries",
        json!({
            "naive": naive_carries.figures(),
            "inline": inline_carries.figures(),
            "burgee": burgee_carries.figures(),
            "burgee_large_only": burgee_large.figures(),
        }),
    );
    Ok(findings)
}

/// Requests of which this share is large, each about a stored person.
fn traffic(world: &World, large_percent: u64) -> Traffic {
    Traffic::new(8_192, |random| {
        let (class, project) = match random.below(100) < large_percent {
            true => (LARGE, SMALL_PROJECTS),
            false => (SMALL, random.below(SMALL_PROJECTS as u64) as usize),
        };
        world.request(class, project, random.next(), Properties::Stored)
    })
}

fn course(
    bench: &Bench,
    name: &str,
    server: &Server,
    world: &World,
    mixed: &Traffic,
    rates: &Rates,
) -> Result<Course> {
    Ok(Course {
        carried: steady(
            bench,
            &format!("{name}: 76 % of naive"),
            server,
            mixed,
            rates.carried,
        )?,
        three_quarters: steady(
            bench,
            &format!("{name}: 75 % of burgee"),
            server,
            mixed,
            rates.three_quarters,
        )?,
        flood: Some(flood(bench, name, server, world, rates)?),
    })
}

fn steady(
    bench: &Bench,
    phase: &str,
    server: &Server,
    traffic: &Traffic,
    rate: f64,
) -> Result<Measured> {
    let steady = Steady { traffic, rate };
    let (schedule, span) = steady.schedule(bench);
    bench.watched(phase, || {
        let readings = Reading::of(server.address)?;
        let cpu = Cpu::of(server.id())?;
        let samples = open::run(target(bench, server), &schedule)?;
        let used = cpu.used_since()?;
        let after = Reading::of(server.address)?;
        let acquire = after.quantile(&readings, "acquire", 0.99);
        Ok(Measured {
            samples: samples.within(span),
            used: used.scaled((span.to - span.from) / span.to),
            acquire_p99_ms: acquire.map(|seconds| seconds * 1e3),
        })
    })
}

fn target(bench: &Bench, server: &Server) -> Target {
    Target {
        address: server.address,
        connections: bench.pace.pick(OPEN, OPEN / 4, 32),
        queue: ENDLESS,
        patience: ENDLESS,
    }
}

/// The small projects alone, then beside the flood. Whoever floods has connections of its own, as other clients would.
fn flood(
    bench: &Bench,
    name: &str,
    server: &Server,
    world: &World,
    rates: &Rates,
) -> Result<Flood> {
    let (small, large) = (traffic(world, 0), traffic(world, 100));
    let (warm_up, seconds) = bench.pace.pick((2.0, 8.0), (0.5, 1.5), (0.1, 0.3));
    let half = warm_up + seconds;
    let step = |traffic, rate, seconds| open::Step {
        traffic,
        rate,
        seconds,
    };
    let calm = [step(&small, rates.calm, half * 2.0)];
    let storm = [step(&large, 1.0, half), step(&large, rates.flood, half)];
    let after_warm_up = |begin: f64| Span {
        from: begin + warm_up,
        to: begin + warm_up + seconds,
    };
    bench.watched(&format!("{name}: one project floods the others"), || {
        let target = target(bench, server);
        let (calm, storm) = std::thread::scope(|scope| {
            let storm = scope.spawn(|| open::run(target, &storm));
            let calm = open::run(target, &calm);
            (calm, storm.join())
        });
        let (calm, storm) = (
            calm?,
            storm.map_err(|_panic| anyhow!("the flood panicked"))??,
        );
        let mut flood = calm.within(after_warm_up(half));
        flood
            .events
            .extend(storm.within(after_warm_up(half)).events);
        Ok(Flood {
            calm: calm.within(after_warm_up(0.0)),
            flood,
        })
    })
}

fn small(samples: &Samples) -> Result<Latencies> {
    samples.class(SMALL).latencies()
}

fn large(samples: &Samples) -> Result<Latencies> {
    samples.class(LARGE).latencies()
}

fn ratios(findings: &mut Findings, naive: &Course, inline: &Course, burgee: &Course) -> Result<()> {
    let small_p99 = |measured: &Measured| anyhow::Ok(small(&measured.samples)?.at(0.99));
    findings.ratio(
        "small_p99_carried",
        small_p99(&naive.carried)?,
        small_p99(&burgee.carried)?,
    );
    findings.ratio(
        "small_p99",
        small_p99(&naive.three_quarters)?,
        small_p99(&burgee.three_quarters)?,
    );
    findings.ratio(
        "max",
        small(&naive.three_quarters.samples)?.max(),
        small(&burgee.three_quarters.samples)?.max(),
    );
    findings.ratio(
        "acquire_p99",
        naive.three_quarters.acquire_p99_ms,
        burgee.three_quarters.acquire_p99_ms,
    );
    if burgee.three_quarters.acquire_p99_ms.is_none() {
        let note = "acquire_p99: Burgee's /metrics has no histogram of waits for a connection";
        findings.notes.push(note.to_owned());
    }
    let over_inline = |burgee: &Measured, inline: &Measured| {
        let figures = small_p99(burgee)?.zip(small_p99(inline)?);
        anyhow::Ok(figures.map(|(burgee, inline)| burgee / inline))
    };
    // The worse of both rates: past its own ceiling inline is no measure.
    let carried = over_inline(&burgee.carried, &inline.carried)?;
    let three_quarters = over_inline(&burgee.three_quarters, &inline.three_quarters)?;
    let worse = carried
        .zip(three_quarters)
        .map(|(one, other)| one.max(other));
    findings.ratio("vs_inline_small_p99", worse, Some(1.0));
    let flooded = |course: &Course| {
        let flood = course.flood.as_ref();
        anyhow::Ok(flood.map(|flood| large(&flood.flood)).transpose()?)
    };
    let p99 = |latencies: Option<Latencies>| latencies.and_then(|latencies| latencies.at(0.99));
    findings.ratio(
        "flood_large_p99",
        p99(flooded(naive)?),
        p99(flooded(burgee)?),
    );
    Ok(())
}

fn rows(findings: &mut Findings, name: &str, course: &Course, rates: &Rates) -> Result<()> {
    let loads = [
        ("76 % of naive", rates.carried, &course.carried),
        (
            "75 % of burgee",
            rates.three_quarters,
            &course.three_quarters,
        ),
    ];
    for (load, rate, measured) in loads {
        let count = measured.samples.events.len();
        let rest = [
            cell(measured.acquire_p99_ms, 2),
            cell(measured.used.each(count), 1),
        ];
        row(findings, (name, load, rate), &measured.samples, rest)?;
        let figures = json!({
            "rate_per_s": rate.round(),
            "small": measured.samples.class(SMALL).figures()?,
            "large": measured.samples.class(LARGE).figures()?,
            "acquire_p99_ms": measured.acquire_p99_ms,
            "cpu": measured.used.figures(count),
        });
        findings.figure(&format!("{name}, {load}"), figures);
    }
    if let Some(Flood { calm, flood }) = &course.flood {
        let none = || [cell(None, 0), cell(None, 0)];
        row(findings, (name, "calm", rates.calm), calm, none())?;
        let all = rates.calm + rates.flood;
        row(findings, (name, "flood", all), flood, none())?;
        let p99 = |samples: &Samples| anyhow::Ok(small(samples)?.at(0.99));
        let over_calm = p99(flood)?
            .zip(p99(calm)?)
            .map(|(flood, calm)| flood / calm);
        let figures = json!({
            "small_p99_over_calm": over_calm,
            "calm_small": calm.class(SMALL).figures()?,
            "flood_small": flood.class(SMALL).figures()?,
            "flood_large": flood.class(LARGE).figures()?,
        });
        findings.figure(&format!("{name}, flood"), figures);
    }
    Ok(())
}

fn row(
    findings: &mut Findings,
    (name, load, rate): (&str, &str, f64),
    samples: &Samples,
    rest: [String; 2],
) -> Result<()> {
    let small = small(samples)?;
    let failed = samples.events.len() - samples.count(Outcome::Answered);
    let refused = samples.count(Outcome::Refused);
    let cells = [
        name.to_owned(),
        load.to_owned(),
        cell(Some(rate), 0),
        cell(small.at(0.5), 2),
        cell(small.at(0.99), 2),
        cell(small.at(0.999), 2),
        cell(small.max(), 1),
        cell(large(samples)?.at(0.99), 2),
        refused.to_string(),
        (failed - refused).to_string(),
    ];
    findings.row(cells.into_iter().chain(rest));
    Ok(())
}
