//! `tail`: small requests beside large ones, at equal arrival rates, against the two baselines.
//!
//! Nine of ten requests are for 20 flags, one for 1,000, each with a stored person. First at a rate that the naive
//! server still carries, then at three quarters of what Burgee carries; then one large project floods the others.

use crate::bench::Bench;
use crate::flood::{self, Flood};
use crate::load::samples::{Latencies, Outcome, Samples};
use crate::load::{ENDLESS, Target, Traffic, open};
use crate::proc::{Cpu, Used};
use crate::report::{Findings, cell};
use crate::saturation::{self, OPEN, Steady};
use crate::scrape::Reading;
use crate::server::{Baseline, Server};
use crate::world::{Properties, World};
use anyhow::Result;
use serde_json::json;
use std::sync::Arc;

pub(crate) const SMALL: u8 = 0;
pub(crate) const LARGE: u8 = 1;
/// The projects with few flags; the one with many comes after them.
const SMALL_PROJECTS: usize = 8;
const FLAGS: (usize, usize) = (20, 1_000);
/// Share of large requests, in percent.
pub(crate) const LARGE_PERCENT: u64 = 10;
/// Of naive's ceiling: a rate that it still carries.
const OF_NAIVE: f64 = 0.76;
/// Of Burgee's saturation.
const OF_BURGEE: f64 = 0.75;
/// The heads of the table.
pub(crate) const HEADS: [&str; 12] = [
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
];

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
    flood: Flood,
}

/// The rates of a run.
struct Rates {
    carried: f64,
    three_quarters: f64,
    flood: flood::Rates,
}

/// Measures all three servers.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let world = world(bench)?;
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
        flood: flood::Rates::of(burgee_carries, burgee_large),
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
        heads: HEADS.to_vec(),
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

/// The small projects and the large one, with persons.
pub(crate) fn world(bench: &Bench) -> Result<World> {
    let mut sizes = vec![FLAGS.0; SMALL_PROJECTS];
    sizes.push(FLAGS.1);
    World::new(&sizes, bench.pace.pick(5_000, 1_000, 100))
}

/// Requests of which this share is large, each about a stored person.
pub(crate) fn traffic(world: &World, large_percent: u64) -> Traffic {
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
        flood: flood::run(bench, name, server, world, rates.flood)?,
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

pub(crate) fn target(bench: &Bench, server: &Server) -> Target {
    Target {
        address: server.address,
        connections: bench.pace.pick(OPEN, OPEN / 4, 32),
        queue: ENDLESS,
        patience: ENDLESS,
    }
}

pub(crate) fn small(samples: &Samples) -> Result<Latencies> {
    samples.class(SMALL).latencies()
}

pub(crate) fn large(samples: &Samples) -> Result<Latencies> {
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
    let flooded = |course: &Course| anyhow::Ok(large(&course.flood.flood)?.at(0.99));
    findings.ratio("flood_large_p99", flooded(naive)?, flooded(burgee)?);
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
    flood::rows(findings, name, &course.flood, rates.flood)?;
    Ok(())
}

pub(crate) fn row(
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
