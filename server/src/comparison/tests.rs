//! Two answers, and what differs.

use super::*;
use serde_json::json;

const SIDES: Sides = Sides {
    names: ["a", "b"],
    missing: ["missing_in_a", "missing_in_b"],
};

fn answer(body: &Value) -> Answer {
    Answer::read(200, None, body.to_string().as_bytes())
}

/// Returns what differs as `flag kind`.
fn told(first: &Value, second: &Value, ignored: &Ignored) -> Vec<String> {
    let differences = compare(&answer(first), &answer(second), ignored);
    let told = differences.iter().map(|it| {
        let flag = it.flag.as_deref().unwrap_or("*");
        format!("{flag} {}", it.kind.name(SIDES))
    });
    told.collect()
}

fn v2(records: Value) -> Value {
    json!({"errorsWhileComputingFlags": false, "flags": records, "requestId": "x", "evaluatedAt": 1})
}

fn record(enabled: bool, variant: Value, code: &str, index: i64, payload: Value) -> Value {
    json!({"key": "f", "enabled": enabled, "variant": variant,
        "reason": {"code": code, "condition_index": index, "description": "d"},
        "metadata": {"id": 1, "version": 2, "description": null, "payload": payload}})
}

fn on(variant: Value) -> Value {
    record(true, variant, "condition_match", 0, Value::Null)
}

fn off() -> Value {
    record(false, Value::Null, "no_condition_match", 0, Value::Null)
}

#[test]
fn records_differ_in_what_matters_first() {
    let paid = |payload: &str| record(true, json!("a"), "condition_match", 0, json!(payload));
    let failed = json!({"key": "f", "enabled": false, "variant": null, "failed": true, "reason": {"code": "timeout", "condition_index": null}});
    let cases = [
        (on(Value::Null), on(Value::Null), None),
        (on(Value::Null), off(), Some("enabled")),
        (on(json!("a")), on(json!("b")), Some("variant")),
        (on(json!("a")), on(Value::Null), Some("variant")),
        (paid("1"), paid("2"), Some("payload")),
        (paid("1"), on(json!("a")), Some("payload")),
        (
            paid("{\"a\": 1, \"b\": [1.0]}"),
            paid("{\"b\":[1],\"a\":1e0}"),
            None,
        ),
        (paid("[1, 2]"), paid("[2, 1]"), Some("payload")),
        (
            paid("9007199254740993"),
            paid("9007199254740992"),
            Some("payload"),
        ),
        (paid("\"1\""), paid("1"), Some("payload")),
        (paid("not json"), paid("not  json"), Some("payload")),
        (
            off(),
            record(false, Value::Null, "out_of_rollout_bound", 0, Value::Null),
            Some("reason"),
        ),
        (
            off(),
            record(false, Value::Null, "no_condition_match", 1, Value::Null),
            Some("condition"),
        ),
        (failed.clone(), off(), Some("error")),
        (failed.clone(), on(Value::Null), Some("error")),
        (failed.clone(), failed, None),
    ];
    for (one, other, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|kind| format!("f {kind}")).collect();
        for (one, other) in [(&one, &other), (&other, &one)] {
            let (first, second) = (v2(json!({"f": one})), v2(json!({"f": other})));
            assert_eq!(
                told(&first, &second, &Ignored::default()),
                expected,
                "{one} {other}"
            );
        }
    }
}

#[test]
fn shapes_are_read_alike() {
    let flags = |v: u8| match v {
        1 => {
            json!({"errorsWhileComputingFlags": false, "featureFlags": {"a": "x", "b": true, "c": false}, "featureFlagPayloads": {"a": "1"}})
        }
        2 => v2(
            json!({"a": record(true, json!("x"), "condition_match", 0, json!("1")), "b": on(Value::Null), "c": off()}),
        ),
        4 => v2(json!({
            "a": {"key": "a", "value": "x", "reason": {"code": "condition_match", "condition_index": 0}, "metadata": {"payload": "1"}},
            "b": {"key": "b", "value": true, "reason": {"code": "condition_match", "condition_index": 0}, "metadata": {}},
            "c": {"key": "c", "value": false, "reason": {"code": "no_condition_match", "condition_index": 0}, "metadata": {}},
        })),
        // The two oldest list what is on, one of them without values.
        12 => json!({"featureFlags": {"a": "x", "b": true}}),
        _ => json!({"featureFlags": ["b"]}),
    };
    for one in [1, 2, 4, 12] {
        for other in [1, 2, 4, 12] {
            let found = told(&flags(one), &flags(other), &Ignored::default());
            assert!(found.is_empty(), "{one} {other}: {found:?}");
        }
    }
    assert_eq!(
        told(&flags(11), &flags(12), &Ignored::default()),
        ["a enabled"]
    );
    let more = json!({"featureFlags": ["b", "c"]});
    assert_eq!(
        told(&flags(1), &more, &Ignored::default()),
        ["a enabled", "c enabled"]
    );
    assert_eq!(told(&flags(11), &flags(11), &Ignored::default()), [""; 0]);
}

#[test]
fn odd_values_are_told() {
    let v1 =
        |value: Value| json!({"errorsWhileComputingFlags": false, "featureFlags": {"f": value}});
    assert_eq!(
        told(&v1(json!(1)), &v1(json!(2)), &Ignored::default()),
        ["f value"]
    );
    assert_eq!(
        told(&v1(json!(1)), &v1(json!(1.0)), &Ignored::default()),
        [""; 0]
    );
    // An old payload that is no text is the JSON it stands for.
    let paid = |payload: Value| json!({"errorsWhileComputingFlags": false, "featureFlags": {"f": true}, "featureFlagPayloads": {"f": payload}});
    assert_eq!(
        told(
            &paid(json!({"a": 1})),
            &paid(json!("{\"a\":1.0}")),
            &Ignored::default()
        ),
        [""; 0]
    );
}

#[test]
fn what_one_side_lacks_is_told_by_side() {
    let (both, one) = (v2(json!({"f": off(), "g": on(Value::Null)})), v2(json!({})));
    let none = Ignored::default();
    assert_eq!(
        told(&both, &one, &none),
        ["f missing_in_b", "g missing_in_b"]
    );
    assert_eq!(
        told(&one, &both, &none),
        ["f missing_in_a", "g missing_in_a"]
    );
    let missing_off = Ignored {
        missing_off: true,
        ..Ignored::default()
    };
    assert_eq!(told(&both, &one, &missing_off), ["g missing_in_b"]);
}

#[test]
fn what_is_ignored_is_not_told() {
    let records = |code: &str, index: i64, payload: &str| {
        v2(
            json!({"f": record(true, json!("a"), code, index, json!(payload)), "g": on(json!(payload))}),
        )
    };
    let (one, other) = (
        records("condition_match", 0, "1"),
        records("super_condition_value", 1, "2"),
    );
    let with = |set: fn(&mut Ignored)| {
        let mut ignored = Ignored::default();
        set(&mut ignored);
        told(&one, &other, &ignored)
    };
    assert_eq!(with(|_| {}), ["f payload", "g variant"]);
    assert_eq!(with(|it| it.payload = true), ["f reason", "g variant"]);
    assert_eq!(
        with(|it| (it.payload, it.reason) = (true, true)),
        ["g variant"]
    );
    assert_eq!(
        with(|it| it.flags.extend(["f".to_owned(), "g".to_owned()])),
        [""; 0]
    );
    let moved = records("condition_match", 1, "1");
    let no_index = Ignored {
        condition: true,
        ..Ignored::default()
    };
    assert_eq!(told(&one, &moved, &Ignored::default()), ["f condition"]);
    assert_eq!(told(&one, &moved, &no_index), [""; 0]);
}

#[test]
fn whole_answers_differ_too() {
    let flags = || answer(&v2(json!({"f": on(Value::Null)})));
    let limited = || answer(&json!({"flags": {}, "quotaLimited": ["feature_flags"]}));
    let other_quota = answer(&json!({"flags": {}, "quotaLimited": ["recordings"]}));
    let cases = [
        (Answer::Refused(401), Answer::Refused(401), None),
        (
            Answer::Refused(401),
            Answer::Refused(400),
            Some(["status_401", "status_400"]),
        ),
        (
            flags(),
            Answer::Refused(401),
            Some(["answered", "status_401"]),
        ),
        (flags(), limited(), Some(["answered", "quota_limited"])),
        (limited(), limited(), None),
        (
            flags(),
            Answer::read(200, None, b"<html>"),
            Some(["answered", "unreadable"]),
        ),
        (
            flags(),
            Answer::read(200, None, b"{}"),
            Some(["answered", "unreadable"]),
        ),
        (
            Answer::Failed("timed_out"),
            flags(),
            Some(["timed_out", "answered"]),
        ),
        (
            Answer::Failed("connect"),
            Answer::Failed("connect"),
            Some(["connect", "connect"]),
        ),
    ];
    for (one, other, expected) in cases {
        let found = compare(&one, &other, &Ignored::default());
        match expected {
            None => assert_eq!(found, [], "{one:?} {other:?}"),
            Some(expected) => {
                let [difference] = &found[..] else {
                    panic!("{found:?}")
                };
                assert_eq!((difference.kind, &difference.flag), (Kind::Error, &None));
                let reasons: Vec<&str> = difference
                    .reasons
                    .iter()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                assert_eq!(reasons, expected);
            }
        }
    }
    assert!(matches!(other_quota, Answer::Flags(_)));
    let deep = format!(
        "{{\"flags\": {}{}}}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    assert_eq!(Answer::read(200, None, deep.as_bytes()), Answer::Unreadable);
}

#[test]
fn encoded_answers_are_read() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let body = v2(json!({"f": on(json!("a"))})).to_string();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let plain = Answer::read(200, None, body.as_bytes());
    assert_eq!(Answer::read(200, Some("gzip"), &packed), plain);
    assert_eq!(Answer::read(200, Some("zstd"), &packed), Answer::Unreadable);
    assert_eq!(
        Answer::read(200, Some("compress"), &packed),
        Answer::Unreadable
    );
}

fn difference(flag: &str) -> Difference {
    Difference {
        flag: Some(flag.to_owned()),
        kind: Kind::Enabled,
        reasons: [None, None],
        values: [json!(true), json!(false)],
    }
}

#[test]
fn a_tally_is_bounded() {
    let mut tally = Tally::new(TallyLimits {
        distinct: 3,
        samples: 2,
    });
    let line = |it: &Difference| json!({"flag": it.flag}).to_string();
    let mut lines = 0;
    for n in 0..1000 {
        let flag = format!("flag-{}", n % 10);
        lines += tally.add(&[difference(&flag)], line).len();
    }
    tally.add(&[], line);
    tally.add(
        &compare(
            &Answer::Refused(500),
            &Answer::Unreadable,
            &Ignored::default(),
        ),
        line,
    );
    let report = Report::new(&tally, SIDES).json();
    assert_eq!(
        report["differences"].as_array().unwrap().len(),
        3,
        "{report}"
    );
    assert_eq!(report["differences"][0]["count"], 100);
    assert_eq!(report["differences_beyond_memory"], 701);
    assert_eq!(report["samples"].as_array().unwrap().len(), 2);
    let totals =
        ["compared", "equal", "different", "failed"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(totals, [1002, 1, 1000, 1]);
    // A reservoir takes ever fewer: of 1,000 differences about 2 · ln(500), and the first of each of the three.
    assert!((3..100).contains(&lines), "{lines}");
}

#[test]
fn the_first_of_a_sort_is_always_told() {
    let mut tally = Tally::new(TallyLimits {
        distinct: 100,
        samples: 0,
    });
    let told = |tally: &mut Tally, flag: &str| {
        tally.add(&[difference(flag)], |it| it.flag.clone().unwrap())
    };
    assert_eq!(told(&mut tally, "a"), ["a"]);
    assert_eq!(told(&mut tally, "a"), [""; 0]);
    assert_eq!(told(&mut tally, "b"), ["b"]);
}

#[test]
fn a_report_is_read_by_people() {
    let mut tally = Tally::new(TallyLimits::default());
    for flag in ["x", "longer-name", "x"] {
        tally.add(&[difference(flag)], |_| String::new());
    }
    tally.add(&[], |_| String::new());
    let expected = "\
compared 4: 1 equal, 3 different, 0 without two answers
flag         kind     a  b  count
x            enabled  -  -  2
longer-name  enabled  -  -  1
";
    assert_eq!(Report::new(&tally, SIDES).to_string(), expected);
}
