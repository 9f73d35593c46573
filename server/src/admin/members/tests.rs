use super::*;

fn members(text: &str) -> Members {
    Members::parse(text).unwrap()
}

#[test]
fn a_body_is_an_object() {
    let deep = "[".repeat(100_000);
    for (text, start) in [
        ("", "JSON parse error - expected a value"),
        ("[]", "JSON parse error - expected an object"),
        ("3", "JSON parse error - expected an object"),
        ("{\"a\": }", "JSON parse error - expected a value"),
        (
            "{\"a\": 1, \"a\": 2}",
            "JSON parse error - `a` is written twice",
        ),
        ("{\"a\": 1e999}", "JSON parse error - the number 1e999"),
        ("{} {}", "JSON parse error - unexpected text"),
        (deep.as_str(), "JSON parse error - nested deeper"),
    ] {
        let error = Members::parse(text).unwrap_err();
        assert_eq!((error.attr.as_deref(), error.code), (None, "parse_error"));
        assert!(error.detail.starts_with(start), "{}", error.detail);
    }
}

#[test]
fn members_have_types() {
    let body = members(
        r#"{"t":"text","n":5,"f":5.5,"b":true,"z":null,"l":["a","b"],"m":["a",3],"o":{},"zero":"a\u0000"}"#,
    );
    assert_eq!(body.text("t", 9), Ok(Some("text".to_owned())));
    assert_eq!(body.text("absent", 9), Ok(None));
    assert_eq!(body.nullable_text("z", 9), Ok(Some(None)));
    assert_eq!(body.integer("n"), Ok(Some(5)));
    assert_eq!(body.integer("z"), Ok(None));
    assert_eq!(body.switch("b"), Ok(Some(true)));
    assert_eq!(
        body.texts("l", 9, 9),
        Ok(Some(vec!["a".to_owned(), "b".to_owned()]))
    );
    assert_eq!(body.texts("z", 9, 9), Ok(None));
    assert!(body.object("o").unwrap().is_some());
    let faults = [
        (body.text("t", 3).unwrap_err(), "t", "max_length"),
        (body.text("n", 9).unwrap_err(), "n", "invalid"),
        (body.text("z", 9).unwrap_err(), "z", "null"),
        (
            body.text("zero", 9).unwrap_err(),
            "zero",
            "null_characters_not_allowed",
        ),
        (body.integer("f").unwrap_err(), "f", "invalid"),
        (body.switch("z").unwrap_err(), "z", "null"),
        (body.switch("t").unwrap_err(), "t", "invalid"),
        (body.texts("l", 1, 9).unwrap_err(), "l", "max_length"),
        (body.texts("m", 9, 9).unwrap_err(), "m__1", "invalid"),
        (body.texts("t", 9, 9).unwrap_err(), "t", "not_a_list"),
        (body.object("l").unwrap_err(), "l", "not_a_dict"),
    ];
    for (fault, attr, code) in faults {
        assert_eq!((fault.attr.as_deref(), fault.code), (Some(attr), code));
    }
}
