//! A proxy in front of Postgres that can hold up what clients send.
//!
//! It runs on a thread of its own and ends with its handle. Each direction of a connection is a task; bytes keep their
//! order, and every delay runs from the moment the bytes came, so that pipelined queries wait once.

use anyhow::Result;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A running proxy.
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: SocketAddr,
    delay_micros: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts it in front of this address.
    pub(super) fn start(upstream: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let delay_micros = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel();
        let its_delay = Arc::clone(&delay_micros);
        let thread = std::thread::Builder::new()
            .name("proxy".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, upstream, its_delay) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            delay_micros,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Holds up everything that clients send from now on.
    pub(super) fn delay(&self, delay: Duration) {
        self.delay_micros
            .store(delay.as_micros() as u64, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, delay: Arc<AtomicU64>) {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(join(client, upstream, Arc::clone(&delay)));
        }
    }
}

/// Connects a client with the database; when either goes, both do.
async fn join(client: TcpStream, upstream: SocketAddr, delay: Arc<AtomicU64>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = pass(from_client, to_server, Some(delay)) => {}
        _ = pass(from_server, to_client, None) => {}
    }
}

/// Bytes, and when they may go on.
type Held = VecDeque<(Instant, Vec<u8>)>;

/// Passes bytes on until the reading side ends.
async fn pass(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    delay: Option<Arc<AtomicU64>>,
) -> io::Result<()> {
    let mut held = Held::new();
    loop {
        let due = held.front().map(|(due, _)| *due);
        tokio::select! {
            ready = from.readable() => {
                ready?;
                let mut bytes = vec![0; 16 * 1024];
                match from.try_read(&mut bytes) {
                    Ok(0) => return Ok(()),
                    Ok(read) => {
                        bytes.truncate(read);
                        let delay = delay.as_ref().map_or(0, |delay| delay.load(Ordering::Relaxed));
                        held.push_back((Instant::now() + Duration::from_micros(delay), bytes));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            () = sleep_until(due), if due.is_some() => {
                if let Some((_, bytes)) = held.pop_front() {
                    write_all(&to, &bytes).await?;
                }
            }
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due.filter(|due| *due > Instant::now()) {
        tokio::time::sleep_until(due).await;
    }
}

async fn write_all(to: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
