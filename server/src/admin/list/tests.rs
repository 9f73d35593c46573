use super::*;
use crate::admin::project::AuthorResponse;
use burgee_schema::models::{FlagDetails, FlagRow};
use serde_json::json;

fn record(id: i32, key: &str, change: impl FnOnce(&mut FlagRecord)) -> FlagRecord {
    let mut record = FlagRecord {
        flag: FlagRow {
            id,
            project_id: 1,
            key: key.to_owned(),
            name: Some(String::new()),
            filters: json!({"groups": [{}]}).to_string(),
            active: true,
            archived: false,
            deleted: false,
            ensure_experience_continuity: false,
            version: 1,
            evaluation_runtime: None,
            evaluation_contexts: None,
            bucketing_identifier: None,
            has_experiment: false,
            is_remote_configuration: false,
        },
        details: FlagDetails {
            created_at_microseconds: Some(i64::from(id)),
            ..FlagDetails::default()
        },
    };
    change(&mut record);
    record
}

fn flags() -> Vec<FlagRecord> {
    vec![
        record(1, "beta", |it| {
            it.flag.name = Some("A Checkout".to_owned());
            it.details.tags = Some(r#"["web","new"]"#.to_owned());
            it.details.created_by = Some("ada".to_owned());
        }),
        record(2, "alpha", |it| {
            it.flag.active = false;
            it.flag.evaluation_runtime = Some("server".to_owned());
            it.flag.filters = json!({"multivariate": {"variants": [{"key": "a"}]}}).to_string();
        }),
        record(3, "checkout-v2", |it| {
            it.flag.is_remote_configuration = true
        }),
        record(4, "test", |it| it.flag.has_experiment = true),
    ]
}

fn ids(query: &[(&str, &str)]) -> Vec<i32> {
    let query = FlagListQuery::read(|name| {
        let found = query.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned().into())
    });
    query.select(flags()).iter().map(|it| it.flag.id).collect()
}

#[test]
fn lists_show_what_is_asked_for() {
    let ada = AuthorResponse::new("ada").id.to_string();
    type Asked<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Asked<'_>, &[i32]); 19] = [
        (&[], &[1, 2, 3, 4]),
        (&[("search", "CHECKOUT")], &[1, 3]),
        (&[("search", "nothing")], &[]),
        (&[("search", "")], &[1, 2, 3, 4]),
        (&[("active", "true")], &[1, 3, 4]),
        (&[("active", "false")], &[2]),
        (&[("active", "STALE")], &[1, 2, 3, 4]),
        (&[("type", "boolean")], &[1, 4]),
        (&[("type", "multivariant")], &[2]),
        (&[("type", "experiment")], &[4]),
        (&[("type", "remote_config")], &[3]),
        (&[("tags", r#"["web"]"#)], &[1]),
        (&[("tags", "old, new")], &[1]),
        (&[("tags", "old")], &[]),
        (&[("evaluation_runtime", "server")], &[2]),
        (&[("evaluation_runtime", "all")], &[1, 3, 4]),
        (&[("created_by_id", &ada)], &[1]),
        (&[("created_by_id", "0")], &[]),
        (
            &[("active", "true"), ("search", "e"), ("type", "boolean")],
            &[1, 4],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(query), expected, "{query:?}");
    }
}

#[test]
fn lists_have_orders() {
    for (order, expected) in [
        ("key", [2, 1, 3, 4]),
        ("-key", [4, 3, 1, 2]),
        ("-created_at", [4, 3, 2, 1]),
        ("active", [2, 1, 3, 4]),
        ("-id", [4, 3, 2, 1]),
        ("nonsense", [1, 2, 3, 4]),
    ] {
        assert_eq!(ids(&[("order", order)]), expected, "{order}");
        assert_eq!(ids(&[("ordering", order)]), expected, "{order}");
    }
}
