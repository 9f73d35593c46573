//! YAML texts to compact JSON, or to the faults with their places.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<String, Vec<String>> {
    let mut faults = Vec::new();
    let parsed = parse(text, &mut faults);
    let shown = |f: &Fault| format!("{} {}", f.place, f.message);
    match parsed {
        Ok(node) if faults.is_empty() => Ok(node.to_json()),
        Ok(_) => Err(faults.iter().map(shown).collect()),
        Err(fault) => Err(vec![shown(&fault)]),
    }
}

#[test]
fn what_is_read_is_kept() {
    for (text, expected) in [
        (
            "[5, 5.0, -1, 1e3, 12345678901234567890123]",
            "[5,5.0,-1,1e3,12345678901234567890123]",
        ),
        (
            "[null, ~, true, True, FALSE]",
            "[null,null,true,true,false]",
        ),
        (
            "[yes, no, on, 2024-01-01, 1.2.3, 1_000, v1, nan]",
            r#"["yes","no","on","2024-01-01","1.2.3","1_000","v1","nan"]"#,
        ),
        ("['5', \"5.0\", \"true\", '']", r#"["5","5.0","true",""]"#),
        ("a:\nb: 1", r#"{"a":null,"b":1}"#),
        ("1: one\ntrue: two", r#"{"1":"one","true":"two"}"#),
        ("a: !!str 5", r#"{"a":"5"}"#),
        (
            "a: |\n  x\n  y\nb: >-\n  x\n  y",
            r#"{"a":"x\ny\n","b":"x y"}"#,
        ),
        ("a: &x [1, 2.0]\nb: *x", r#"{"a":[1,2.0],"b":[1,2.0]}"#),
        (
            "x: &x { a: 1, b: 2 }\ny: { <<: *x, b: 3 }",
            r#"{"x":{"a":1,"b":2},"y":{"a":1,"b":3}}"#,
        ),
        (
            "x: &x { a: 1, b: 2 }\ny: { b: 3, <<: *x }",
            r#"{"x":{"a":1,"b":2},"y":{"b":3,"a":1}}"#,
        ),
        (
            "x: &x { a: 1 }\ny: &y { a: 2, b: 2 }\nz: { <<: [*x, *y] }",
            r#"{"x":{"a":1},"y":{"a":2,"b":2},"z":{"a":1,"b":2}}"#,
        ),
        ("\"<<\": 1", r#"{"<<":1}"#),
        ("---\na: 1\n...\n", r#"{"a":1}"#),
    ] {
        assert_eq!(read(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn faults_name_their_place() {
    let number = |text: &str| {
        format!(
            "1:2 `{text}` is a number that JSON cannot write; quote it to make it a text, or write it in plain decimals"
        )
    };
    let mut cases: Vec<(String, String)> = [
        "+5", ".5", "5.", "007", "0x1F", "0o17", "-.5e3", ".inf", "-.Inf", ".nan",
    ]
    .iter()
    .map(|text| (format!("[{text}]"), number(text)))
    .collect();
    for (text, expected) in [
        ("", "1:1 the file is empty"),
        (
            "a: 1\nb: 1e999",
            "2:4 the number 1e999 is beyond the range of a double; write it as a text, or smaller",
        ),
        (
            "a: 1\nb:\n  c: 1\n  c: 2",
            "4:3 `c` is written twice in one object",
        ),
        ("a: 1\n---\nb: 2", "2:1 a second document; a file holds one"),
        ("a: !x 1", "1:7 the tag `!x` is not supported"),
        ("? [a]\n: b", "1:3 a member name must be a plain value"),
        (
            "a: &x [*x]",
            "1:8 an alias inside the value that it stands for",
        ),
        (
            "a: { <<: 1 }",
            "1:6 `<<` takes an object or a list of objects",
        ),
    ] {
        cases.push((text.to_owned(), expected.to_owned()));
    }
    for (text, expected) in cases {
        assert_eq!(read(&text), Err(vec![expected]), "{text}");
    }
}

#[test]
fn syntax_errors_name_their_line() {
    for (text, line) in [
        ("a: 1\nb: [1", 2),
        ("a: \"x", 1),
        ("a: 1\n b: 2", 2),
        ("a: *nobody", 1),
    ] {
        let faults = read(text).unwrap_err();
        assert!(
            faults[0].starts_with(&format!("{line}:")),
            "{text}: {faults:?}"
        );
    }
}

#[test]
fn aliases_are_bounded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    let faults = read(&text).unwrap_err();
    assert!(faults[0].contains("200000 values"), "{faults:?}");
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    assert!(read(&deep).is_err());
    let blocks: String = (0..300).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(read(&blocks).is_err());
    let chain: String = (1..300)
        .map(|i| format!("a{i}: &a{i} [*a{}]\n", i - 1))
        .collect();
    assert!(read(&format!("a0: &a0 1\n{chain}")).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "[\\[\\]{}:,\"'a0-9.eE+\\-~&*!|>%#?<\\n \\\\]{0,40}") {
        let _ = read(&text);
    }
}
