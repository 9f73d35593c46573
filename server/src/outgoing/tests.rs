//! Which URLs are understood. Requests themselves are tested with the commands that send them.

use super::*;

#[test]
fn urls_are_taken_apart() {
    let cases = [
        ("http://a", (false, "a", 80, "/")),
        ("http://a:8080/x?y=1", (false, "a", 8080, "/x?y=1")),
        (
            "https://a.example/v1/traces",
            (true, "a.example", 443, "/v1/traces"),
        ),
        ("https://[::1]:9/", (true, "[::1]", 9, "/")),
        ("http://[::1]", (false, "[::1]", 80, "/")),
    ];
    for (url, (is_tls, host, port, path)) in cases {
        let target = Target::parse(url).unwrap();
        assert_eq!(target.is_tls, is_tls, "{url}");
        assert_eq!(target.host_and_port(), (host, port), "{url}");
        assert_eq!(target.path, path, "{url}");
    }
}

#[test]
fn other_urls_are_refused() {
    for url in [
        "",
        "a",
        "ftp://a",
        "http://",
        "http:///x",
        "http://a b/",
        "http://a/\r\nX: y",
        "http://user:secret@a/",
    ] {
        let error = Target::parse(url).unwrap_err().to_string();
        assert!(
            error.starts_with("expected a URL") && !error.contains("secret"),
            "{url}: {error}"
        );
    }
}
