//! A plain TCP balancer: it passes bytes on, follows the readiness of its backends, and tries nothing twice.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often backends are asked whether they are ready, as a busy balancer would.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a backend may take to say so.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Default)]
struct Backend {
    address: String,
    is_ready: bool,
    connections: usize,
}

#[derive(Debug, Default)]
struct State {
    backends: Mutex<Vec<Backend>>,
    turn: AtomicUsize,
    /// Connections for which there was no backend.
    stranded: AtomicUsize,
}

/// The balancer; it ends with this value.
pub struct Balancer {
    address: String,
    state: Arc<State>,
    /// Ends the probes when it is dropped.
    _running: mpsc::Sender<()>,
}

impl Balancer {
    /// Begins to listen, in front of this many backends that are not there yet.
    pub fn start(backends: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let state = Arc::new(State {
            backends: Mutex::new(vec![Backend::default(); backends]),
            ..State::default()
        });
        let (running, ended) = mpsc::channel();
        let probed = Arc::clone(&state);
        thread::spawn(move || probe(&probed, &ended));
        let accepting = Arc::clone(&state);
        // It ends with the process: nothing wakes a listener.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&accepting);
                thread::spawn(move || pass(client, &state));
            }
        });
        Self {
            address,
            state,
            _running: running,
        }
    }

    /// Returns where clients connect.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Says where a backend is now. It gets connections when it says that it is ready.
    pub fn place(&self, slot: usize, address: &str) {
        let mut backends = self.state.backends.lock().expect("no user panics");
        backends[slot] = Backend {
            address: address.to_owned(),
            ..Backend::default()
        };
    }

    /// Returns whether a backend was ready when it was asked last.
    pub fn is_ready(&self, slot: usize) -> bool {
        self.state.backends.lock().expect("no user panics")[slot].is_ready
    }

    /// Returns how many connections a backend got since it was placed.
    pub fn connections(&self, slot: usize) -> usize {
        self.state.backends.lock().expect("no user panics")[slot].connections
    }

    /// Returns for how many connections there was no backend.
    pub fn stranded(&self) -> usize {
        self.state.stranded.load(Ordering::SeqCst)
    }
}

fn probe(state: &State, ended: &mpsc::Receiver<()>) {
    while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let backends = state.backends.lock().expect("no user panics").clone();
        for (slot, asked) in backends.iter().enumerate() {
            let is_ready = !asked.address.is_empty() && says_ready(&asked.address);
            let mut backends = state.backends.lock().expect("no user panics");
            if backends[slot].address == asked.address {
                backends[slot].is_ready = is_ready;
            }
        }
    }
}

fn says_ready(address: &str) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(
            b"GET /_readiness HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n",
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask().unwrap_or_default()
}

/// Chooses a backend for a client and passes bytes both ways until both are done.
fn pass(client: TcpStream, state: &State) {
    let chosen = {
        let mut backends = state.backends.lock().expect("no user panics");
        let turn = state.turn.fetch_add(1, Ordering::Relaxed);
        let mut ready: Vec<_> = backends.iter_mut().filter(|it| it.is_ready).collect();
        let count = ready.len();
        (count > 0).then(|| {
            let backend = &mut ready[turn % count];
            backend.connections += 1;
            backend.address.clone()
        })
    };
    let connected = chosen.and_then(|address| TcpStream::connect(address).ok());
    let Some(backend) = connected else {
        state.stranded.fetch_add(1, Ordering::SeqCst);
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = backend.set_nodelay(true);
    thread::scope(|scope| {
        scope.spawn(|| copy(&client, &backend));
        copy(&backend, &client);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // One that was cut ends both ways.
    if io::copy(&mut from, &mut to).is_err() {
        let _ = from.shutdown(Shutdown::Both);
    }
    let _ = to.shutdown(Shutdown::Write);
}
