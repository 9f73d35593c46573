//! What happened to every request of a run, and the figures drawn from it.

use crate::load::wire::Answer;
use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::Instant;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200, all flags computed; or 304.
    Answered,
    /// 200, some flag could not be computed.
    FlagsFailed,
    /// 503, 504 or 429.
    Refused,
    /// Any other status.
    Unexpected,
    /// The connection broke.
    Broken,
    /// No answer within the generator's patience, or none when the run ended.
    Unanswered,
    /// It never got a connection before the run ended.
    Unsent,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match (answer.status, answer.failed) {
            (200 | 304, false) => Self::Answered,
            (200, true) => Self::FlagsFailed,
            (503 | 504 | 429, _) => Self::Refused,
            _ => Self::Unexpected,
        }
    }
}

/// One request. Times in microseconds since the run began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// When the schedule wanted it sent. Latency counts from here, however late it was sent.
    pub(crate) intended: u32,
    pub(crate) sent: u32,
    pub(crate) done: u32,
    pub(crate) class: u8,
    pub(crate) outcome: Outcome,
}

impl Event {
    /// Returns the time from the intended send to the end, in microseconds.
    pub(crate) fn latency(&self) -> u64 {
        u64::from(self.done.saturating_sub(self.intended))
    }

    /// Returns whether flags came, all or some.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self.outcome, Outcome::Answered | Outcome::FlagsFailed)
    }
}

/// All requests of a run.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) events: Vec<Event>,
    /// How long arrivals were scheduled, in seconds.
    pub(crate) seconds: f64,
    /// When an open loop's clock started.
    pub(crate) began: Option<Instant>,
}

/// A span of a run, in seconds since it began, by the intended send time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Samples {
    /// Returns the requests of a span.
    pub(crate) fn within(&self, span: Span) -> Self {
        let range = (span.from * 1e6) as u32..(span.to * 1e6) as u32;
        let events = self.events.iter().copied();
        Self {
            events: events
                .filter(|event| range.contains(&event.intended))
                .collect(),
            seconds: span.to - span.from,
            began: None,
        }
    }

    /// Returns the requests of one class.
    pub(crate) fn class(&self, class: u8) -> Self {
        let events = self.events.iter().copied();
        Self {
            events: events.filter(|event| event.class == class).collect(),
            seconds: self.seconds,
            began: self.began,
        }
    }

    /// Returns the requests that were sent at all.
    pub(crate) fn sent(&self) -> Self {
        let events = self.events.iter().copied();
        Self {
            events: events
                .filter(|event| event.outcome != Outcome::Unsent)
                .collect(),
            seconds: self.seconds,
            began: self.began,
        }
    }

    /// Returns how many requests ended so.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        let events = self.events.iter();
        events.filter(|event| event.outcome == outcome).count()
    }

    /// Returns how many of the requests got flags.
    pub(crate) fn answers(&self) -> usize {
        self.events.iter().filter(|event| event.is_answer()).count()
    }

    /// Returns the requests that were answered with flags, per second.
    pub(crate) fn goodput(&self) -> f64 {
        self.answers() as f64 / self.seconds.max(1e-9)
    }

    /// Returns the answers with flags that came within a span, per second, whenever they were asked for.
    pub(crate) fn throughput(&self, span: Span) -> f64 {
        let range = (span.from * 1e6) as u32..(span.to * 1e6) as u32;
        let events = self.events.iter();
        let came = events.filter(|event| event.is_answer() && range.contains(&event.done));
        came.count() as f64 / (span.to - span.from).max(1e-9)
    }

    /// Returns the latencies of all requests that were not refused. Those that got no answer count with the time they
    /// waited: leaving them out would flatter a server that answers nothing.
    pub(crate) fn latencies(&self) -> Result<Latencies> {
        let admitted = |event: &&Event| event.outcome != Outcome::Refused;
        Latencies::of(self.events.iter().filter(admitted).map(Event::latency))
    }

    /// Returns how long refusals took from the moment they were sent.
    pub(crate) fn refusals(&self) -> Result<Latencies> {
        let refused = |event: &&Event| event.outcome == Outcome::Refused;
        let took = |event: &Event| u64::from(event.done.saturating_sub(event.sent));
        Latencies::of(self.events.iter().filter(refused).map(took))
    }

    /// Returns how late the generator sent: the schedule's own error, and the queue for a free connection.
    pub(crate) fn lateness(&self) -> Result<Latencies> {
        let sent = |event: &&Event| event.outcome != Outcome::Unsent;
        let late = |event: &Event| u64::from(event.sent.saturating_sub(event.intended));
        Latencies::of(self.events.iter().filter(sent).map(late))
    }

    /// Returns the figures as JSON, times in milliseconds.
    pub(crate) fn figures(&self) -> Result<Value> {
        Ok(json!({
            "requests": self.events.len(),
            "goodput_per_s": self.goodput().round(),
            "flags_failed": self.count(Outcome::FlagsFailed),
            "refused": self.count(Outcome::Refused),
            "unexpected": self.count(Outcome::Unexpected),
            "broken": self.count(Outcome::Broken),
            "unanswered": self.count(Outcome::Unanswered),
            "unsent": self.count(Outcome::Unsent),
            "latency_ms": self.latencies()?.figures(),
            "sent_late_p99_ms": self.lateness()?.at(0.99),
        }))
    }
}

/// A histogram of times.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// Sorts times in microseconds.
    pub(crate) fn of(times: impl Iterator<Item = u64>) -> Result<Self> {
        let mut histogram = Histogram::new(3)?;
        for time in times {
            histogram.record(time)?;
        }
        Ok(Self(histogram))
    }

    /// Returns a quantile in milliseconds; `None` without samples.
    pub(crate) fn at(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1e3)
    }

    /// Returns the largest time in milliseconds; `None` without samples.
    pub(crate) fn max(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.max() as f64 / 1e3)
    }

    /// Returns the usual quantiles as JSON.
    pub(crate) fn figures(&self) -> Value {
        json!({
            "p50": self.at(0.5),
            "p99": self.at(0.99),
            "p999": self.at(0.999),
            "max": self.max(),
        })
    }
}
