use super::{Activity, Members, Told, object};

fn members(pairs: &[(&'static str, &str)]) -> Members {
    pairs
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

#[test]
fn only_what_changed_is_told() {
    let cases: [(&[_], &[_], Activity, &str, &str); 4] = [
        (
            &[],
            &[("key", "\"a\""), ("deleted", "false")],
            Activity::Created,
            "{}",
            r#"{"deleted":false,"key":"a"}"#,
        ),
        (
            &[("key", "\"a\""), ("active", "true")],
            &[("key", "\"a\""), ("active", "false")],
            Activity::Updated,
            r#"{"active":true}"#,
            r#"{"active":false}"#,
        ),
        (
            &[("deleted", "false")],
            &[("deleted", "true")],
            Activity::Deleted,
            r#"{"deleted":false}"#,
            r#"{"deleted":true}"#,
        ),
        (
            &[("deleted", "true")],
            &[("deleted", "false")],
            Activity::Updated,
            r#"{"deleted":true}"#,
            r#"{"deleted":false}"#,
        ),
    ];
    for (old, new, activity, told_old, told_new) in cases {
        let told = Told::between(7, members(old), members(new));
        assert_eq!(told.activity, activity);
        assert_eq!(object(&told.old), told_old);
        assert_eq!(object(&told.new), told_new);
    }
}

#[test]
fn two_changes_in_one_transaction_are_told_as_one() {
    let mut told = Told::between(
        1,
        members(&[("a", "1"), ("b", "1")]),
        members(&[("a", "2"), ("b", "1")]),
    );
    told.followed_by(Told::between(
        1,
        members(&[("a", "2"), ("b", "1")]),
        members(&[("a", "3"), ("b", "2")]),
    ));
    assert_eq!(object(&told.old), r#"{"a":1,"b":1}"#);
    assert_eq!(object(&told.new), r#"{"a":3,"b":2}"#);
}
