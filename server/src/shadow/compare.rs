//! Compares what was served with what the other side says: after the answer, on a thread of its own.

use super::aside::Lane;
use super::headers;
use super::lines::Lines;
use super::metrics::ShadowMetrics;
use super::{CompareConfig, SIDES, Side};
use crate::comparison::{Answer, Difference, Report, Tally, TallyLimits, compare};
use crate::peer::{Exchanged, Peer, Question};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// The longest answer that is compared, in bytes.
pub(super) const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A question that was answered, and by whom.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) question: Question,
    pub(super) side: Side,
    pub(super) exchanged: Exchanged,
    /// What the other side was already found to say.
    pub(super) other: Option<Answer>,
    /// What stands for the project's token.
    pub(super) project: Option<String>,
}

impl Served {
    fn bytes(&self) -> usize {
        self.question.body.len() + self.exchanged.body.len() + 2048
    }
}

/// Where answers are handed over to be compared.
#[derive(Debug, Clone)]
pub(super) struct Comparer {
    lane: Lane<Served>,
    percent: super::Percent,
}

impl Comparer {
    pub(super) fn new(lane: Lane<Served>, config: &CompareConfig) -> Self {
        let percent = config.percent;
        Self { lane, percent }
    }

    /// Hands an answer over, if it is among those that are compared. Never waits.
    pub(super) fn offer(&self, served: Served) {
        if self.percent.contains(rand::random::<f64>() * 100.0) {
            let bytes = served.bytes();
            self.lane.offer(served, bytes);
        }
    }
}

/// What all comparisons came to so far. The lock is held for a few counts or the making of a report, and never across a wait.
#[derive(Debug, Clone)]
pub(super) struct Tallied(Arc<Mutex<Tally>>);

impl Tallied {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Tally::new(TallyLimits::default()))))
    }

    fn add(
        &self,
        differences: &[Difference],
        sample: impl Fn(&Difference) -> String,
    ) -> Vec<String> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(differences, sample)
    }

    /// Returns the report as JSON.
    pub(super) fn json(&self) -> Value {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Report::new(&tally, SIDES).json()
    }

    /// Returns the report as text.
    pub(super) fn text(&self) -> String {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Report::new(&tally, SIDES).to_string()
    }
}

/// What it takes to compare.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) upstream: Peer,
    pub(super) burgee: Peer,
    pub(super) config: CompareConfig,
    pub(super) tallied: Tallied,
    pub(super) metrics: ShadowMetrics,
    /// Where examples go; `None` is the log.
    pub(super) samples: Option<Lines>,
}

impl Comparison {
    /// Asks the other side, counts what differs and writes examples of it.
    pub(super) async fn run(self: Arc<Self>, served: Served) {
        let Served {
            question,
            side,
            exchanged,
            other,
            project,
        } = served;
        let path = question
            .target
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let other = match other {
            Some(answer) => answer,
            None => self.ask(side.other(), question).await,
        };
        let own = read(&exchanged);
        let answers = match side {
            Side::Burgee => [own, other],
            Side::Upstream => [other, own],
        };
        let differences = compare(&answers[0], &answers[1], &self.config.ignored);
        self.metrics.compared(&differences);
        let example = |difference: &Difference| line(difference, side, project.as_deref(), &path);
        for line in self.tallied.add(&differences, example) {
            match &self.samples {
                Some(file) => file.offer(line),
                None => tracing::info!(example = line, "answered differently"),
            }
        }
    }

    async fn ask(&self, side: Side, mut question: Question) -> Answer {
        question.headers = headers::for_comparison(question.headers);
        let peer = match side {
            Side::Burgee => &self.burgee,
            Side::Upstream => &self.upstream,
        };
        let deadline = Instant::now() + self.config.timeout;
        match peer.exchange(&question, deadline, MAX_ANSWER).await {
            Ok(exchanged) => read(&exchanged),
            Err(failure) => Answer::Failed(failure.label()),
        }
    }
}

fn read(exchanged: &Exchanged) -> Answer {
    let encoding = headers::encoding(exchanged);
    Answer::read(exchanged.status, encoding, &exchanged.body)
}

/// Writes an example: definitions and reasons, and nothing of the person or of what was sent.
fn line(difference: &Difference, served: Side, project: Option<&str>, path: &str) -> String {
    let side = |index: usize| {
        let reason = difference.reasons.get(index).cloned().flatten();
        let mut shown = match difference.values.get(index) {
            Some(Value::Object(members)) => members.clone(),
            _ => serde_json::Map::new(),
        };
        if let Some(reason) = reason {
            shown.insert("reason".to_owned(), Value::from(reason));
        }
        shown
    };
    let example = json!({
        "at": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "path": path,
        "project": project,
        "served": served.name(),
        "flag": difference.flag,
        "kind": difference.kind.name(SIDES),
        "burgee": side(0),
        "upstream": side(1),
    });
    example.to_string()
}
