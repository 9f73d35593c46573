//! Answers that are given before, or without, the body being wanted: a small body must not cost the connection, a large one
//! must not hang it. Over real sockets, because what is at stake is what the server does with the bytes left on one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use burgee::body::{self, BodyLimits};
use burgee::error::ApiError;
use burgee::state::{Edge, HttpConfig};
use burgee::{middleware, routes};
use prometheus_client::registry::Registry;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// Far more than anything here takes; reached only by a connection that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const LIMIT: usize = 100_000;

struct Server {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// Starts the product's routes and middleware, and two handlers that fail before and while reading a body.
    fn start(config: HttpConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let edge = Arc::new(Edge::new(config, &mut Registry::default()));
        let server = HttpServer::new(move || {
            let edge = Arc::clone(&edge);
            App::new()
                .app_data(web::Data::from(Arc::clone(&edge)))
                .wrap(from_fn(move |request, next| {
                    middleware::edge(Arc::clone(&edge), request, next)
                }))
                .route("/unauthorized", web::post().to(unauthorized))
                .route("/read", web::post().to(read))
                .configure(routes::configure)
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { address, handle }
    }

    async fn stop(self) {
        timeout(PATIENCE, self.handle.stop(false)).await.unwrap();
    }
}

async fn unauthorized() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoCredentials)
}

async fn read(edge: web::Data<Edge>, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let bytes = body::read(payload, None, &edge.config.body).await?;
    Ok(HttpResponse::Ok().body(bytes.len().to_string()))
}

fn config() -> HttpConfig {
    HttpConfig {
        body: BodyLimits {
            received: LIMIT,
            ..BodyLimits::default()
        },
        ..HttpConfig::default()
    }
}

/// One connection, split so that an answer can be read while a body is still being sent.
struct Connection {
    reading: OwnedReadHalf,
    writing: OwnedWriteHalf,
    buffered: Vec<u8>,
}

struct Answer {
    status: u16,
    closes: bool,
}

impl Connection {
    async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (reading, writing) = stream.into_split();
        Self {
            reading,
            writing,
            buffered: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.writing.write_all(bytes))
            .await
            .unwrap()
            .unwrap();
    }

    /// Sends a request's head and a body, and reads the answer meanwhile. The server may stop listening at any time.
    async fn exchange(&mut self, head: &str, body: Vec<u8>) -> Answer {
        self.send(head.as_bytes()).await;
        let (writing, reading, buffered) =
            (&mut self.writing, &mut self.reading, &mut self.buffered);
        let (_sent, answer) = tokio::join!(
            timeout(PATIENCE, writing.write_all(&body)),
            timeout(PATIENCE, read_answer(reading, buffered)),
        );
        answer.unwrap()
    }

    async fn answer(&mut self) -> Answer {
        let answer = read_answer(&mut self.reading, &mut self.buffered);
        timeout(PATIENCE, answer).await.unwrap()
    }

    /// Proves that the connection still works, or that the server has closed it.
    async fn is_alive(&mut self) -> bool {
        let sent = self
            .writing
            .write_all(b"GET /_liveness HTTP/1.1\r\nHost: a\r\n\r\n");
        if timeout(PATIENCE, sent).await.unwrap().is_err() {
            return false;
        }
        let reading = async {
            while head_end(&self.buffered).is_none() {
                if read_more(&mut self.reading, &mut self.buffered).await == 0 {
                    return false;
                }
            }
            true
        };
        let is_answered = timeout(PATIENCE, reading).await.unwrap();
        if is_answered {
            assert_eq!(self.answer().await.status, 200);
        }
        is_answered
    }
}

/// Returns how many bytes came; a reset counts as an end.
async fn read_more(reading: &mut OwnedReadHalf, buffered: &mut Vec<u8>) -> usize {
    reading.read_buf(buffered).await.unwrap_or(0)
}

fn head_end(buffered: &[u8]) -> Option<usize> {
    let at = buffered.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

async fn read_answer(reading: &mut OwnedReadHalf, buffered: &mut Vec<u8>) -> Answer {
    let end = loop {
        if let Some(end) = head_end(buffered) {
            break end;
        }
        assert_ne!(
            read_more(reading, buffered).await,
            0,
            "closed without an answer"
        );
    };
    let head = String::from_utf8_lossy(&buffered[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let whole = end + length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
    while buffered.len() < whole {
        assert_ne!(
            read_more(reading, buffered).await,
            0,
            "closed inside an answer"
        );
    }
    buffered.drain(..whole);
    Answer {
        status: head[9..12].parse().unwrap(),
        closes: head.contains("connection: close"),
    }
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends a request with a body of `length` bytes and says whether the connection survives the answer.
async fn survives(server: &Server, head: &str, length: usize, status: u16) -> bool {
    let mut connection = Connection::open(server).await;
    let answer = connection.exchange(head, vec![b'x'; length]).await;
    assert_eq!(answer.status, status, "{head}");
    let is_alive = connection.is_alive().await;
    assert_eq!(
        answer.closes, !is_alive,
        "the answer says what happens: {head}"
    );
    is_alive
}

#[actix_web::test]
async fn a_small_unwanted_body_does_not_cost_the_connection() {
    let server = Server::start(config());
    for (name, head, status) in [
        ("404", post("/nothing", 500), 404),
        (
            "wrong method",
            post("/flags", 500).replacen("POST", "PUT", 1),
            405,
        ),
        (
            "GET with a body",
            post("/flags", 500).replacen("POST", "GET", 1),
            200,
        ),
        (
            "HEAD with a body",
            post("/flags", 500).replacen("POST", "HEAD", 1),
            200,
        ),
        ("401", post("/unauthorized", 500), 401),
    ] {
        assert!(survives(&server, &head, 500, status).await, "{name}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_refused_request_keeps_its_connection() {
    let refusing = HttpConfig {
        max_in_flight: 0,
        ..config()
    };
    let server = Server::start(refusing);
    assert!(survives(&server, &post("/flags", 500), 500, 503).await);
    assert!(!survives(&server, &post("/flags", 90_000), 90_000, 503).await);
    server.stop().await;
}

#[actix_web::test]
async fn a_large_unwanted_body_closes_the_connection_and_hangs_nothing() {
    let server = Server::start(config());
    for length in [200_000, 2_000_000] {
        for (path, status) in [("/nothing", 404), ("/unauthorized", 401), ("/metrics", 405)] {
            let head = post(path, length);
            assert!(!survives(&server, &head, length, status).await, "{head}");
        }
    }
    let mut fresh = Connection::open(&server).await;
    assert!(fresh.is_alive().await);
    server.stop().await;
}

#[actix_web::test]
async fn the_rest_that_is_read_ends_at_64_kib() {
    let server = Server::start(config());
    for (length, survived) in [(65_536, true), (65_537, false)] {
        let head = post("/nothing", length);
        assert_eq!(
            survives(&server, &head, length, 404).await,
            survived,
            "{length}"
        );
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_late_body_is_waited_for_a_moment() {
    let server = Server::start(config());
    let mut connection = Connection::open(&server).await;
    connection.send(post("/nothing", 4).as_bytes()).await;
    connection.send(b"ab").await;
    connection.send(b"cd").await;
    assert_eq!(connection.answer().await.status, 404);
    assert!(connection.is_alive().await);
    server.stop().await;
}

#[actix_web::test]
async fn a_body_that_never_comes_does_not_hold_the_answer() {
    let server = Server::start(config());
    let mut connection = Connection::open(&server).await;
    connection.send(post("/nothing", 4).as_bytes()).await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.closes), (404, true));
    server.stop().await;
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = Server::start(config());
    // A little over the limit, the rest is small enough to be read; far over it, it is not.
    let head = post("/read", LIMIT + 1);
    assert!(survives(&server, &head, LIMIT + 1, 413).await);
    let head = post("/read", 2_000_000);
    assert!(!survives(&server, &head, 2_000_000, 413).await);
    let head = post("/read", LIMIT);
    assert!(survives(&server, &head, LIMIT, 200).await);
    server.stop().await;
}

#[actix_web::test]
async fn chunked_bodies_are_counted_as_they_come() {
    let server = Server::start(config());
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    };
    let chunks = |count: usize| {
        let mut body = format!("2710\r\n{}\r\n", "x".repeat(10_000)).repeat(count);
        body.push_str("0\r\n\r\n");
        body.into_bytes()
    };
    for (path, count, status) in [
        ("/read", 10, 200),
        ("/read", 11, 413),
        ("/read", 200, 413),
        ("/nothing", 1, 404),
        ("/nothing", 200, 404),
    ] {
        let mut connection = Connection::open(&server).await;
        let answer = connection.exchange(&head(path), chunks(count)).await;
        assert_eq!(answer.status, status, "{path} {count}");
        assert_eq!(
            connection.is_alive().await,
            !answer.closes,
            "{path} {count}"
        );
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_slow_body_is_given_up_with_408() {
    let mut hasty = config();
    hasty.body.timeout = Duration::from_millis(20);
    let server = Server::start(hasty);
    let mut connection = Connection::open(&server).await;
    connection.send(post("/read", 10).as_bytes()).await;
    connection.send(b"abc").await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, answer.closes), (408, true));
    server.stop().await;
}
