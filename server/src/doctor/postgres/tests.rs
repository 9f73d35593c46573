use super::*;
use crate::doctor::State;
use crate::doctor::testing::{expect, settings};

fn facts() -> PostgresFacts {
    PostgresFacts {
        connected_in: Duration::from_millis(4),
        round_trips: vec![Duration::from_micros(300); 5],
        sessions_change: false,
        version: 17,
        max_connections: 97,
        in_use: 3,
        clock_ahead_us: 0,
        clock_error_us: 100,
        is_read_only: false,
        schema: SchemaFacts::default(),
    }
}

#[test]
fn a_healthy_server() {
    for finding in judge(&facts(), &settings(&[]), 2) {
        expect(&finding, State::Ok, &[]);
    }
}

#[test]
fn a_standby() {
    let standby = PostgresFacts {
        is_read_only: true,
        ..facts()
    };
    expect(
        &reached(&standby),
        State::Fail,
        &["refuses to write", "primary"],
    );
}

#[test]
fn why_there_is_no_connection() {
    let cases = [
        (
            "error connecting to server: Connection refused (os error 111)",
            "start Postgres",
        ),
        (
            "db error: FATAL: password authentication failed for user \"b\"",
            "password",
        ),
        (
            "db error: FATAL: database \"x\" does not exist",
            "CREATE DATABASE",
        ),
        (
            "db error: FATAL: no pg_hba.conf entry for host",
            "pg_hba.conf",
        ),
        ("failed to lookup address information", "host name"),
        ("no answer in time", "firewalls"),
        (
            "db error: FATAL: sorry, too many clients already",
            "max_connections",
        ),
        ("something else", "BURGEE_DATABASE_URL"),
    ];
    for (cause, word) in cases {
        let finding = unreachable(cause, "postgres://b@db/burgee");
        expect(&finding, State::Fail, &[cause, word, "db/burgee"]);
    }
}

#[test]
fn versions() {
    for (major, state) in [
        (12, State::Fail),
        (13, State::Ok),
        (17, State::Ok),
        (18, State::Warn),
    ] {
        expect(&version(major), state, &[&major.to_string()]);
    }
}

#[test]
fn latencies() {
    let timeout = Duration::from_millis(100);
    let trips = |millis: &[u64]| -> Vec<Duration> {
        millis.iter().map(|it| Duration::from_millis(*it)).collect()
    };
    // One that was slow says nothing.
    expect(
        &latency(&trips(&[1, 1, 90]), timeout),
        State::Ok,
        &["1.00 ms"],
    );
    expect(
        &latency(&trips(&[12, 20, 11]), timeout),
        State::Warn,
        &["12.00 ms", "nearer"],
    );
    expect(
        &latency(&trips(&[60, 60, 60]), timeout),
        State::Fail,
        &["60.00 ms", "now 100"],
    );
}

#[test]
fn clocks() {
    let second = 1_000_000;
    expect(&clock(0, 10), State::Ok, &[]);
    expect(&clock(3 * second, 2 * second), State::Ok, &[]);
    expect(
        &clock(-5 * second, 0),
        State::Warn,
        &["5.000 s behind", "NTP"],
    );
    expect(
        &clock(3_600 * second, second),
        State::Fail,
        &["3599.000 s ahead"],
    );
}

#[test]
fn schemas() {
    let of = |pending: &[&str], unknown: &[&str]| SchemaFacts {
        pending: pending.iter().map(|it| (*it).to_owned()).collect(),
        unknown: unknown.iter().map(|it| (*it).to_owned()).collect(),
    };
    expect(&migrations(&of(&[], &[]), true), State::Ok, &[]);
    expect(
        &migrations(&of(&["2_b"], &[]), true),
        State::Warn,
        &["1 pending", "2_b"],
    );
    expect(
        &migrations(&of(&["2_b"], &[]), false),
        State::Fail,
        &["burgee migrate"],
    );
    expect(
        &migrations(&of(&[], &["9"]), true),
        State::Warn,
        &["newer", "9"],
    );
}

#[test]
fn connection_budgets() {
    let judge = |most, in_use, replicas| {
        let facts = PostgresFacts {
            max_connections: most,
            in_use,
            ..facts()
        };
        connections(&facts, &settings(&["--pool-size=10"]), replicas)
    };
    expect(&judge(97, 5, 3), State::Ok, &["3 x 20 wanted", "92 free"]);
    // Three fit, but not four for the time of a restart.
    expect(
        &judge(70, 0, 3),
        State::Warn,
        &["3 x 20", "rolling restart"],
    );
    expect(&judge(97, 90, 1), State::Warn, &["7 free"]);
    expect(
        &judge(36, 0, 2),
        State::Fail,
        &["2 x 20", "max_connections to 75", "BURGEE_POOL_SIZE) to 8"],
    );
}

#[test]
fn channels() {
    let poll = Duration::from_secs(5);
    let soon = Some(Duration::from_millis(2));
    expect(&notifications(false, soon, poll), State::Ok, &["2 ms"]);
    expect(
        &notifications(false, None, poll),
        State::Warn,
        &["does not arrive", "each 5 s"],
    );
    expect(
        &notifications(true, soon, poll),
        State::Warn,
        &["pools transactions"],
    );
}
