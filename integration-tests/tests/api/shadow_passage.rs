//! What passes through the proxy untouched: bodies piece by piece, streams, redirects, headers. The upstream is a socket that says
//! exactly what it is told to, so no database is part of it.

use crate::shadow::{operators, proxy, proxy_trusting};
use burgee_integration_tests::deadline::PATIENCE;
use burgee_integration_tests::http::{Connection, Request};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// An upstream that takes one connection after the other and does with each what the test says.
struct Scripted {
    address: String,
    thread: JoinHandle<()>,
}

impl Scripted {
    fn new(connections: usize, script: impl Fn(usize, TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            for n in 0..connections {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                script(n, stream);
            }
        });
        Self { address, thread }
    }

    #[track_caller]
    fn finish(self) {
        self.thread.join().expect("the script went as it should");
    }
}

/// Reads until what came ends like this, and returns it.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> String {
    let mut taken = Vec::new();
    let mut piece = [0; 4096];
    while !taken.ends_with(end) {
        let read = stream.read(&mut piece).expect("in time");
        assert!(
            read > 0,
            "closed after {:?}",
            String::from_utf8_lossy(&taken)
        );
        taken.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(taken).unwrap()
}

/// An address at which nothing listens.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn bodies_pass_piece_by_piece_both_ways() {
    let (saw, seen): (Sender<String>, Receiver<String>) = channel();
    let (allow, allowed): (Sender<()>, Receiver<()>) = channel();
    let upstream = Scripted::new(1, move |_, mut stream| {
        // The first half of the body is here before the second is sent, and half of the answer goes before the other.
        saw.send(read_until(&mut stream, b"first\r\n")).unwrap();
        saw.send(read_until(&mut stream, b"0\r\n\r\n")).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Own: 1\r\nConnection: X-Own\r\n\r\n3\r\none\r\n").unwrap();
        allowed.recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").unwrap();
    });
    let proxy = proxy(&upstream.address, NOBODY, &[]);
    let mut client = proxy.connect();
    client.write(b"POST /s/?v=%2F HTTP/1.1\r\nHost: flags.test\r\nTransfer-Encoding: chunked\r\nContent-Type: x/y\r\nX-Forwarded-For: 203.0.113.9\r\ntraceparent: 00-a-b-01\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n5\r\nfirst\r\n");
    let head = seen.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /s/?v=%2f http/1.1\r\n"), "{head}");
    for line in [
        "transfer-encoding: chunked",
        "content-type: x/y",
        "x-forwarded-for: 203.0.113.9, 127.0.0.1",
        "x-forwarded-host: flags.test",
        "x-forwarded-proto: http",
        "traceparent: 00-a-b-01",
        "via: 1.1 burgee-shadow",
        &format!("host: {}", upstream.address),
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
    assert!(
        !head.contains("x-hop") && !head.contains("keep-alive"),
        "{head}"
    );
    client.write(b"6\r\nsecond\r\n0\r\n\r\n");
    assert!(seen.recv_timeout(PATIENCE).unwrap().contains("second"));
    let answer = client.read_head("POST");
    assert_eq!((answer.status, answer.header("x-own")), (200, None));
    assert_eq!(client.read_chunk().unwrap(), b"one");
    allow.send(()).unwrap();
    assert_eq!(client.read_chunk().unwrap(), b"two");
    assert_eq!(client.read_chunk(), None);
    upstream.finish();
}

#[test]
fn answers_pass_as_they_are() {
    let answers: [(&str, &str, &[u8]); 7] = [
        (
            "GET",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n",
            b"",
        ),
        (
            "GET",
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nETag: \"x\"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 4\r\n\r\n\u{1f}abc",
            b"\x1fabc",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            b"",
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"y\"\r\nContent-Length: 77\r\n\r\n",
            b"",
        ),
        ("DELETE", "HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
            b"",
        ),
        (
            "GET",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nabsent",
            b"absent",
        ),
    ];
    let said = answers;
    let upstream = Scripted::new(1, move |_, mut stream| {
        // All of them on one connection: it is kept alive.
        for (method, answer, _) in said {
            let asked = read_until(&mut stream, b"\r\n\r\n");
            assert!(asked.starts_with(&format!("{method} /x/?y=1 ")), "{asked}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let proxy = proxy(
        &upstream.address,
        NOBODY,
        &["--base-path", "/ph", "--http-workers", "1"],
    );
    let mut client = proxy.connect();
    for (method, answer, body) in answers {
        let came = client.exchange(&Request::new(method, "/ph/x/?y=1"));
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(
            (came.status, came.body.as_slice()),
            (status, body),
            "{answer}"
        );
        for line in answer
            .split("\r\n")
            .skip(1)
            .take_while(|line| !line.is_empty())
        {
            let (name, value) = line.split_once(": ").unwrap();
            let found = came
                .headers
                .iter()
                .any(|(other, found)| other.eq_ignore_ascii_case(name) && found == value);
            assert!(found, "{line} in {:?}", came.headers);
        }
    }
    upstream.finish();
}

#[test]
fn a_stream_of_events_passes_at_once_and_ends_with_the_proxy() {
    let (allow, allowed): (Sender<()>, Receiver<()>) = channel();
    let upstream = Scripted::new(1, move |_, mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n").unwrap();
        allowed.recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"9\r\ndata: 2\n\n\r\n").unwrap();
        // It would go on for ever; the proxy hangs up.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    });
    let proxy = proxy(&upstream.address, NOBODY, &[]);
    let mut client = proxy.connect();
    client.write(&Request::get("/flags/definitions/stream").bytes());
    assert_eq!(client.read_head("GET").status, 200);
    assert_eq!(client.read_chunk().unwrap(), b"data: 1\n\n");
    allow.send(()).unwrap();
    assert_eq!(client.read_chunk().unwrap(), b"data: 2\n\n");
    proxy.terminate();
    assert_eq!(
        client.read_chunk(),
        None,
        "it ends as a stream does that has an end"
    );
    proxy.expect_clean_exit();
    upstream.finish();
}

#[test]
fn what_breaks_off_is_not_passed_as_whole() {
    let upstream = Scripted::new(2, move |n, mut stream| {
        read_until(&mut stream, b"\r\n\r\n");
        match n {
            // Half an answer.
            0 => stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                .unwrap(),
            _ => stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                .unwrap(),
        }
    });
    let proxy = proxy(&upstream.address, NOBODY, &[]);
    let mut client = proxy.connect();
    client.write(&Request::get("/a").bytes());
    assert_eq!(client.read_head("GET").header("content-length"), Some("10"));
    assert_eq!(
        client.drain(),
        b"half",
        "closed, and short of what was promised"
    );
    let mut client = proxy.connect();
    client.write(&Request::get("/a").bytes());
    assert_eq!(client.read_head("GET").status, 200);
    assert_eq!(client.read_chunk().unwrap(), b"half");
    assert_eq!(client.drain(), b"", "closed without the last chunk");
    upstream.finish();
}

#[test]
fn a_long_body_for_flags_goes_to_the_upstream_as_it_is() {
    let long = "x".repeat(200_000);
    let length = long.len();
    let upstream = Scripted::new(1, move |_, mut stream| {
        let asked = read_until(&mut stream, b"xEND");
        assert!(
            asked.len() > length && asked.contains(&format!("content-length: {}", length + 3)),
            "{}",
            asked.len()
        );
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
    });
    let options = [
        "--percent",
        "100",
        "--body-limit-bytes",
        "65536",
        "--compare",
    ];
    let proxy = proxy(&upstream.address, NOBODY, &options);
    let answer = proxy.send(&Request::post("/flags/?v=2").body(format!("{long}END")));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"{}"[..]));
    assert_eq!(
        operators(&proxy).metric(
            "burgee_shadow_requests_total",
            "path=\"flags\",side=\"upstream\""
        ),
        1
    );
    upstream.finish();
}

#[test]
fn more_than_it_can_hold_is_refused() {
    let (allow, allowed): (Sender<()>, Receiver<()>) = channel();
    let upstream = Scripted::new(1, move |_, mut stream| {
        read_until(&mut stream, b"{}");
        allowed.recv_timeout(PATIENCE).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
    });
    let proxy = proxy(&upstream.address, NOBODY, &["--max-in-flight", "1"]);
    let mut first = proxy.connect();
    first.write(&Request::post("/flags/?v=2").body("{}").bytes());
    let operators = operators(&proxy);
    burgee_integration_tests::deadline::eventually("the first to be under way", || {
        (operators.metric("burgee_shadow_requests_in_flight", "") == 1).then_some(())
    });
    let refused = proxy.send(&Request::post("/flags/?v=2").body("{}"));
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    allow.send(()).unwrap();
    assert_eq!(first.read("POST").status, 200);
    upstream.finish();
}

/// An upstream over TLS, whose certificate only those trust who are told to.
#[test]
fn an_upstream_is_asked_over_tls_if_it_is_who_it_says() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("trusted.pem");
    std::fs::write(&trusted, made.cert.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let untrusted = directory.path().join("other.pem");
    std::fs::write(&untrusted, other.cert.pem()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let tls = std::sync::Arc::new(tls);
    let upstream = Scripted::new(2, move |n, stream| {
        let session = rustls::ServerConnection::new(std::sync::Arc::clone(&tls)).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        let mut asked = [0; 4096];
        match n {
            0 => assert!(
                stream.read(&mut asked).is_err(),
                "the certificate is refused"
            ),
            _ => {
                let read = stream.read(&mut asked).unwrap();
                assert!(asked[..read].starts_with(b"GET /secure HTTP/1.1\r\n"));
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
                    .unwrap();
                stream.flush().unwrap();
            }
        }
    });
    let url = format!(
        "https://localhost:{}",
        upstream.address.rsplit(':').next().unwrap()
    );
    let wary = proxy_trusting(&untrusted, &url);
    assert_eq!(wary.get("/secure").status, 502);
    let answer = proxy_trusting(&trusted, &url).get("/secure");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"safe"[..]));
    upstream.finish();
}

/// A stop lets what is under way end.
#[test]
fn a_stop_answers_what_was_taken() {
    let (allow, allowed): (Sender<()>, Receiver<()>) = channel();
    let upstream = Scripted::new(1, move |_, mut stream| {
        read_until(&mut stream, b"{}");
        allowed.recv_timeout(PATIENCE).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            .unwrap();
    });
    let proxy = proxy(&upstream.address, NOBODY, &["--shutdown-timeout-s", "20"]);
    let mut client: Connection = proxy.connect();
    client.write(&Request::post("/flags/?v=2").body("{}").bytes());
    let operators = operators(&proxy);
    burgee_integration_tests::deadline::eventually("the request to be under way", || {
        (operators.metric("burgee_shadow_requests_in_flight", "") == 1).then_some(())
    });
    proxy.terminate();
    burgee_integration_tests::deadline::eventually("it to say that it stops", || {
        (operators.get("/_readiness").status == 503).then_some(())
    });
    allow.send(()).unwrap();
    assert_eq!(client.read("POST").status, 200);
    proxy.expect_clean_exit();
    upstream.finish();
}
