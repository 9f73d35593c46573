//! The closed loop: every connection sends its next request when it has its answer. It finds what a server can carry at
//! most; it says nothing about waiting, because it never sends while the server is slow.

use super::samples::{Event, Outcome, Samples};
use super::wire::{read_answer, scratch, write_request};
use super::{Target, Traffic, connect};
use anyhow::{Result, anyhow, ensure};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long answers are waited for after the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Keeps all connections busy for a while.
pub(crate) fn run(target: Target, traffic: &Arc<Traffic>, seconds: f64) -> Result<Samples> {
    let traffic = Arc::clone(traffic);
    let thread = std::thread::Builder::new()
        .name("loop".into())
        .spawn(move || drive(target, &traffic, seconds))?;
    thread.join().map_err(|_| anyhow!("the loop panicked"))?
}

fn drive(target: Target, traffic: &Arc<Traffic>, seconds: f64) -> Result<Samples> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let run = Rc::new(Run {
        target,
        traffic: Arc::clone(traffic),
        next: Cell::new(0),
        start,
        end,
        scratch: scratch(),
        events: RefCell::default(),
    });
    local.block_on(&runtime, async {
        let connections: Vec<_> = (0..target.connections)
            .map(|_| {
                let run = Rc::clone(&run);
                tokio::task::spawn_local(async move { run.keep_busy().await })
            })
            .collect();
        let all = async {
            for connection in connections {
                let _ = connection.await;
            }
        };
        let _ = tokio::time::timeout_at((end + DRAIN).into(), all).await;
    });
    drop(local);
    let mut events = std::mem::take(&mut *run.events.borrow_mut());
    ensure!(!events.is_empty(), "nothing was answered");
    // What was answered after the end belongs to no full second.
    events.retain(|event| f64::from(event.done) <= seconds * 1e6);
    Ok(Samples { events, seconds })
}

struct Run {
    target: Target,
    traffic: Arc<Traffic>,
    next: Cell<usize>,
    start: Instant,
    end: Instant,
    scratch: RefCell<Vec<u8>>,
    events: RefCell<Vec<Event>>,
}

impl Run {
    async fn keep_busy(&self) {
        while Instant::now() < self.end {
            if self.use_connection().await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn use_connection(&self) -> std::io::Result<()> {
        let mut stream = connect(self.target.address).await?;
        while Instant::now() < self.end {
            let number = self.next.get();
            self.next.set(number + 1);
            let Some(request) = self.traffic.of(number) else {
                return Ok(());
            };
            let sent = self.micros();
            let mut event = Event {
                intended: sent,
                sent,
                done: sent,
                class: request.class,
                outcome: Outcome::Broken,
            };
            write_request(&stream, &request.bytes).await?;
            let answer = read_answer(&mut stream, &self.scratch).await;
            event.done = self.micros();
            let closes = match answer {
                Ok(Some(answer)) => {
                    event.outcome = answer.into();
                    answer.closes
                }
                Ok(None) | Err(_) => true,
            };
            self.events.borrow_mut().push(event);
            if closes {
                return Ok(());
            }
        }
        Ok(())
    }

    fn micros(&self) -> u32 {
        u32::try_from(self.start.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}
