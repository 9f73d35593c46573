use super::{Decision, decide, is_forbidden};
use crate::events::metrics::Dropped;
use crate::events::{Event, PropertyMembers};
use burgee_schema::models::{GroupChange, Merge, PersonChange};

fn event(name: &str) -> Event {
    Event {
        name: name.to_owned(),
        distinct_id: "ada".to_owned(),
        has_profile: true,
        ..Event::default()
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    list.iter().map(owned).collect()
}

fn set(list: &[(&str, &str)]) -> PropertyMembers {
    PropertyMembers {
        set: Some(pairs(list)),
        ..PropertyMembers::default()
    }
}

fn person() -> PersonChange {
    PersonChange {
        distinct_id: "ada".to_owned(),
        ..PersonChange::default()
    }
}

#[track_caller]
fn changes(event: Event, person: PersonChange) {
    let expected = Decision::Write {
        person: Some(person),
        group: None,
    };
    assert_eq!(decide(event), expected);
}

#[track_caller]
fn drops(event: Event, why: Dropped) {
    assert_eq!(decide(event), Decision::Drop(why));
}

#[test]
fn most_events_change_nothing() {
    for name in [
        "$pageview",
        "signed up",
        "$$heatmap",
        "$exception",
        "$screen",
    ] {
        drops(event(name), Dropped::NotWanted);
    }
}

#[test]
fn events_about_persons_create_them() {
    for name in ["$identify", "$create_alias", "$merge_dangerously", "$set"] {
        changes(event(name), person());
    }
    // Any event does with one of the three members, an empty one included.
    for members in [
        set(&[]),
        PropertyMembers {
            set_once: Some(Vec::new()),
            ..PropertyMembers::default()
        },
        PropertyMembers {
            unset: Some(Vec::new()),
            ..PropertyMembers::default()
        },
    ] {
        let inside = Event {
            inside: members.clone(),
            ..event("e")
        };
        changes(inside, person());
        let beside = Event {
            beside: members,
            ..event("e")
        };
        changes(beside, person());
    }
}

#[test]
fn two_kinds_of_events_have_no_person_properties() {
    for name in ["$exception", "$$heatmap"] {
        let with_set = Event {
            inside: set(&[("a", "1")]),
            ..event(name)
        };
        drops(with_set, Dropped::NotWanted);
    }
}

#[test]
fn an_event_without_a_profile_changes_nothing_at_all() {
    for name in ["$set", "$identify", "$groupidentify", "e"] {
        let personless = Event {
            has_profile: false,
            inside: set(&[("a", "1")]),
            ..event(name)
        };
        drops(personless, Dropped::Personless);
    }
}

#[test]
fn inner_members_win() {
    let both = Event {
        beside: PropertyMembers {
            set: Some(pairs(&[("a", "1"), ("b", "1")])),
            set_once: Some(pairs(&[("c", "1"), ("d", "1")])),
            unset: Some(vec!["x".to_owned()]),
        },
        inside: PropertyMembers {
            set: Some(pairs(&[("a", "2")])),
            set_once: Some(pairs(&[("c", "2")])),
            unset: Some(vec!["y".to_owned()]),
        },
        ..event("e")
    };
    // The last `set` of a name counts, and the first `set_once`.
    let expected = PersonChange {
        set: pairs(&[("a", "1"), ("b", "1"), ("a", "2")]),
        set_once: pairs(&[("c", "2"), ("c", "1"), ("d", "1")]),
        unset: vec!["x".to_owned(), "y".to_owned()],
        ..person()
    };
    changes(both, expected);
}

/// The event, `$anon_distinct_id`, `alias`; what is merged, and whether by force.
#[test]
fn who_is_merged() {
    let long = "x".repeat(300);
    let cut = "x".repeat(200);
    for (name, anonymous, alias, expected) in [
        ("$identify", Some("anon"), None, Some(("anon", false))),
        ("$identify", None, Some("anon"), None),
        ("$create_alias", None, Some("anon"), Some(("anon", false))),
        ("$create_alias", Some("anon"), None, None),
        (
            "$merge_dangerously",
            None,
            Some("anon"),
            Some(("anon", true)),
        ),
        ("$set", Some("anon"), Some("anon"), None),
        ("$identify", Some("ada"), None, None),
        ("$identify", Some("guest"), None, None),
        ("$identify", Some(""), None, None),
        ("$identify", Some("a\0b"), None, None),
        (
            "$identify",
            Some(long.as_str()),
            None,
            Some((cut.as_str(), false)),
        ),
    ] {
        let merging = Event {
            anonymous_id: anonymous.map(str::to_owned),
            alias: alias.map(str::to_owned),
            ..event(name)
        };
        let merge = expected.map(|(other, is_forced)| Merge {
            other: other.to_owned(),
            is_forced,
        });
        changes(merging, PersonChange { merge, ..person() });
    }
    let of_nobody = Event {
        distinct_id: "GUEST".to_owned(),
        anonymous_id: Some("anon".to_owned()),
        ..event("$identify")
    };
    let nobody = PersonChange {
        distinct_id: "GUEST".to_owned(),
        ..person()
    };
    changes(of_nobody, nobody);
}

#[test]
fn forbidden_ids() {
    for id in [
        "anonymous",
        "Anonymous",
        "GUEST",
        "distinctid",
        "distinct_id",
        "id",
        "ID",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "FALSE",
        "[object Object]",
        "NaN",
        "None",
        "none",
        "null",
        "0",
        "",
        " ",
        "\t\n",
        "\"null\"",
        "'undefined'",
        "\"\"",
        "'0'",
        "\"Guest\"",
    ] {
        assert!(is_forbidden(id), "{id:?}");
    }
    for id in [
        "ada",
        "nan",
        "NULL",
        "NONE",
        "[object object]",
        "00",
        "'null",
        "null\"",
        "\"null'",
        "ids",
        "guest ",
        "''null''",
    ] {
        assert!(!is_forbidden(id), "{id:?}");
    }
}

#[test]
fn a_group_is_no_person() {
    let mut about = event("$groupidentify");
    about.group.group_type = Some("company".to_owned());
    about.group.key = Some("acme".to_owned());
    about.group.set = Some(pairs(&[("plan", "\"x\"")]));
    about.beside.set_once = Some(Vec::new());
    let group = Some(GroupChange {
        group_type: "company".to_owned(),
        key: "acme".to_owned(),
        set: pairs(&[("plan", "\"x\"")]),
    });
    let expected = Decision::Write {
        person: None,
        group: group.clone(),
    };
    assert_eq!(decide(about.clone()), expected);

    about.beside.set_once = Some(pairs(&[("a", "1")]));
    let person = Some(PersonChange {
        set_once: pairs(&[("a", "1")]),
        ..person()
    });
    assert_eq!(decide(about), Decision::Write { person, group });
}

#[test]
fn a_group_needs_a_type_and_a_key() {
    let long = "x".repeat(401);
    for (group_type, key) in [
        (None, Some("acme")),
        (Some("company"), None),
        (Some(""), Some("acme")),
        (Some("company"), Some("")),
        (Some("company"), Some("a\0")),
        (Some("company"), Some(long.as_str())),
        (Some(long.as_str()), Some("acme")),
    ] {
        let mut about = event("$groupidentify");
        about.group.group_type = group_type.map(str::to_owned);
        about.group.key = key.map(str::to_owned);
        drops(about, Dropped::Invalid);
    }
}

#[test]
fn a_call_of_a_flag_changes_no_person() {
    let mut call = event("$feature_flag_called");
    call.has_profile = false;
    call.inside = set(&[("a", "1")]);
    drops(call.clone(), Dropped::Invalid);
    call.flag = Some("beta".to_owned());
    let called = |value: &str| Decision::Called {
        flag: "beta".to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(decide(call.clone()), called("null"));
    call.flag_value = Some("\"control\"".to_owned());
    assert_eq!(decide(call), called("\"control\""));
}

#[test]
fn an_id_that_cannot_be_stored_is_refused() {
    let event = Event {
        distinct_id: "a\0".to_owned(),
        ..event("$set")
    };
    drops(event, Dropped::Invalid);
}
