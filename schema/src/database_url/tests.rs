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
        (
            "postgres://u:hunter2@h/d?sslmode=hunter2",
            "sslmode that is not known",
        ),
        (
            "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/none/root.crt",
            "/none/root.crt cannot be used",
        ),
        (
            "postgres://u:hunter2@h/d?sslrootcert=%2fetc%2fpasswd&connect_timeout=1&sslmode=verify-ca",
            "/etc/passwd cannot be used: there is none in it",
        ),
        (
            "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=%zz",
            "no file name",
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

#[test]
fn tls_is_asked_for_in_the_words_of_libpq() {
    let system = || Roots::System;
    let file = || Roots::File("/a b".into());
    let cases = [
        ("", SslMode::Prefer, Trust::Anybody),
        ("?sslmode=disable", SslMode::Disable, Trust::Anybody),
        ("?sslmode=prefer", SslMode::Prefer, Trust::Anybody),
        ("?sslmode=require", SslMode::Require, Trust::Anybody),
        (
            "?sslmode=require&sslrootcert=/a%20b",
            SslMode::Require,
            Trust::Issuer(file()),
        ),
        (
            "?sslmode=verify-ca",
            SslMode::Require,
            Trust::Issuer(system()),
        ),
        (
            "?sslrootcert=system&sslmode=verify-full",
            SslMode::Require,
            Trust::Host(system()),
        ),
        (
            "?sslrootcert=/a%20b&sslmode=verify-full",
            SslMode::Require,
            Trust::Host(file()),
        ),
    ];
    for (query, mode, trust) in cases {
        let url = format!("postgres://u:p@h/d{query}");
        let (rest, tls) = Tls::taken_from(&url).unwrap();
        assert_eq!(rest, "postgres://u:p@h/d", "{query}");
        assert_eq!((tls.mode, tls.trust), (mode, trust), "{query}");
    }
    let (rest, _) = Tls::taken_from("postgres://u@h/d?user=x&sslmode=disable&port=1").unwrap();
    assert_eq!(rest, "postgres://u@h/d?user=x&port=1");
}
