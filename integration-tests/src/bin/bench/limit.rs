//! `limit`: Burgee against a bare actix-web server that answers the same bytes.
//!
//! What a bare server costs nobody can save; the rest is Burgee. Requests carry every property that a flag asks for, so
//! that no database takes part.

use crate::bench::Bench;
use crate::load::samples::{Outcome, Samples};
use crate::load::{ENDLESS, Target, Traffic, closed, wire::exchange};
use crate::proc::{Cpu, Used};
use crate::report::{Findings, cell};
use crate::server::Server;
use crate::world::{Properties, World};
use anyhow::{Result, ensure};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Flags of each project, and what its ratios are called.
const SIZES: [(usize, &str, &str); 3] = [
    (20, "flags_20", "cpu_20"),
    (100, "flags_100", "cpu_100"),
    (1_000, "flags_1000", "cpu_1000"),
];
/// Enough to keep both cores busy.
const CONNECTIONS: usize = 64;

/// Measures all sizes.
pub(crate) fn run(bench: &Bench) -> Result<Findings> {
    let world = World::new(&SIZES.map(|(flags, ..)| flags), 1)?;
    let burgee = Server::burgee(bench, world.url())?;
    let mut findings = Findings {
        heads: vec![
            "flags",
            "bytes",
            "bare /s",
            "burgee /s",
            "ratio",
            "bare µs",
            "burgee µs",
        ],
        ..Findings::default()
    };
    for (project, (flags, throughput, cpu)) in SIZES.into_iter().enumerate() {
        let traffic = Arc::new(Traffic::new(1_024, |random| {
            world.request(0, project, random.next(), Properties::Sent)
        }));
        let sample = world.request(0, project, 0, Properties::Sent);
        let (status, answer) = exchange(burgee.address, &sample.bytes, Duration::from_secs(5))?;
        ensure!(status == 200, "Burgee answered {status}");
        let file = world.directory().join(format!("answer-{flags}"));
        std::fs::write(&file, &answer)?;
        let bare = Server::bare(&file)?;
        let of_bare = load(bench, &format!("bare, {flags} flags"), &bare, &traffic)?;
        drop(bare);
        let of_burgee = load(bench, &format!("burgee, {flags} flags"), &burgee, &traffic)?;
        findings.ratio(
            throughput,
            Some(of_burgee.samples.goodput()),
            Some(of_bare.samples.goodput()),
        );
        findings.ratio(cpu, of_burgee.each(), of_bare.each());
        findings.row([
            flags.to_string(),
            answer.len().to_string(),
            cell(Some(of_bare.samples.goodput()), 0),
            cell(Some(of_burgee.samples.goodput()), 0),
            cell(
                Some(of_burgee.samples.goodput() / of_bare.samples.goodput()),
                2,
            ),
            cell(of_bare.each(), 1),
            cell(of_burgee.each(), 1),
        ]);
        findings.figure(
            &format!("flags_{flags}"),
            json!({
                "answer_bytes": answer.len(),
                "bare": of_bare.figures()?,
                "burgee": of_burgee.figures()?,
            }),
        );
    }
    Ok(findings)
}

/// A load, and the CPU it took.
pub(crate) struct Loaded {
    pub(crate) samples: Samples,
    used: Used,
}

impl Loaded {
    /// Returns the CPU of each request, in microseconds.
    pub(crate) fn each(&self) -> Option<f64> {
        self.used.each(self.samples.events.len())
    }

    pub(crate) fn figures(&self) -> Result<serde_json::Value> {
        Ok(json!({
            "load": self.samples.figures()?,
            "cpu": self.used.figures(self.samples.events.len()),
        }))
    }
}

/// Keeps a server as busy as it can be, after a while to warm up.
pub(crate) fn load(
    bench: &Bench,
    phase: &str,
    server: &Server,
    traffic: &Arc<Traffic>,
) -> Result<Loaded> {
    let (warm_up, seconds) = bench.pace.pick((1.0, 8.0), (0.3, 1.0), (0.1, 0.5));
    let target = Target {
        address: server.address,
        connections: bench.pace.pick(CONNECTIONS, CONNECTIONS, 4),
        queue: ENDLESS,
        patience: ENDLESS,
    };
    bench.watched(phase, || {
        closed::run(target, traffic, warm_up)?;
        let before = Cpu::of(server.id())?;
        let samples = closed::run(target, traffic, seconds)?;
        let used = before.used_since()?;
        let answered = samples.count(Outcome::Answered);
        ensure!(
            answered == samples.events.len(),
            "{phase}: {} of {} requests were not answered in full",
            samples.events.len() - answered,
            samples.events.len()
        );
        Ok(Loaded { samples, used })
    })
}
