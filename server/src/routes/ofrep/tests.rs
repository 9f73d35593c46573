use super::*;

#[test]
fn a_key_is_whatever_stands_behind_the_path() {
    let cases = [
        ("email-flag", "email-flag"),
        ("email-flag/", "email-flag"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("a%2Bb%25", "a+b%"),
        ("%C3%BC", "ü"),
        ("a/b", "a/b"),
        ("a%2Fb%2F", "a/b/"),
        ("%", "%"),
        ("%ff", "\u{fffd}"),
    ];
    for (sent, expected) in cases {
        let path = format!("/ofrep/v1/evaluate/flags/{sent}");
        assert_eq!(key_of(&path), expected, "{sent}");
    }
}

#[test]
fn the_runtime_is_all_unless_the_context_says_otherwise() {
    let clock = Clock {
        now: chrono::DateTime::UNIX_EPOCH,
        started: Instant::now(),
        deadline: Instant::now(),
    };
    for (stated, expected) in [
        (None, RequestRuntime::All),
        (Some("server"), RequestRuntime::Server),
        (Some("Client"), RequestRuntime::Client),
        (Some("edge"), RequestRuntime::All),
    ] {
        let asked = FlagsRequest {
            distinct_id: Some("u".to_owned()),
            runtime: stated.map(str::to_owned),
            contexts: vec!["c".to_owned()],
            ..FlagsRequest::default()
        };
        let (selector, question) = question(asked, Some(vec!["k".to_owned()]), clock);
        assert_eq!(selector.runtime, expected, "{stated:?}");
        assert_eq!(
            question.selector.keys.as_deref(),
            Some(&["k".to_owned()][..])
        );
        assert_eq!(question.selector.contexts, ["c"]);
        assert_eq!(question.subject.distinct_id, "u");
        assert!(question.write_hash_keys && !question.overrides_only);
    }
}
