use super::*;

fn refusal(url: &str) -> String {
    match Target::parse(url) {
        Err(StoreError::Config(message)) => message,
        Err(other) => panic!("{url}: {other:?}"),
        Ok(_) => panic!("{url} was accepted"),
    }
}

#[test]
fn bad_urls_are_refused_with_a_reason_and_without_the_password() {
    let cases = [
        ("", "must begin with"),
        ("mysql://root:hunter2@localhost/db", "must begin with"),
        ("sqlite://", "names no file"),
        ("sqlite://:memory:", "in-memory"),
        ("sqlite::memory:", "in-memory"),
        ("postgres://", "names no host"),
        ("postgres://u:hunter2@h/d?sslmode=require", "TLS"),
        ("postgres://u:hunter2@h/d?sslmode=verify-full", "TLS"),
        (
            "postgres://u:hunter2@h/d?connect_timeout=1&sslmode=verify-ca",
            "TLS",
        ),
        ("postgres://u:hunter2@h:port/d", "cannot be read"),
        ("postgres://u:p@ss?hunter2=1@h/d", "cannot be read"),
    ];
    for (url, reason) in cases {
        let message = refusal(url);
        assert!(message.contains(reason), "{url}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn good_urls_are_read() {
    let sqlite = |url: &str| match Target::parse(url) {
        Ok(Target::Sqlite(path)) => path.to_string_lossy().into_owned(),
        _ => panic!("{url}"),
    };
    assert_eq!(sqlite("sqlite://burgee.db"), "burgee.db");
    assert_eq!(sqlite("sqlite:///var/lib/a b.db"), "/var/lib/a b.db");
    assert_eq!(sqlite("sqlite:burgee.db"), "burgee.db");
    assert_eq!(sqlite("sqlite://file:x"), "./file:x");
    for url in [
        "postgres://u:p@localhost/d",
        "postgresql://u@h:1/d?sslmode=disable",
        "postgres:///d?host=/run/x&user=u",
    ] {
        assert!(Target::parse(url).unwrap().is_postgres(), "{url}");
    }
}
