//! A server of one answer each, and no server.

use super::*;
use std::io::Read;
use std::net::TcpListener;
use std::thread;

fn check(url: &str, timeout_ms: u64) -> (String, u8) {
    let args = HealthcheckArgs {
        url: url.to_owned(),
        timeout_ms,
        ca: None,
        insecure: false,
    };
    let mut out = Vec::new();
    let code = run(&args, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code)
}

/// Answers one connection, in pieces, and returns what was asked.
fn serve(answer: &'static [&'static str]) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/_readiness?x=1", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        for piece in answer {
            stream.write_all(piece.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    (url, asked)
}

#[test]
fn answers() {
    for (answer, line, code) in [
        (&["HTTP/1.1 200 OK\r\n\r\nready"][..], "healthy: 200\n", 0),
        (
            &["HTTP/1.", "1 204", " No Content\r\n\r\n"],
            "healthy: 204\n",
            0,
        ),
        (
            &["HTTP/1.1 503 Service Unavailable\r\n\r\n"],
            "unhealthy: 503\n",
            1,
        ),
        (&["HTTP/1.1 301 Moved\r\n\r\n"], "unhealthy: 301\n", 1),
        (&["hello\r\n"], "unhealthy: the answer is not HTTP\n", 1),
        (&[], "unhealthy: the answer is not HTTP\n", 1),
    ] {
        let (url, asked) = serve(answer);
        assert_eq!(check(&url, 5000), (line.to_owned(), code), "{answer:?}");
        let request = asked.join().unwrap();
        assert!(
            request.starts_with("GET /_readiness?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{request}"
        );
    }
}

#[test]
fn nobody_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It takes the connection and says nothing.
    let (line, code) = check(&format!("http://{address}"), 20);
    assert!(line.starts_with("unhealthy: ") && code == 1, "{line}");
    drop(listener);
    let (line, code) = check(&format!("http://{address}"), 1000);
    assert!(line.starts_with("unhealthy: ") && code == 1, "{line}");
    for url in [
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
        "http://",
        "http://a b/",
        "http://a/\r\nX: y",
    ] {
        let (line, code) = check(url, 1000);
        assert!(
            line.starts_with("unhealthy: expected a URL") && code == 1,
            "{url}: {line}"
        );
    }
}
