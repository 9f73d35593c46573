//! How much a server carries: a closed loop finds the neighbourhood, a short ramp of open loops finds the place.

use crate::bench::Bench;
use crate::load::samples::{Outcome, Samples, Span};
use crate::load::{ENDLESS, Target, Traffic, closed, open};
use crate::server::Server;
use anyhow::Result;
use serde_json::{Value, json};
use std::sync::Arc;

/// Connections of the closed loop.
const CLOSED: usize = 64;
/// Connections of the open loops.
pub(crate) const OPEN: usize = 1_024;
/// Where the ramp begins, as a share of the closed loop's throughput.
const FIRST_STEP: f64 = 0.6;
/// How much each step of the ramp adds.
const STEP: f64 = 1.08;
/// Steps at most.
const STEPS: usize = 12;
/// A rate is carried when this share of its requests is answered in its time …
const CARRIED: f64 = 0.98;
/// … and half of them within this many milliseconds: beyond it they queue.
const QUEUEING_MS: f64 = 10.0;

/// What a server carries, in requests per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saturation {
    /// The highest rate of the ramp that it carried.
    pub(crate) carried: f64,
    /// The highest rate at which it answered, carried or not.
    pub(crate) peak: f64,
}

impl Saturation {
    pub(crate) fn figures(&self) -> Value {
        json!({"carried_per_s": self.carried.round(), "peak_per_s": self.peak.round()})
    }
}

/// Finds it.
pub(crate) fn find(
    bench: &Bench,
    name: &str,
    server: &Server,
    traffic: &Arc<Traffic>,
) -> Result<Saturation> {
    let seconds = bench.pace.pick(3.0, 0.5, 0.2);
    bench.watched(&format!("{name}: how much it carries"), || {
        let target = |connections| Target {
            address: server.address,
            connections,
            queue: ENDLESS,
            patience: ENDLESS,
        };
        let found = closed::run(target(CLOSED), traffic, seconds)?.goodput();
        let mut saturation = Saturation {
            carried: 0.0,
            peak: 0.0,
        };
        let mut rate = found * FIRST_STEP;
        for _ in 0..bench.pace.pick(STEPS, STEPS, 2) {
            let connections = bench.pace.pick(OPEN, OPEN / 4, 32);
            let step = open::Step {
                traffic: traffic.as_ref(),
                rate,
                seconds,
            };
            let samples = open::run(target(connections), &[step])?;
            let goodput = samples.throughput(Span {
                from: 0.0,
                to: seconds,
            });
            saturation.peak = saturation.peak.max(goodput);
            if !is_carried(&samples, rate, goodput)? {
                break;
            }
            saturation.carried = goodput;
            rate *= STEP;
        }
        if saturation.carried == 0.0 {
            // Even the first step was too much: what was answered then is the best guess.
            saturation.carried = saturation.peak;
        }
        Ok(saturation)
    })
}

fn is_carried(samples: &Samples, rate: f64, goodput: f64) -> Result<bool> {
    let half = samples.latencies()?.at(0.5).unwrap_or(f64::INFINITY);
    let sent = samples.events.len() as f64 / samples.seconds;
    let few_refused = samples.count(Outcome::Refused) * 1_000 < samples.events.len();
    Ok(goodput >= CARRIED * sent.min(rate) && half < QUEUEING_MS && few_refused)
}

/// A steady load on a server, after a while to warm up; the figures are those of the time after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steady<'a> {
    pub(crate) traffic: &'a Traffic,
    pub(crate) rate: f64,
}

impl Steady<'_> {
    /// Returns the schedule, and the span that counts.
    pub(crate) fn schedule(&self, bench: &Bench) -> ([open::Step<'_>; 1], Span) {
        let (warm_up, seconds) = bench.pace.pick((2.0, 10.0), (0.5, 2.0), (0.1, 0.4));
        let step = open::Step {
            traffic: self.traffic,
            rate: self.rate.max(1.0),
            seconds: warm_up + seconds,
        };
        let span = Span {
            from: warm_up,
            to: warm_up + seconds,
        };
        ([step], span)
    }
}
