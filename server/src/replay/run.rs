//! Asks both servers the same, as many requests at once as are wanted, and adds up the differences.

use super::read::{Recorded, RecordingError, Requests};
use super::{ReplayConfig, SIDES};
use crate::comparison::{Answer, Report, Tally, TallyLimits, compare};
use crate::peer::{Connector, Peer, PeerFailure, PoolLimits, Question};
use burgee_schema::TrustError;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// How often progress is told.
const TELL: Duration = Duration::from_millis(200);

/// What came of a recording.
#[derive(Debug)]
pub struct Replayed {
    tally: Tally,
    /// Requests that ask for no evaluation of flags.
    pub skipped: u64,
    /// How many requests each server answered.
    pub answered: [u64; 2],
    /// Why each server did not answer, the last time that it did not.
    pub silence: [Option<PeerFailure>; 2],
}

impl Replayed {
    /// Returns how many requests were compared.
    pub fn compared(&self) -> u64 {
        self.tally.compared()
    }

    /// Returns whether anything differed.
    pub fn has_differences(&self) -> bool {
        self.tally.has_differences()
    }

    /// Returns the result as JSON.
    pub fn json(&self) -> Value {
        let mut report = Report::new(&self.tally, SIDES).json();
        if let Value::Object(members) = &mut report {
            members.remove("samples");
            members.insert("skipped".to_owned(), json!(self.skipped));
        }
        report
    }

    /// Returns the result as text.
    pub fn text(&self) -> String {
        let mut text = Report::new(&self.tally, SIDES).to_string();
        if self.skipped > 0 {
            let skipped = self.skipped;
            text.push_str(&format!(
                "skipped {skipped} requests that ask for no evaluation\n"
            ));
        }
        text
    }

    fn add(&mut self, both: Both, config: &ReplayConfig) {
        let [a, b] =
            both.map(|side| side.unwrap_or_else(|failure| Answer::Failed(failure.label())));
        self.tally
            .add(&compare(&a, &b, &config.ignored), |_| String::new());
    }

    fn note(&mut self, both: &Both) {
        for ((side, answered), silence) in
            both.iter().zip(&mut self.answered).zip(&mut self.silence)
        {
            match side {
                Ok(_) => *answered += 1,
                Err(failure) => *silence = Some(failure.clone()),
            }
        }
    }
}

type Both = [Result<Answer, PeerFailure>; 2];

/// Replays; `tell` is told now and then how many requests were compared and how many of them differed.
pub async fn replay(
    config: &ReplayConfig,
    requests: Requests,
    mut tell: impl FnMut(u64, u64),
) -> Result<Replayed, ReplayError> {
    let peers = peers(config)?;
    let mut replayed = Replayed {
        tally: Tally::new(TallyLimits {
            samples: 0,
            ..TallyLimits::default()
        }),
        skipped: 0,
        answered: [0; 2],
        silence: [None, None],
    };
    let mut pace = config.rate.map(|rate| {
        let mut pace = interval(Duration::from_secs(1) / rate.get());
        // A slow answer does not allow a burst later.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let mut under_way: JoinSet<Both> = JoinSet::new();
    let mut told = Instant::now();
    for recorded in requests {
        let Recorded::Flags(question) = recorded? else {
            replayed.skipped += 1;
            continue;
        };
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        while under_way.len() >= config.concurrency {
            take(&mut under_way, &mut replayed, config).await?;
        }
        under_way.spawn(ask(peers.clone(), question, config.timeout));
        if told.elapsed() >= TELL {
            told = Instant::now();
            tell(replayed.compared(), replayed.tally.differing());
        }
    }
    while !under_way.is_empty() {
        take(&mut under_way, &mut replayed, config).await?;
    }
    tell(replayed.compared(), replayed.tally.differing());
    Ok(replayed)
}

/// Why a recording was not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No certificates to trust.
    #[error("a server cannot be asked over TLS")]
    Certificates(#[source] TrustError),
    /// A task of this program crashed.
    #[error("a request was lost")]
    Crashed(#[from] tokio::task::JoinError),
}

fn peers(config: &ReplayConfig) -> Result<[Peer; 2], ReplayError> {
    let limits = PoolLimits {
        connect_timeout: config.timeout,
        idle_timeout: Duration::from_secs(60),
        most_idle: config.concurrency,
    };
    let connector = Connector::new(&[&config.a, &config.b], config.roots.clone(), limits);
    let connector = connector.map_err(ReplayError::Certificates)?;
    Ok([&config.a, &config.b].map(|url| Peer::new(url.clone(), &connector)))
}

async fn take(
    under_way: &mut JoinSet<Both>,
    replayed: &mut Replayed,
    config: &ReplayConfig,
) -> Result<(), ReplayError> {
    if let Some(both) = under_way.join_next().await {
        let both = both?;
        replayed.note(&both);
        replayed.add(both, config);
    }
    Ok(())
}

/// Asks both at the same moment, so that what depends on the time agrees.
async fn ask(peers: [Peer; 2], question: Question, timeout: Duration) -> Both {
    let deadline = Instant::now() + timeout;
    let one = |peer: &Peer| {
        let (peer, question) = (peer.clone(), question.clone());
        async move {
            let exchanged = peer.exchange(&question, deadline, MAX_ANSWER).await?;
            let encoding = exchanged.headers.get(hyper::header::CONTENT_ENCODING);
            let encoding = encoding.and_then(|value| value.to_str().ok());
            Ok(Answer::read(exchanged.status, encoding, &exchanged.body))
        }
    };
    let [a, b] = &peers;
    let (a, b) = tokio::join!(one(a), one(b));
    [a, b]
}
