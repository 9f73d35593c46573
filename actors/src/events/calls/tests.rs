use super::{CallCounter, CountCalls, FlushCalls};
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::system::ProjectSnapshot;
use crate::tests::{flag, store};
use actix::Actor;
use burgee_evaluation::definition::GroupTypes;
use burgee_evaluation::{CohortSet, Definitions, MatchingVersion, ProjectId};
use burgee_schema::models::ProjectRow;
use chrono_tz::Tz;
use prometheus_client::registry::Registry;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::oneshot;

fn project() -> ProjectSnapshot {
    let mut beta = flag(1, "beta");
    let filters = r#"{"groups":[{}],"multivariate":{"variants":[
        {"key":"control","rollout_percentage":50},{"key":"é\"","rollout_percentage":50}]}}"#;
    beta.filters = RawValue::from_string(filters.to_owned()).unwrap();
    let (definitions, dropped) = Definitions::compile(vec![beta], Ok(GroupTypes::default()));
    assert!(dropped.is_empty(), "{dropped:?}");
    ProjectSnapshot {
        id: ProjectId(1),
        token: "phc_test".into(),
        revision: "1.1".parse().unwrap(),
        definitions: Arc::new(definitions),
        cohorts: Arc::new(CohortSet::default()),
        zone: Tz::UTC,
        matching: MatchingVersion::default(),
        load: Arc::default(),
        static_members: crate::static_members::StaticMembers::default(),
        local_definitions: crate::local_definitions::LocalDefinitions::none(),
    }
}

/// Flag and value; what is counted.
#[test]
fn only_what_a_flag_can_be_is_counted_under_its_name() {
    let project = project();
    for (flag, value, expected) in [
        ("beta", r#""control""#, Some(r#""control""#)),
        ("beta", r#""é\"""#, Some(r#""é\"""#)),
        ("beta", "true", Some("true")),
        ("beta", "false", Some("false")),
        ("beta", "null", Some("null")),
        ("beta", r#""other""#, Some(r#""$other""#)),
        ("beta", "7", Some(r#""$other""#)),
        ("beta", r#"{"a":1}"#, Some(r#""$other""#)),
        ("gamma", "true", None),
    ] {
        let counted = CountCalls::call(&project, flag.to_owned(), value);
        let expected = expected.map(|value| (flag.to_owned(), value.to_owned()));
        assert_eq!(counted, expected, "{flag} {value}");
    }
}

#[actix::test]
async fn counts_are_added_up_in_the_database() {
    let (store, _directory) = store().await;
    let mut write = store.begin_write().await.unwrap();
    let row = ProjectRow {
        id: 1,
        name: "test".into(),
        token: "token".into(),
        timezone: None,
        property_matching_version: None,
    };
    write.put_project(&row).await.unwrap();
    write.commit().await.unwrap();
    let metrics = Arc::new(Metrics::register(&mut Registry::default(), store.clone()));
    let actor = CallCounter::new(store.clone(), 64, Arc::clone(&metrics.events));
    let counter = Mailbox::new(actor.start(), metrics.mailbox("call_counter", 0, 64));
    counter.ready().await;

    let mut last = 0;
    for round in 1..=2 {
        for (flag, value) in [
            ("beta", "true"),
            ("beta", "true"),
            ("beta", "null"),
            ("a", "true"),
        ] {
            let message = CountCalls {
                project: ProjectId(1),
                calls: vec![(flag.to_owned(), value.to_owned())],
            };
            counter.post(message).unwrap();
        }
        // Calls of a project that is gone spoil nothing.
        let message = CountCalls {
            project: ProjectId(99),
            calls: vec![("x".to_owned(), "true".to_owned())],
        };
        counter.post(message).unwrap();
        let (done, first) = oneshot::channel();
        counter.post(FlushCalls { done }).unwrap();
        // Counted while that flush is under way, or before it: written in any case when the second is over.
        let message = CountCalls {
            project: ProjectId(1),
            calls: vec![("late".to_owned(), "true".to_owned())],
        };
        counter.post(message).unwrap();
        let (done, second) = oneshot::channel();
        counter.post_last(FlushCalls { done });
        assert!(first.await.is_err() && second.await.is_err());

        let calls = store.flag_calls(1).await.unwrap();
        let found: Vec<(&str, &str, i64)> = calls
            .iter()
            .map(|row| (row.flag_key.as_str(), row.value.as_str(), row.calls))
            .collect();
        let expected = [
            ("a", "true", round),
            ("beta", "null", round),
            ("beta", "true", 2 * round),
            ("late", "true", round),
        ];
        assert_eq!(found, expected);
        assert!(calls[0].last_called_at > last);
        last = calls[0].last_called_at;
        assert_eq!(store.flag_calls(99).await.unwrap(), []);
    }
}
