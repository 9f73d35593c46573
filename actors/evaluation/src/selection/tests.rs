use super::{RequestRuntime, RuntimeHints, Selector};
use crate::testing::{World, depends, flag, flag_with, when};
use serde_json::{Value, json};

fn on() -> Value {
    json!({"groups": [{}]})
}

fn needs(id: i32) -> Value {
    when(json!([depends(id, json!(true))]))
}

fn keys(keys: &[&str]) -> Option<Vec<String>> {
    Some(keys.iter().map(|key| (*key).to_owned()).collect())
}

#[test]
fn the_runtime_is_told_row_by_row() {
    use RequestRuntime::{All, Client, Server, Unknown};
    // field, User-Agent, any browser header
    let cases = [
        (Some("server"), Some("posthog-js/1"), true, Server),
        (Some("SERVER"), None, false, Server),
        (Some("Client"), Some("curl/8"), false, Client),
        (Some("all"), Some("posthog-js/1"), false, All),
        (Some("edge"), None, true, All),
        (Some(""), None, false, All),
        (None, Some("posthog-python/7.91.0"), true, Server),
        (None, Some("posthog-ruby/3"), false, Server),
        (None, Some("posthog-php/3"), false, Server),
        (None, Some("posthog-java/1"), false, Server),
        (None, Some("posthog-go/1"), false, Server),
        (None, Some("posthog-node/5"), false, Server),
        (None, Some("posthog-dotnet/1"), false, Server),
        (None, Some("posthog-elixir/1"), false, Server),
        (None, Some("posthog-rs/0"), false, Server),
        (None, Some("posthog-server/1"), false, Server),
        (None, Some("posthog-js/1.2 Mozilla/5.0"), false, Client),
        (None, Some("posthog-android/3"), false, Client),
        (None, Some("posthog-ios/3"), false, Client),
        (None, Some("posthog-react-native/4"), false, Client),
        (None, Some("posthog-flutter/5"), false, Client),
        // a name nobody knows, or no such form: only the headers are left
        (None, Some("posthog-cobol/1"), false, Unknown),
        (None, Some("posthog-cobol/1"), true, Client),
        (None, Some("posthog-cobol/1 Mozilla/5.0"), false, Unknown),
        (None, Some("posthog-python"), false, Unknown),
        (None, Some("posthog-python/"), false, Unknown),
        (None, Some("posthog-/1"), true, Client),
        (None, Some("posthog-Python/1"), false, Unknown),
        (None, Some("Posthog-python/1"), false, Unknown),
        (None, Some("x posthog-python/1"), false, Unknown),
        (None, Some("Mozilla/5.0 (X11)"), false, Client),
        (None, Some("x Chrome/1"), false, Client),
        (None, Some("x Safari/1"), false, Client),
        (None, Some("x Firefox/1"), false, Client),
        (None, Some("x Edge/1"), false, Client),
        (None, Some("Mozilla/5.0 curl/8"), false, Client),
        (None, Some("mozilla/5.0"), false, Unknown),
        (None, Some("python-requests/2.31"), false, Server),
        (None, Some("curl/8.5.0"), true, Server),
        (None, Some("wget/1"), true, Client),
        (None, Some("wget/1"), false, Unknown),
        (None, Some(""), true, Client),
        (None, None, true, Client),
        (None, None, false, Unknown),
    ];
    for (field, user_agent, browser_header, expected) in cases {
        let hints = RuntimeHints {
            user_agent,
            browser_header,
        };
        let found = RequestRuntime::detect(field, hints);
        assert_eq!(found, expected, "{field:?} {user_agent:?} {browser_header}");
    }
}

#[test]
fn the_runtime_admits_flags() {
    let with =
        |id, key, runtime: Value| flag_with(id, key, on(), json!({"evaluation_runtime": runtime}));
    let mut world = World::new(vec![
        with(1, "all", json!("all")),
        with(2, "client", json!("CLIENT")),
        with(3, "null", json!(null)),
        with(4, "other", json!("edge")),
        with(5, "server", json!("server")),
    ]);
    let cases: [(RequestRuntime, &[&str]); 4] = [
        (
            RequestRuntime::All,
            &["all", "client", "null", "other", "server"],
        ),
        (RequestRuntime::Server, &["all", "null", "other", "server"]),
        (RequestRuntime::Client, &["all", "client", "null", "other"]),
        (RequestRuntime::Unknown, &["all", "null", "other"]),
    ];
    for (runtime, expected) in cases {
        world.selector = Selector {
            runtime,
            ..Selector::default()
        };
        assert_eq!(world.answered(), expected, "{runtime:?}");
        // the same by the way that is not prepared
        world.selector.contexts = vec!["none of the flags has one".to_owned()];
        assert_eq!(world.answered(), expected, "{runtime:?}");
    }
}

#[test]
fn contexts_admit_flags() {
    let with = |id, key, contexts: Value| {
        flag_with(id, key, on(), json!({"evaluation_contexts": contexts}))
    };
    let mut world = World::new(vec![
        with(1, "app", json!(["app", "docs"])),
        with(2, "empty", json!([])),
        with(3, "null", json!(null)),
        with(4, "site", json!(["site"])),
    ]);
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &["app", "empty", "null", "site"]),
        (&["app"], &["app", "empty", "null"]),
        (&["x", "site", "docs"], &["app", "empty", "null", "site"]),
        (&["APP"], &["empty", "null"]),
        (&["*"], &["empty", "null"]),
        (&["ap"], &["empty", "null"]),
    ];
    for (contexts, expected) in cases {
        world.selector.contexts = contexts.iter().map(|c| (*c).to_owned()).collect();
        assert_eq!(world.answered(), expected, "{contexts:?}");
    }
}

#[test]
fn inactive_flags_are_absent_and_off() {
    let mut world = World::new(vec![
        flag_with(1, "inactive", on(), json!({"active": false})),
        flag_with(2, "archived", on(), json!({"archived": true})),
        flag_with(3, "deleted", on(), json!({"deleted": true})),
        flag(
            4,
            "f",
            when(json!([depends(1, json!(false)), depends(2, json!(false))])),
        ),
    ]);
    assert_eq!(world.answered(), ["f"]);
    assert_eq!(world.answer(), "true condition_match 0");
    world.selector.keys = keys(&["inactive", "archived", "deleted"]);
    assert!(world.answered().is_empty());
}

#[test]
fn survey_mode_keeps_survey_flags_and_their_dependencies_are_off() {
    let mut world = World::new(vec![
        flag(
            1,
            "survey-targeting-a",
            when(json!([depends(2, json!(false))])),
        ),
        flag(2, "plain", on()),
        flag(3, "product-tour-targeting-a", on()),
        flag(4, "Survey-targeting-b", on()),
        flag(5, "survey-targeting-", on()),
    ]);
    world.selector.surveys_only = true;
    assert_eq!(
        world.answered(),
        ["survey-targeting-", "survey-targeting-a"]
    );
    assert_eq!(
        world.answer_of("survey-targeting-a"),
        "true condition_match 0"
    );
}

#[test]
fn keys_bring_their_dependencies_along() {
    let mut world = World::new(vec![
        flag(1, "a", needs(2)),
        flag(2, "b", needs(3)),
        flag(3, "c", on()),
        flag(4, "d", on()),
        flag_with(5, "e", needs(4), json!({"active": false})),
        flag_with(
            6,
            "server",
            needs(4),
            json!({"evaluation_runtime": "server"}),
        ),
        flag(7, "g", when(json!([depends(6, json!(false))]))),
    ]);
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &[]),
        (&["a"], &["a", "b", "c"]),
        (&["b", "b"], &["b", "c"]),
        (&["d", "unknown"], &["d"]),
        (&["A"], &[]),
        (&["unknown"], &[]),
        (&["e"], &[]),
        // what a filtered flag depends on is still something "g" depends on
        (&["g"], &["d", "g"]),
    ];
    for (wanted, expected) in cases {
        world.selector.keys = keys(wanted);
        assert_eq!(world.answered(), expected, "{wanted:?}");
    }
    world.selector.keys = keys(&["g"]);
    assert_eq!(world.answer_of("g"), "true condition_match 0");
    world.selector.keys = keys(&["a"]);
    assert_eq!(world.answer_of("a"), "true condition_match 0");
}

#[test]
fn nothing_left_is_no_error() {
    // the circle would be reported if anything were left
    let circle = || {
        vec![
            flag(1, "a", needs(2)),
            flag(2, "b", needs(1)),
            flag(3, "c", on()),
        ]
    };
    let mut world = World::new(circle());
    for (wanted, errors) in [
        (None, true),
        (keys(&["c"]), true),
        (keys(&["a"]), true),
        (keys(&[]), false),
        (keys(&["unknown"]), false),
    ] {
        world.selector.keys.clone_from(&wanted);
        assert_eq!(
            world.evaluations().errors_while_computing,
            errors,
            "{wanted:?}"
        );
        let (definitions, _) = world.compile();
        assert_eq!(definitions.select(&world.selector).is_empty(), !errors);
    }
    assert!(World::new(vec![]).evaluations().is_empty());
}

#[test]
fn a_circle_that_is_filtered_is_not_reported() {
    let server = json!({"evaluation_runtime": "server"});
    let mut world = World::new(vec![
        flag_with(1, "a", needs(2), server.clone()),
        flag_with(2, "b", needs(1), server),
        flag(3, "c", on()),
    ]);
    assert!(!world.evaluations().errors_while_computing);
    world.selector.runtime = RequestRuntime::Server;
    assert!(world.evaluations().errors_while_computing);
    assert_eq!(world.answered(), ["c"]);
}

#[test]
fn a_selection_knows_its_length() {
    let mut world = World::new(vec![
        flag(1, "a", needs(2)),
        flag(2, "b", on()),
        flag(3, "c", on()),
    ]);
    let len = |world: &World| world.compile().0.select(&world.selector).len();
    assert_eq!(len(&world), 3);
    world.selector.keys = keys(&["a"]);
    assert_eq!(len(&world), 2);
}

#[test]
fn a_report_has_what_answers_leave_out() {
    let loops = |id: i32| when(json!([depends(id, json!(true))]));
    let world = World::new(vec![
        flag(1, "on", on()),
        flag_with(2, "inactive", on(), json!({"active": false})),
        flag_with(3, "deleted", on(), json!({"deleted": true})),
        flag_with(4, "server", on(), json!({"evaluation_runtime": "server"})),
        flag_with(
            5,
            "inactive-server",
            on(),
            json!({"active": false, "evaluation_runtime": "server"}),
        ),
        flag_with(6, "elsewhere", on(), json!({"evaluation_contexts": ["b"]})),
        flag(7, "loop-a", loops(8)),
        flag(8, "loop-b", loops(7)),
    ]);
    let (definitions, _) = world.compile();
    let selector = Selector {
        runtime: RequestRuntime::Client,
        contexts: vec!["a".to_owned()],
        ..Selector::default()
    };
    let world = World { selector, ..world };
    let evaluations = world.evaluations();
    let told = |answer: &crate::Evaluation<'_>| {
        format!("{} {}", answer.flag.key, answer.outcome.reason.code())
    };
    let report = definitions.report(&world.selector, &evaluations);
    let lines: Vec<String> = report.map(|answer| told(&answer)).collect();
    let expected = [
        "inactive flag_disabled",
        "loop-a dependency_failed",
        "loop-b dependency_failed",
        "on condition_match",
    ];
    assert_eq!(lines, expected);
    for (key, expected) in [
        ("on", Some("on condition_match")),
        ("inactive", Some("inactive flag_disabled")),
        ("loop-a", Some("loop-a dependency_failed")),
        ("server", None),
        ("inactive-server", None),
        ("elsewhere", None),
        ("deleted", None),
        ("nobody", None),
    ] {
        let answer = definitions.report_one(&world.selector, &evaluations, key);
        assert_eq!(
            answer.map(|answer| told(&answer)).as_deref(),
            expected,
            "{key}"
        );
    }
}
