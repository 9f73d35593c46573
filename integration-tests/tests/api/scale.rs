//! Many flags, long chains, deep nesting, circles (evaluation.md, sections 6.5 and 7): no recursion trouble, no surprises.

use burgee_integration_tests::{FlagBuilder, Kind, ProjectBuilder, TestServer, burgee, filter};
use serde_json::{Value, json};

on_both_databases!(
    a_thousand_flags,
    a_chain_of_a_thousand_flags,
    a_cohort_nested_64_deep,
    a_long_line_of_cohorts,
    circles,
);

fn ask(id: &str) -> Value {
    json!({"token": "phc_local_dev", "distinct_id": id})
}

fn with_properties(id: &str, properties: Value) -> Value {
    json!({"token": "phc_local_dev", "distinct_id": id, "person_properties": properties})
}

fn a_thousand_flags(kind: Kind) {
    let mut project = ProjectBuilder::new();
    for n in 0..1_000 {
        project = project.flag(
            FlagBuilder::new(&format!("flag-{n}"))
                .id(n + 1)
                .when(filter::person("n", "lt", n + 1)),
        );
    }
    let server = TestServer::on(kind).project(&project.file()).start();
    let answer = server.flags(2, &with_properties("u", json!({"n": 250})));
    assert_eq!(answer["errorsWhileComputingFlags"], false);
    let flags = answer["flags"].as_object().unwrap();
    assert_eq!(flags.len(), 1_000);
    for n in 0..1_000 {
        assert_eq!(flags[&format!("flag-{n}")]["enabled"], n >= 250, "flag-{n}");
    }
}

fn a_chain_of_a_thousand_flags(kind: Kind) {
    let mut project = ProjectBuilder::new().flag(
        FlagBuilder::new("link-0")
            .id(1)
            .when(filter::person("start", "exact", true)),
    );
    for n in 1..1_000 {
        project = project.flag(
            FlagBuilder::new(&format!("link-{n}"))
                .id(n + 1)
                .when(filter::flag(n, true)),
        );
    }
    let server = TestServer::on(kind).project(&project.file()).start();
    for start in [true, false] {
        let answer = server.flags(1, &with_properties("u", json!({"start": start})));
        let values = answer["featureFlags"].as_object().unwrap();
        assert_eq!(values.len(), 1_000);
        assert!(
            values.values().all(|value| value == start),
            "start = {start}"
        );
    }
    let mut last = with_properties("u", json!({"start": true}));
    last["flag_keys"] = json!(["link-999"]);
    assert_eq!(
        server.flags(1, &last)["featureFlags"]
            .as_object()
            .unwrap()
            .len(),
        1_000
    );
}

fn a_cohort_nested_64_deep(kind: Kind) {
    let mut tree = json!({"type": "AND", "values": [filter::person("plan", "exact", "pro")]});
    for depth in 1..64 {
        let word = if depth % 2 == 0 { "AND" } else { "OR" };
        tree = json!({"type": word, "values": [tree]});
    }
    let file = ProjectBuilder::new()
        .cohort(json!({"id": 1, "name": "Deep", "filters": {"properties": tree}}))
        .flag(FlagBuilder::new("deep").when(filter::cohort(1)))
        .file();
    let server = TestServer::on(kind).project(&file).start();
    for (plan, expected) in [("pro", true), ("free", false)] {
        let answer = server.flags(1, &with_properties("u", json!({"plan": plan})));
        assert_eq!(answer["featureFlags"]["deep"], expected, "{plan}");
    }
}

fn refers_to(id: i32) -> Value {
    json!({"properties": {"type": "AND", "values": [filter::cohort(id)]}})
}

fn a_long_line_of_cohorts(kind: Kind) {
    let plan =
        json!({"properties": {"type": "AND", "values": [filter::person("plan", "exact", "pro")]}});
    let mut project = ProjectBuilder::new()
        .cohort(json!({"id": 1, "name": "Cohort 1", "filters": plan}))
        .flag(FlagBuilder::new("last").when(filter::cohort(500)));
    for id in 2..=500 {
        project = project.cohort(
            json!({"id": id, "name": format!("Cohort {id}"), "filters": refers_to(id - 1)}),
        );
    }
    let server = TestServer::on(kind).project(&project.file()).start();
    for (plan, expected) in [("pro", true), ("free", false)] {
        let answer = server.flags(1, &with_properties("u", json!({"plan": plan})));
        assert_eq!(answer["featureFlags"]["last"], expected, "{plan}");
    }
}

fn circular_project() -> Value {
    ProjectBuilder::new()
        .flag(FlagBuilder::new("a").id(1).when(filter::flag(2, true)))
        .flag(FlagBuilder::new("b").id(2).when(filter::flag(1, true)))
        .flag(FlagBuilder::new("self").id(3).when(filter::flag(3, false)))
        .flag(
            FlagBuilder::new("behind")
                .id(4)
                .when(filter::flag(1, false)),
        )
        .flag(FlagBuilder::new("healthy").id(5))
        .flag(
            FlagBuilder::new("orphan")
                .id(6)
                .when(filter::flag(999, false)),
        )
        .flag(FlagBuilder::new("cohorts").id(7).when(filter::cohort(1)))
        .flag(
            FlagBuilder::new("early")
                .id(8)
                .condition(json!({}))
                .when(filter::cohort(1)),
        )
        .cohort(json!({"id": 1, "name": "One", "filters": refers_to(2)}))
        .cohort(json!({"id": 2, "name": "Two", "filters": refers_to(1)}))
        .file()
}

fn circles(kind: Kind) {
    let server = TestServer::on(kind)
        .arg("--lenient")
        .project(&circular_project())
        .start();
    let answer = server.flags(2, &ask("u"));
    assert_eq!(answer["errorsWhileComputingFlags"], true);
    let flags = answer["flags"].as_object().unwrap();
    let mut keys: Vec<&str> = flags.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["cohorts", "early", "healthy", "orphan"]);
    assert_eq!(flags["healthy"]["enabled"], true);
    assert_eq!(
        flags["early"]["enabled"], true,
        "its cohort is never reached"
    );
    assert_eq!(flags["orphan"]["reason"]["code"], "missing_dependency");
    assert_eq!(flags["orphan"].get("failed"), None);
    assert_eq!(flags["cohorts"]["failed"], true);
    assert_eq!(
        flags["cohorts"]["reason"],
        json!({"code": "dependency_cycle_cohort", "condition_index": null, "description": "Cohort dependency cycle detected"})
    );
    // The marker is the project's: also for those who ask for healthy flags only.
    let mut healthy = ask("u");
    healthy["flag_keys"] = json!(["healthy"]);
    let answer = server.flags(1, &healthy);
    assert_eq!(answer["errorsWhileComputingFlags"], true);
    assert_eq!(answer["featureFlags"], json!({"healthy": true}));
}

#[test]
fn circles_are_refused_unless_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("circles.json");
    std::fs::write(&path, circular_project().to_string()).unwrap();
    let checked = burgee(&["check", "-f", path.to_str().unwrap()]).expect_code(2);
    let told = checked.stdout + &checked.stderr;
    for word in ["1 → 2 → 1", "a → b → a", "self → self", "flags[5]"] {
        assert!(told.contains(word), "{word} in {told}");
    }
}
