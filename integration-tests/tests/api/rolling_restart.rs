//! Two servers behind a balancer, each restarted in turn under a steady load: nobody notices.

use crate::events::{TOKEN, exported};
use burgee_integration_tests::balancer::Balancer;
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::Request;
use burgee_integration_tests::{Database, FlagBuilder, Kind, ProjectBuilder, TestServer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Clients of each kind: those that keep their connection, and those that open one for each request.
const CLIENTS: usize = 4;
/// The pause between two requests of one client.
const PACE: Duration = Duration::from_millis(4);
/// Requests that have to be answered between two restarts, so that both servers are seen at work.
const BETWEEN: usize = 400;

/// What came of the load.
#[derive(Default)]
struct Tally {
    flags: AtomicUsize,
    events: AtomicUsize,
    /// Answers that asked the client to go elsewhere.
    sent_away: AtomicUsize,
    stopped: AtomicBool,
    faults: Mutex<Vec<String>>,
    stored: Mutex<Vec<String>>,
}

impl Tally {
    fn answered(&self) -> usize {
        self.flags.load(Ordering::SeqCst) + self.events.load(Ordering::SeqCst)
    }
}

/// One client: flags and events in turn.
struct Client<'a> {
    number: usize,
    keeps: bool,
    address: &'a str,
    tally: &'a Tally,
    connection: Option<TcpStream>,
}

impl Client<'_> {
    fn run(mut self, pace: &mpsc::Receiver<()>) {
        for round in 0.. {
            if self.tally.stopped.load(Ordering::SeqCst) {
                return;
            }
            let id = format!("client-{}-{}-{round}", self.number, self.keeps);
            if let Err(error) = self.ask(round, &id) {
                let mut faults = self.tally.faults.lock().unwrap();
                faults.push(format!("{id}: {error}"));
                self.connection = None;
            }
            // Nothing is ever sent: this is the pace.
            let _ = pace.recv_timeout(PACE);
        }
    }

    fn ask(&mut self, round: usize, id: &str) -> io::Result<()> {
        let is_event = round % 2 == 1;
        let request = if is_event {
            let event = json!({"event": "$set", "distinct_id": id, "$set": {"round": round}});
            Request::post("/batch/").json(&json!({"api_key": TOKEN, "batch": [event]}))
        } else {
            Request::post("/flags?v=2").json(&json!({"token": TOKEN, "distinct_id": id}))
        };
        let mut stream = match self.connection.take() {
            Some(kept) => kept,
            None => connect(self.address)?,
        };
        stream.write_all(&request.bytes())?;
        let (head, body) = read(&mut stream)?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(io::Error::other(format!("{head}{body}")));
        }
        let is_last = head
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n");
        self.tally
            .sent_away
            .fetch_add(usize::from(is_last), Ordering::SeqCst);
        if self.keeps && !is_last {
            self.connection = Some(stream);
        }
        if is_event {
            self.tally.stored.lock().unwrap().push(id.to_owned());
            self.tally.events.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        let answer: Value = serde_json::from_str(&body)?;
        let is_right = answer["flags"]["on"]["enabled"] == true
            && answer["errorsWhileComputingFlags"] == false;
        if !is_right {
            return Err(io::Error::other(body));
        }
        self.tally.flags.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Reads an answer with a length.
fn read(stream: &mut TcpStream) -> io::Result<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end + 4]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Ok((head, body));
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::Error::other("closed before the answer was complete")),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

fn start(database: &Arc<Database>) -> TestServer {
    TestServer::with(database)
        .arg("--drain-delay-s=3")
        .arg("--event-timeout-ms=20000")
        .spawn()
}

#[test]
fn a_rolling_restart_fails_no_request() {
    let database = Arc::new(Database::new(Kind::Postgres));
    let file = ProjectBuilder::new().flag(FlagBuilder::new("on")).file();
    let first = TestServer::with(&database)
        .project(&file)
        .arg("--drain-delay-s=3")
        .spawn();
    let mut servers = [first, start(&database)];
    let balancer = Balancer::start(servers.len());
    for (slot, server) in servers.iter().enumerate() {
        balancer.place(slot, server.address());
        eventually("the balancer to see it", || {
            balancer.is_ready(slot).then_some(())
        });
    }
    let tally = Tally::default();
    std::thread::scope(|scope| {
        // However this ends, clients must not go on for ever.
        struct Stop<'a>(&'a Tally);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.stopped.store(true, Ordering::SeqCst);
            }
        }
        let _stop = Stop(&tally);
        let (_pacemaker, paces): (Vec<_>, Vec<_>) =
            (0..2 * CLIENTS).map(|_| mpsc::channel()).unzip();
        for (number, pace) in paces.into_iter().enumerate() {
            let client = Client {
                number,
                keeps: number % 2 == 0,
                address: balancer.address(),
                tally: &tally,
                connection: None,
            };
            scope.spawn(move || client.run(&pace));
        }
        let load = || {
            let goal = tally.answered() + BETWEEN;
            eventually("more answers", || (tally.answered() >= goal).then_some(()));
        };
        load();
        for (slot, server) in servers.iter_mut().enumerate() {
            server.terminate();
            server.expect_clean_exit();
            *server = start(&database);
            balancer.place(slot, server.address());
            eventually("the balancer to see it", || {
                balancer.is_ready(slot).then_some(())
            });
            load();
            assert!(balancer.connections(slot) > 0, "it is used again");
        }
    });

    let faults = tally.faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        faults.first()
    );
    assert_eq!(balancer.stranded(), 0);
    let (flags, events) = (tally.flags.into_inner(), tally.events.into_inner());
    assert!(
        flags >= BETWEEN && events >= BETWEEN,
        "{flags} flags, {events} events"
    );
    // Those who kept their connections were told to go, twice, and nobody had to find out by failing.
    let sent_away = tally.sent_away.into_inner();
    assert!(sent_away >= 2, "{sent_away}");
    let project = exported(&database);
    let persons = project["persons"].as_array().unwrap();
    let stored: BTreeSet<&str> = persons
        .iter()
        .filter_map(|person| person["distinct_ids"][0].as_str())
        .collect();
    let lost: Vec<_> = tally.stored.into_inner().unwrap();
    let lost: Vec<_> = lost
        .iter()
        .filter(|id| !stored.contains(id.as_str()))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {events} events are lost: {:?}",
        lost.len(),
        lost.first()
    );
}
