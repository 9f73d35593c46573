//! `flood`: one large project sends more than there is room for, beside small projects that stay calm. `tail` floods its
//! three servers like this; alone, this is Burgee's part of it, with where the requests waited.

use crate::bench::Bench;
use crate::load::open;
use crate::load::samples::{Samples, Span};
use crate::report::{Findings, cell};
use crate::saturation::{self, Saturation};
use crate::scrape::Reading;
use crate::server::Server;
use crate::tail::{HEADS, LARGE_PERCENT, SMALL, large, row, small, target, traffic, world};
use crate::world::World;
use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The calm projects' rate, as a share of what Burgee carries of the mixture.
const CALM: f64 = 0.4;
/// The flood's rate, as a multiple of the large requests that Burgee answers when it gets no others.
const FLOOD: f64 = 2.0;

/// Histograms of waits and work, as Burgee names them.
const STAGES: [&str; 7] = [
    "burgee_http_wait",
    "burgee_loader_wait",
    "burgee_loader_query",
    "burgee_pool_hold",
    "burgee_database_query",
    "burgee_evaluator_wait",
    "burgee_evaluation_seconds",
];

/// In requests per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    calm: f64,
    flood: f64,
}

/// The calm before, and the flood.
pub(crate) struct Flood {
    pub(crate) calm: Samples,
    pub(crate) flood: Samples,
    /// Where requests waited, by stage; empty for a server that does not tell.
    stages: [Map<String, Value>; 2],
}

impl Rates {
    pub(crate) fn of(mixture: Saturation, large: Saturation) -> Self {
        Self {
            calm: CALM * mixture.carried,
            flood: FLOOD * large.peak,
        }
    }
}

/// Burgee alone.
pub(crate) fn compare(bench: &Bench) -> Result<Findings> {
    let world = world(bench)?;
    let (mixed, large_only) = (traffic(&world, LARGE_PERCENT), traffic(&world, 100));
    let burgee = Server::burgee(bench, world.url())?;
    let mixed = saturation::find(bench, "burgee", &burgee, &Arc::new(mixed))?;
    let large_only = saturation::find(bench, "burgee, large only", &burgee, &Arc::new(large_only))?;
    drop(burgee);
    let rates = Rates::of(mixed, large_only);
    let burgee = Server::burgee(bench, world.url())?;
    let flood = run(bench, "burgee", &burgee, &world, rates)?;
    drop(burgee);
    let mut findings = Findings {
        heads: HEADS.to_vec(),
        ..Findings::default()
    };
    rows(&mut findings, "burgee", &flood, rates)?;
    let p99 = |samples: &Samples| anyhow::Ok(small(samples)?.at(0.99));
    findings.ratio("small_p99_over_calm", p99(&flood.flood)?, p99(&flood.calm)?);
    Ok(findings)
}

/// The small projects alone, then beside the flood. Whoever floods has connections of its own, as other clients would.
pub(crate) fn run(
    bench: &Bench,
    name: &str,
    server: &Server,
    world: &World,
    rates: Rates,
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
        let began = Instant::now();
        let (calm, storm, stages) = std::thread::scope(|scope| {
            let storm = scope.spawn(|| open::run(target, &storm));
            let stages = scope.spawn(|| {
                [after_warm_up(0.0), after_warm_up(half)].map(|span| stages(server, began, span))
            });
            let calm = open::run(target, &calm);
            (calm, storm.join(), stages.join())
        });
        let panicked = |_panic| anyhow!("a thread of the flood panicked");
        let (calm, storm) = (calm?, storm.map_err(panicked)??);
        let [calmly, flooded] = stages.map_err(panicked)?;
        let mut flood = calm.within(after_warm_up(half));
        flood
            .events
            .extend(storm.within(after_warm_up(half)).events);
        Ok(Flood {
            calm: calm.within(after_warm_up(0.0)),
            flood,
            stages: [calmly?, flooded?],
        })
    })
}

/// Returns where requests waited in a span of time.
fn stages(server: &Server, began: Instant, span: Span) -> Result<Map<String, Value>> {
    let reading = |at| {
        open::pause_until(began + Duration::from_secs_f64(at));
        Reading::of(server.address)
    };
    let before = reading(span.from)?;
    let after = reading(span.to)?;
    let of = |stage: &&str| {
        let ms = |quantile| after.quantile(&before, stage, quantile).map(|s| s * 1e3);
        let half = ms(0.5)?;
        Some((
            (*stage).to_owned(),
            json!({"p50_ms": half, "p99_ms": ms(0.99)}),
        ))
    };
    Ok(STAGES.iter().filter_map(of).collect())
}

/// Adds the table's lines and the figures of a server.
pub(crate) fn rows(findings: &mut Findings, name: &str, run: &Flood, rates: Rates) -> Result<()> {
    let Flood {
        calm,
        flood,
        stages: [calmly, flooded],
    } = run;
    let none = || [cell(None, 0), cell(None, 0)];
    row(findings, (name, "calm", rates.calm), calm, none())?;
    let all = rates.calm + rates.flood;
    row(findings, (name, "flood", all), flood, none())?;
    let p99 = |samples: &Samples| anyhow::Ok(small(samples)?.at(0.99));
    let over_calm = p99(flood)?.zip(p99(calm)?);
    let figures = json!({
        "small_p99_over_calm": over_calm.map(|(flood, calm)| flood / calm),
        "large_p99_ms": large(flood)?.at(0.99),
        "calm_small": calm.class(SMALL).figures()?,
        "flood_small": flood.class(SMALL).figures()?,
        "flood_large": flood.class(crate::tail::LARGE).figures()?,
        "calm_stages": calmly,
        "flood_stages": flooded,
    });
    findings.figure(&format!("{name}, flood"), figures);
    Ok(())
}
