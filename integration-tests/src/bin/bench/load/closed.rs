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
use tokio::net::TcpStream;

/// How long answers are waited for after the end.
const DRAIN: Duration = Duration::from_secs(2);
/// The pause before a lost connection is opened again.
const REOPEN: Duration = Duration::from_millis(20);

/// Keeps all connections busy for a while.
pub(crate) fn run(target: Target, traffic: &Arc<Traffic>, seconds: f64) -> Result<Samples> {
    let traffic = Arc::clone(traffic);
    let thread = std::thread::Builder::new()
        .name("loop".into())
        .spawn(move || drive(target, &traffic, seconds))?;
    thread
        .join()
        .map_err(|_panic| anyhow!("the loop panicked"))?
}

fn drive(target: Target, traffic: &Arc<Traffic>, seconds: f64) -> Result<Samples> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let run = local.block_on(&runtime, async {
        let mut streams = Vec::with_capacity(target.connections);
        for _ in 0..target.connections {
            streams.push(connect(target.address).await?);
        }
        let start = Instant::now();
        let run = Rc::new(Run {
            target,
            traffic: Arc::clone(traffic),
            next: Cell::new(0),
            start,
            end: start + Duration::from_secs_f64(seconds),
            scratch: scratch(),
            events: RefCell::default(),
        });
        let connections: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let run = Rc::clone(&run);
                tokio::task::spawn_local(async move { run.keep_busy(stream).await })
            })
            .collect();
        let all = async {
            for connection in connections {
                let _ = connection.await;
            }
        };
        let _ = tokio::time::timeout_at((run.end + DRAIN).into(), all).await;
        anyhow::Ok(run)
    })?;
    drop(local);
    let mut events = std::mem::take(&mut *run.events.borrow_mut());
    ensure!(!events.is_empty(), "nothing was answered");
    // What was answered after the end belongs to no full second.
    events.retain(|event| f64::from(event.done) <= seconds * 1e6);
    Ok(Samples {
        events,
        seconds,
        began: None,
    })
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
    /// Uses a connection until the end, and another one whenever it is lost.
    async fn keep_busy(&self, stream: TcpStream) {
        let mut open = Some(stream);
        while Instant::now() < self.end {
            match open.take() {
                Some(stream) => self.use_connection(stream).await.unwrap_or_default(),
                None => open = connect(self.target.address).await.ok(),
            }
            if open.is_none() {
                tokio::time::sleep(REOPEN).await;
            }
        }
    }

    async fn use_connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
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
