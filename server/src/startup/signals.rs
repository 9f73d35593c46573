//! The signals that ask the server to stop.

use crate::cli::FAILED;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and Ctrl-C, from the moment on at which they are listened for.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen; from now on neither of them ends the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ends the process at the next one, whatever is under way: whoever asks twice does not want to wait.
    pub(crate) async fn exit_at_next(mut self) {
        self.next().await;
        tracing::error!(
            "told to stop a second time: ending at once, with requests and events under way"
        );
        std::process::exit(i32::from(FAILED));
    }
}
