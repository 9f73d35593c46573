//! Members of static cohorts are held in memory, and nobody can tell from the answers.

use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::{
    Database, FlagBuilder, Kind, ProjectBuilder, TestServer, burgee, filter,
};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_databases!(
    answers_stay_the_same_when_members_are_held,
    a_change_of_another_process_reaches_what_is_held,
);

const PEOPLE: [&str; 3] = ["both", "one", "none"];

/// Cohorts 7 and 8 are static, 9 is whoever is in 8; flags `seven` and `nine`.
fn project(memberships: [&[i64]; 3]) -> Value {
    let tree = json!({"type": "AND", "values": [filter::cohort(8)]});
    let mut file = ProjectBuilder::new()
        .cohort(json!({"id": 7, "name": "Seven", "is_static": true}))
        .cohort(json!({"id": 8, "name": "Eight", "is_static": true}))
        .cohort(json!({"id": 9, "name": "Nine", "filters": {"properties": tree}}))
        .flag(FlagBuilder::new("seven").when(filter::cohort(7)))
        .flag(FlagBuilder::new("nine").when(filter::cohort(9)));
    for (id, cohorts) in PEOPLE.iter().zip(memberships) {
        file = file.push(
            "persons",
            json!({"distinct_ids": [id], "properties": {}, "static_cohorts": cohorts}),
        );
    }
    file.file()
}

fn answers(server: &TestServer) -> Vec<(bool, bool)> {
    let of = |id: &&str| {
        let answer = server.flags(1, &json!({"token": "phc_local_dev", "distinct_id": id}));
        let is_on = |flag: &str| answer["featureFlags"][flag].as_bool().unwrap();
        (is_on("seven"), is_on("nine"))
    };
    PEOPLE.iter().chain(&["stranger"]).map(of).collect()
}

fn metric(server: &TestServer, name: &str) -> u64 {
    let text = server.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split(' ').nth(1));
    value
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

/// Asks until memberships are answered from memory.
fn await_memory(server: &TestServer) {
    eventually("both cohorts in memory", || {
        answers(server);
        (metric(server, "burgee_cohort_cache_entries ") == 2).then_some(())
    });
}

fn answers_stay_the_same_when_members_are_held(kind: Kind) {
    let expected = [(true, true), (true, false), (false, false), (false, false)];
    let file = project([&[7, 8], &[7], &[]]);
    let server = TestServer::on(kind).project(&file).start();
    assert_eq!(answers(&server), expected);
    await_memory(&server);
    let misses = metric(&server, "burgee_cohort_cache_misses_total ");
    for _ in 0..3 {
        assert_eq!(answers(&server), expected);
    }
    assert_eq!(metric(&server, "burgee_cohort_cache_misses_total "), misses);
    assert!(metric(&server, "burgee_cohort_cache_hits_total ") >= 12);
    assert_eq!(
        metric(&server, "burgee_cohort_cache_members_loaded_total "),
        3
    );

    let without = TestServer::on(kind)
        .project(&file)
        .env("BURGEE_COHORT_CACHE_BYTES", "0")
        .start();
    for _ in 0..3 {
        assert_eq!(answers(&without), expected);
    }
    assert_eq!(metric(&without, "burgee_cohort_cache_hits_total "), 0);
}

fn a_change_of_another_process_reaches_what_is_held(kind: Kind) {
    let database = Arc::new(Database::new(kind));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    let apply = |memberships: [&[i64]; 3]| {
        std::fs::write(&path, project(memberships).to_string()).unwrap();
        let file = path.to_str().unwrap();
        let options = [
            "apply",
            "-f",
            file,
            "--prune",
            "--database-url",
            database.url(),
        ];
        burgee(&options).expect_code(0);
    };
    apply([&[7, 8], &[7], &[]]);
    // Postgres tells of the change; nothing else could bring it.
    let seconds = match kind {
        Kind::Postgres => "3600",
        Kind::Sqlite => "1",
    };
    let server = TestServer::with(&database)
        .env("BURGEE_POLL_INTERVAL_S", seconds)
        .start();
    await_memory(&server);
    type Memberships<'a> = [&'a [i64]; 3];
    let cases: [(Memberships<'_>, [(bool, bool); 3]); 3] = [
        (
            [&[8], &[], &[7]],
            [(false, true), (false, false), (true, false)],
        ),
        ([&[], &[], &[]], [(false, false); 3]),
        ([&[7, 8], &[7, 8], &[7, 8]], [(true, true); 3]),
    ];
    for (memberships, expected) in cases {
        apply(memberships);
        eventually("the memberships", || {
            (answers(&server)[..3] == expected).then_some(())
        });
    }
    assert_eq!(metric(&server, "burgee_cohort_cache_loads_total "), 2);
}
