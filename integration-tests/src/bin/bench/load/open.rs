//! The open loop: requests leave by a schedule that does not care how the server feels.
//!
//! Two threads. The pacer sleeps until the next arrival and writes it to a connection that is free; the reader skims
//! the answers of all connections. When no connection is free, arrivals wait in order, and their latency runs from the
//! moment they were meant to be sent: a server that stalls is charged for everything it held up.

use super::samples::{Event, Outcome, Samples};
use super::wire::{read_answer, scratch};
use super::{Target, Traffic, connect};
use crate::random::Random;
use anyhow::{Context, Result, anyhow};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long answers are waited for after the last arrival.
const DRAIN: Duration = Duration::from_secs(2);
/// How long the connections may take to open before the run starts.
const OPENING: Duration = Duration::from_secs(10);
/// The pause before a lost connection is opened again, so that a dead server is not hammered.
const REOPEN: Duration = Duration::from_millis(20);

/// A stretch of a schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// What is sent.
    pub(crate) traffic: &'a Traffic,
    /// Arrivals per second; they come at random, as from clients that do not know of each other.
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
}

/// Sends by the schedule and returns what happened. Every run of one schedule has the same arrivals.
pub(crate) fn run(target: Target, schedule: &[Step<'_>]) -> Result<Samples> {
    let board = Arc::new(Board::new(target.connections));
    let reader = std::thread::Builder::new().name("reader".into()).spawn({
        let board = Arc::clone(&board);
        move || read_all(target, &board)
    })?;
    let sent = board
        .wait_until_open()
        .map(|()| pace(&board, target.queue, schedule));
    board.stop.store(true, Ordering::Release);
    let events = reader
        .join()
        .map_err(|_panic| anyhow!("the reader panicked"))??;
    let mut samples = Samples {
        events,
        seconds: schedule.iter().map(|step| step.seconds).sum(),
        began: Some(*lock(&board.start)),
    };
    samples.events.extend(sent?);
    Ok(samples)
}

/// What pacer and reader share.
struct Board {
    start: Mutex<Instant>,
    slots: Vec<Mutex<Slot>>,
    idle: Mutex<VecDeque<usize>>,
    freed: Condvar,
    in_flight: AtomicUsize,
    stop: AtomicBool,
}

/// One connection.
#[derive(Default)]
struct Slot {
    writer: Option<StdStream>,
    flight: Option<Flight>,
    /// Whether its number stands in the list of idle ones.
    listed: bool,
}

#[derive(Clone, Copy)]
struct Flight {
    intended: u32,
    sent: u32,
    class: u8,
    /// The generator's patience is over.
    given_up: bool,
}

impl Board {
    fn new(connections: usize) -> Self {
        Self {
            start: Mutex::new(Instant::now()),
            slots: (0..connections).map(|_| Mutex::default()).collect(),
            idle: Mutex::default(),
            freed: Condvar::new(),
            in_flight: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn slot(&self, index: usize) -> Option<MutexGuard<'_, Slot>> {
        self.slots.get(index).map(lock)
    }

    /// Starts the clock once every connection is open.
    fn wait_until_open(&self) -> Result<()> {
        let idle = lock(&self.idle);
        let some_missing = |idle: &mut VecDeque<usize>| idle.len() < self.slots.len();
        let (idle, waited) = self
            .freed
            .wait_timeout_while(idle, OPENING, some_missing)
            .unwrap_or_else(PoisonError::into_inner);
        let open = idle.len();
        drop(idle);
        *lock(&self.start) = Instant::now();
        (!waited.timed_out())
            .then_some(())
            .with_context(|| format!("only {open} connections could be opened"))
    }

    /// Returns the microseconds since `start`.
    fn micros(start: Instant) -> u32 {
        u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)
    }

    /// Lists a connection as idle.
    fn free(&self, index: usize) {
        if let Some(mut slot) = self.slot(index)
            && !std::mem::replace(&mut slot.listed, true)
        {
            drop(slot);
            lock(&self.idle).push_back(index);
            self.freed.notify_one();
        }
    }

    /// Takes the connection that was idle longest; `None` when none is free by `until`.
    fn take(&self, until: Instant) -> Option<usize> {
        let idle = lock(&self.idle);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let (mut idle, _) = self
            .freed
            .wait_timeout_while(idle, left, |idle| idle.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        idle.pop_front()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends every arrival; returns those that never got a connection in time.
fn pace(board: &Board, queue: Duration, schedule: &[Step<'_>]) -> Vec<Event> {
    sharpen_timers();
    let start = *lock(&board.start);
    let all: f64 = schedule.iter().map(|step| step.seconds).sum();
    let end = start + Duration::from_secs_f64(all);
    let mut unsent = Vec::new();
    for (number, (at, traffic)) in Arrivals::new(schedule).enumerate() {
        let due = start + Duration::from_secs_f64(at);
        pause_until(due);
        let Some(request) = traffic.of(number) else {
            continue;
        };
        let intended = (at * 1e6) as u32;
        let until = end.min(due + queue);
        if !send(
            board,
            &request.bytes,
            (intended, request.class),
            start,
            until,
        ) {
            let done = until.duration_since(start).as_micros() as u32;
            unsent.push(Event {
                intended,
                sent: done,
                done,
                class: request.class,
                outcome: Outcome::Unsent,
            });
        }
    }
    unsent
}

/// Writes a request to a free connection; `false` when there is none until then.
fn send(
    board: &Board,
    bytes: &[u8],
    (intended, class): (u32, u8),
    start: Instant,
    until: Instant,
) -> bool {
    while let Some(index) = board.take(until) {
        let Some(mut slot) = board.slot(index) else {
            continue;
        };
        slot.listed = false;
        let Some(mut writer) = slot.writer.as_ref() else {
            // It was lost while idle; the reader lists it again once it is open.
            continue;
        };
        let written = write_all(&mut writer, bytes);
        if written.is_err() {
            // The reader notices, and counts the request as broken.
            let _ = writer.shutdown(Shutdown::Both);
        }
        slot.flight = Some(Flight {
            intended,
            sent: Board::micros(start),
            class,
            given_up: false,
        });
        board.in_flight.fetch_add(1, Ordering::Relaxed);
        return true;
    }
    false
}

/// The socket does not block, and its buffer is empty: waiting is the exception.
fn write_all(writer: &mut &StdStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pacer is a thread of its own, and timers of an event loop are too coarse for it"
)]
pub(crate) fn pause_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

/// Asks the kernel to wake this thread on time instead of up to 50 µs late. Without it the run is a little less sharp.
fn sharpen_timers() {
    let thread = std::fs::read_link("/proc/thread-self");
    if let Ok(path) = thread
        && let Some(id) = path.file_name()
    {
        let slack = std::path::Path::new("/proc").join(id).join("timerslack_ns");
        let _ = std::fs::write(slack, "1000");
    }
}

/// A schedule's arrivals: when, in seconds, and out of which traffic.
struct Arrivals<'a> {
    steps: std::slice::Iter<'a, Step<'a>>,
    step: Option<Step<'a>>,
    step_end: f64,
    at: f64,
    random: Random,
}

impl<'a> Arrivals<'a> {
    fn new(schedule: &'a [Step<'a>]) -> Self {
        let mut steps = schedule.iter();
        let step = steps.next().copied();
        Self {
            steps,
            step,
            step_end: step.map_or(0.0, |step| step.seconds),
            at: 0.0,
            random: Random::new(0xa11),
        }
    }
}

impl<'a> Iterator for Arrivals<'a> {
    type Item = (f64, &'a Traffic);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let step = self.step?;
            let at = self.at + self.random.gap(step.rate.max(1e-3));
            if at < self.step_end {
                self.at = at;
                return Some((at, step.traffic));
            }
            self.at = self.step_end;
            self.step = self.steps.next().copied();
            self.step_end += self.step.map_or(0.0, |step| step.seconds);
        }
    }
}

/// Reads all answers until the run is over.
fn read_all(target: Target, board: &Arc<Board>) -> Result<Vec<Event>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let reader = Rc::new(Reader {
        board: Arc::clone(board),
        target,
        scratch: scratch(),
        events: RefCell::default(),
    });
    local.block_on(&runtime, async {
        for index in 0..target.connections {
            let reader = Rc::clone(&reader);
            tokio::task::spawn_local(async move { reader.keep_open(index).await });
        }
        reader.sweep_until_done().await;
    });
    drop(local);
    reader.close();
    let events = std::mem::take(&mut *reader.events.borrow_mut());
    Ok(events)
}

struct Reader {
    board: Arc<Board>,
    target: Target,
    scratch: RefCell<Vec<u8>>,
    events: RefCell<Vec<Event>>,
}

impl Reader {
    /// Reads a connection's answers, and opens it again whenever it is lost.
    async fn keep_open(&self, index: usize) {
        loop {
            match connect(self.target.address).await {
                Ok(stream) => self.use_connection(index, stream).await,
                Err(_) => tokio::time::sleep(REOPEN).await,
            }
        }
    }

    async fn use_connection(&self, index: usize, mut stream: TcpStream) {
        let Ok(writer) = duplicate(&stream) else {
            return;
        };
        if let Some(mut slot) = self.board.slot(index) {
            slot.writer = Some(writer);
        }
        self.board.free(index);
        loop {
            let answer = read_answer(&mut stream, &self.scratch).await;
            let outcome = match answer {
                Ok(Some(answer)) => answer.into(),
                Ok(None) | Err(_) => Outcome::Broken,
            };
            let closes = match answer {
                Ok(Some(answer)) => answer.closes,
                Ok(None) | Err(_) => true,
            };
            if closes && let Some(mut slot) = self.board.slot(index) {
                slot.writer = None;
            }
            self.land(index, outcome);
            if closes {
                return;
            }
            self.board.free(index);
        }
    }

    /// Notes the end of a connection's request, if it has one under way.
    fn land(&self, index: usize, outcome: Outcome) {
        let start = *lock(&self.board.start);
        let flight = self
            .board
            .slot(index)
            .and_then(|mut slot| slot.flight.take());
        if let Some(flight) = flight {
            self.board.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.events.borrow_mut().push(Event {
                intended: flight.intended,
                sent: flight.sent,
                done: Board::micros(start),
                class: flight.class,
                outcome: match flight.given_up {
                    true => Outcome::Unanswered,
                    false => outcome,
                },
            });
        }
    }

    /// Gives up on requests without an answer; returns when the run is over and nothing is under way any more.
    async fn sweep_until_done(&self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let mut drained_by = None;
        loop {
            ticks.tick().await;
            self.give_up();
            if self.board.stop.load(Ordering::Acquire) {
                let until = *drained_by.get_or_insert_with(|| Instant::now() + DRAIN);
                let left = self.board.in_flight.load(Ordering::Relaxed);
                if left == 0 || Instant::now() >= until {
                    return;
                }
            }
        }
    }

    fn give_up(&self) {
        let now = Board::micros(*lock(&self.board.start));
        let patience = self.target.patience.as_micros() as u32;
        for slot in &self.board.slots {
            let mut slot = lock(slot);
            if let Some(flight) = &mut slot.flight
                && !flight.given_up
                && now.saturating_sub(flight.intended) > patience
            {
                flight.given_up = true;
                if let Some(writer) = &slot.writer {
                    let _ = writer.shutdown(Shutdown::Both);
                }
            }
        }
    }

    /// Notes what is still under way when the run is over.
    fn close(&self) {
        for index in 0..self.target.connections {
            self.land(index, Outcome::Unanswered);
        }
    }
}

/// Returns a second handle to a socket, for the pacer.
fn duplicate(stream: &TcpStream) -> io::Result<StdStream> {
    use std::os::fd::AsFd;
    Ok(StdStream::from(stream.as_fd().try_clone_to_owned()?))
}
