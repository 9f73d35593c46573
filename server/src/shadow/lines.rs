//! A file that lines are appended to, by a thread of its own: the disk is never waited for. Only its owner may read it.

use super::metrics::{Dropped, LaneMetrics};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// How many lines may wait for the disk.
const QUEUE: usize = 1024;

/// How many bytes may.
const QUEUED_BYTES: u64 = 64 * 1024 * 1024;

/// The entrance; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    sender: SyncSender<Message>,
    queued: Arc<AtomicU64>,
    /// Bytes that may still be written.
    left: Arc<AtomicU64>,
    metrics: LaneMetrics,
}

#[derive(Debug)]
enum Message {
    Line(String),
    End,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct LinesEnd {
    sender: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Lines {
    /// Opens a file to append to, no more than `limit` bytes in all.
    pub(super) fn open(
        path: &Path,
        limit: u64,
        metrics: LaneMetrics,
    ) -> io::Result<(Self, LinesEnd)> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        // A file that was there before may be open to others.
        file.set_permissions(Permissions::from_mode(0o600))?;
        let written = file.metadata()?.len();
        let (sender, receiver) = sync_channel(QUEUE);
        let queued = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            file: BufWriter::new(file),
            queued: Arc::clone(&queued),
            metrics: metrics.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("burgee-lines".to_owned())
            .spawn(move || writer.run(&receiver))?;
        let end = LinesEnd {
            sender: sender.clone(),
            thread,
        };
        let lines = Self {
            sender,
            queued,
            left: Arc::new(AtomicU64::new(limit.saturating_sub(written))),
            metrics,
        };
        Ok((lines, end))
    }

    /// Offers a line, which has no line break in it. What finds no room is dropped and counted.
    pub(super) fn offer(&self, line: String) {
        self.metrics.offered();
        let bytes = u64::try_from(line.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let take = |left: u64| left.checked_sub(bytes);
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            return self.metrics.dropped(Dropped::TooLarge);
        }
        if self.queued.load(Ordering::Relaxed) + bytes > QUEUED_BYTES {
            return self.metrics.dropped(Dropped::NoMemory);
        }
        self.queued.fetch_add(bytes, Ordering::Relaxed);
        if let Err(refused) = self.sender.try_send(Message::Line(line)) {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.dropped(match refused {
                TrySendError::Full(_) => Dropped::QueueFull,
                TrySendError::Disconnected(_) => Dropped::Stopped,
            });
        }
    }
}

impl LinesEnd {
    /// Waits until everything that was taken is written. What is offered from now on is dropped.
    pub(super) fn join(self) {
        // A thread that has ended, or panicked and said so, needs no word.
        let _gone = self.sender.send(Message::End);
        let _panicked = self.thread.join();
    }
}

struct Writer {
    file: BufWriter<File>,
    queued: Arc<AtomicU64>,
    metrics: LaneMetrics,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        while let Ok(Message::Line(line)) = receiver.recv() {
            self.write(&line);
            let mut is_last = false;
            // Lines are seen as soon as nothing else waits.
            while let Ok(message) = receiver.try_recv() {
                match message {
                    Message::Line(line) => self.write(&line),
                    Message::End => is_last = true,
                }
            }
            if let Err(error) = self.file.flush() {
                tracing::error!(%error, "a file cannot be written to");
            }
            if is_last {
                return;
            }
        }
    }

    fn write(&mut self, line: &str) {
        let bytes = u64::try_from(line.len())
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
        match writeln!(self.file, "{line}") {
            Ok(()) => self.metrics.done(),
            Err(error) => {
                tracing::error!(%error, "a file cannot be written to");
                self.metrics.dropped(Dropped::Crashed);
            }
        }
    }
}
