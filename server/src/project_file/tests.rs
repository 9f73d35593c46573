//! Reading and checking: texts to problems.

use super::*;

pub(super) fn options(file: &str) -> ApplyOptions {
    ApplyOptions {
        file: file.to_owned(),
        prune: false,
        lenient: false,
        dry_run: false,
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
    }
}

/// The lines of all problems of a YAML text.
fn problems(text: &str) -> Vec<String> {
    match check(text, &options("f.yaml")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.lines().collect(),
    }
}

/// A file of one project with these further lines, which begin on line 4.
fn project(rest: &str) -> String {
    format!("projects:\n- id: 1\n  token: t\n{rest}")
}

fn expect(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "{text}");
}

#[test]
fn unknown_fields_name_the_nearest() {
    for (rest, expected) in [
        (
            "  flag: []",
            "f.yaml:4:3: projects[0]: unknown field `flag`, the nearest known field is `flags`",
        ),
        (
            "  flags: [{ key: a, filter: {}, filters: {}, active: true }]",
            "f.yaml:4:21: projects[0].flags[0]: unknown field `filter`, the nearest known field is `filters`",
        ),
        (
            "  cohorts: [{ name: a, isstatic: true }]",
            "f.yaml:4:24: projects[0].cohorts[0]: unknown field `isstatic`, the nearest known field is `is_static`",
        ),
        (
            "  persons: [{ distinct_id: a, distinct_ids: [a] }]",
            "f.yaml:4:15: projects[0].persons[0]: unknown field `distinct_id`, the nearest known field is `distinct_ids`",
        ),
        (
            "  group_types: [o]\n  groups: [{ typ: o, type: o, key: k }]",
            "f.yaml:5:14: projects[0].groups[0]: unknown field `typ`, the nearest known field is `type`",
        ),
        (
            "  personal_keys: [{ label: a, key: b, scope: [], scopes: ['*'] }]",
            "f.yaml:4:39: projects[0].personal_keys[0]: unknown field `scope`, the nearest known field is `scopes`",
        ),
    ] {
        expect(&project(rest), &[expected]);
    }
    expect(
        "project: []\nprojects: []",
        &["f.yaml:1:1: unknown field `project`, the nearest known field is `projects`"],
    );
}

#[test]
fn wrong_types_name_their_path() {
    for (rest, expected) in [
        (
            "  name: 5",
            "f.yaml:4:9: projects[0].name: expected a text, found the number 5",
        ),
        (
            "  flags: {}",
            "f.yaml:4:10: projects[0].flags: expected a list, found an object",
        ),
        (
            "  flags: [a]",
            "f.yaml:4:11: projects[0].flags[0]: expected an object, found a text",
        ),
        (
            "  flags: [{ key: a, filters: {}, active: 'true' }]",
            "f.yaml:4:42: projects[0].flags[0].active: expected true or false, found a text",
        ),
        (
            "  flags: [{ key: a, filters: {}, active: null }]",
            "f.yaml:4:42: projects[0].flags[0].active: expected true or false, found null",
        ),
        (
            "  flags: [{ key: a, active: true }]",
            "f.yaml:4:11: projects[0].flags[0]: `filters` is missing",
        ),
        (
            "  flags: [{ filters: {}, active: true }]",
            "f.yaml:4:11: projects[0].flags[0]: `key` is missing",
        ),
        (
            "  flags: [{ key: '', filters: {}, active: true }]",
            "f.yaml:4:18: projects[0].flags[0].key: must not be empty",
        ),
        (
            "  flags: [{ id: 0, key: a, filters: {}, active: true }]",
            "f.yaml:4:17: projects[0].flags[0].id: 0 is out of range for an id",
        ),
        (
            "  flags: [{ id: 3000000000, key: a, filters: {}, active: true }]",
            "f.yaml:4:17: projects[0].flags[0].id: 3000000000 is out of range for an id",
        ),
        (
            "  flags: [{ id: 1.0, key: a, filters: {}, active: true }]",
            "f.yaml:4:17: projects[0].flags[0].id: expected an integer, found the number 1.0",
        ),
        (
            "  flags: [{ key: a, filters: {}, active: true, evaluation_contexts: [1] }]",
            "f.yaml:4:70: projects[0].flags[0].evaluation_contexts[0]: expected a text, found the number 1",
        ),
        (
            "  flags: [{ key: a, filters: {}, active: true, evaluation_contexts: [], evaluation_tags: [] }]",
            "f.yaml:4:11: projects[0].flags[0]: `evaluation_contexts` and `evaluation_tags` are one field; write one of them",
        ),
        (
            "  flags: [{ key: a, filters: {}, active: true, version: new }]",
            "f.yaml:4:57: projects[0].flags[0].version: expected an integer, found a text",
        ),
        (
            "  cohorts: [{ is_static: true }]",
            "f.yaml:4:13: projects[0].cohorts[0]: a cohort needs an `id` or a `name`",
        ),
        (
            "  persons: [{}]",
            "f.yaml:4:13: projects[0].persons[0]: a person needs at least one distinct id",
        ),
        (
            "  persons: [{ distinct_ids: [a], properties: [] }]",
            "f.yaml:4:46: projects[0].persons[0].properties: expected an object, found a list",
        ),
        (
            "  persons: [{ distinct_ids: [a], created_at: yesterday }]",
            "f.yaml:4:46: projects[0].persons[0].created_at: `yesterday` is not a time such as 2026-03-18T12:00:00Z",
        ),
        (
            "  persons: [{ distinct_ids: [[]] , properties: {} }, { distinct_ids: [\"a\\0\"] }]",
            "f.yaml:4:30: projects[0].persons[0].distinct_ids[0]: expected a text, found a list",
        ),
        (
            "  timezone: Mars/Olympus",
            "f.yaml:4:13: projects[0].timezone: `Mars/Olympus` is not an IANA time zone",
        ),
        (
            "  property_matching_version: two",
            "f.yaml:4:30: projects[0].property_matching_version: expected an integer, found a text",
        ),
        (
            "  group_types: [a, b, c, d, e, f]",
            "f.yaml:4:33: projects[0].group_types.5: the group type index 5 is not one of 0 to 4",
        ),
        (
            "  group_types: { x: a }",
            "f.yaml:4:21: projects[0].group_types.x: the group type index x is not one of 0 to 4",
        ),
        (
            "  group_types: [a, a]",
            "f.yaml:4:20: projects[0].group_types.1: the group type `a` is named twice",
        ),
        (
            "  personal_keys: [{ label: a, key: b }]",
            "f.yaml:4:19: projects[0].personal_keys[0]: `scopes` is missing; `[\"*\"]` allows everything",
        ),
        (
            "  secret_tokens: ['']",
            "f.yaml:4:19: projects[0].secret_tokens[0]: must not be empty",
        ),
    ] {
        let found = problems(&project(rest));
        assert_eq!(
            found.first().map(String::as_str),
            Some(expected),
            "{rest}: {found:#?}"
        );
    }
    expect("- a", &["f.yaml:1:1: expected an object, found a list"]);
    expect("{}", &["f.yaml:1:1: `projects` is missing"]);
    expect(
        "projects: [{}]",
        &[
            "f.yaml:1:12: projects[0]: a project needs an `id` or a `token`",
            "f.yaml:1:12: projects[0]: no project with this id is stored, and a new one needs a `token`",
        ],
    );
}

#[test]
fn all_problems_are_told() {
    let text = project(
        "  nam: x\n  flags:\n  - { key: a, filters: { groups: [{ properties: [{ key: k, type: person, operator: is_maybe }] }] }, active: 1 }\n  persons: [{ distinct_ids: [a, a] }]",
    );
    expect(
        &text,
        &[
            "f.yaml:4:3: projects[0]: unknown field `nam`, the nearest known field is `name`",
            "f.yaml:6:84: projects[0].flags[0].filters.groups[0].properties[0].operator: unknown operator \"is_maybe\"",
            "f.yaml:6:110: projects[0].flags[0].active: expected true or false, found the number 1",
            "f.yaml:7:33: projects[0].persons[0].distinct_ids[1]: `a` is already an id of persons[0]",
        ],
    );
}

#[test]
fn references_inside_the_file() {
    for (rest, expected) in [
        (
            "  flags:\n  - { key: a, filters: {}, active: true }\n  - { key: a, filters: {}, active: true }",
            "f.yaml:6:12: projects[0].flags[1]: the key `a` is used twice",
        ),
        (
            "  flags:\n  - { id: 1, key: a, filters: {}, active: true }\n  - { id: 1, key: b, filters: {}, active: true }",
            "f.yaml:6:5: projects[0].flags[1]: the id 1 is used twice",
        ),
        (
            "  cohorts: [{ id: 1 }, { id: 1 }]",
            "f.yaml:4:24: projects[0].cohorts[1]: the id 1 is used twice",
        ),
        (
            "  cohorts: [{ name: a }, { name: a }]",
            "f.yaml:4:34: projects[0].cohorts[1]: the name `a` is used twice without an id",
        ),
        (
            "  persons: [{ distinct_ids: [a] }, { distinct_ids: [b, a] }]",
            "f.yaml:4:56: projects[0].persons[1].distinct_ids[1]: `a` is already an id of persons[0]",
        ),
        (
            "  persons: [{ distinct_ids: [a], static_cohorts: [3] }]",
            "f.yaml:4:51: projects[0].persons[0].static_cohorts[0]: the project has no cohort 3",
        ),
        (
            "  groups: [{ type: o, key: a }]",
            "f.yaml:4:20: projects[0].groups[0]: the project has no group type `o`",
        ),
        (
            "  group_types: [o]\n  groups: [{ type: o, key: a }, { type: o, key: a }]",
            "f.yaml:5:33: projects[0].groups[1]: the group `a` is written twice",
        ),
        (
            "- id: 1\n  token: u",
            "f.yaml:4:3: projects[1]: the same project as projects[0]",
        ),
        (
            "- id: 2\n  token: t",
            "f.yaml:4:3: projects[1]: the same token as projects[0]",
        ),
        (
            "  secret_tokens: [phx_a]",
            "f.yaml:4:19: projects[0].secret_tokens[0]: a secret token must begin with `phs_`, or be a fingerprint",
        ),
        (
            "  secret_tokens: [phs_a, phs_a]",
            "f.yaml:4:26: projects[0].secret_tokens[1]: the same secret as projects[0].secret_tokens[0]",
        ),
        (
            "  personal_keys: [{ label: l, key: phs_a, scopes: ['*'] }]",
            "f.yaml:4:36: projects[0].personal_keys[0]: a personal key must not begin with `phs_`",
        ),
        (
            "  personal_keys: [{ label: l, key: a, scopes: ['*'] }, { label: l, key: b, scopes: ['*'] }]",
            "f.yaml:4:65: projects[0].personal_keys[1].label: the label `l` is used twice",
        ),
        (
            "  personal_keys: [{ label: l, key: a, scopes: [all] }]",
            "f.yaml:4:48: projects[0].personal_keys[0].scopes: `all` is not a scope; write `*`, `feature_flag:read`, `feature_flag:write`, `cohort:read` …",
        ),
    ] {
        expect(&project(rest), &[expected]);
    }
}

#[test]
fn definitions_follow_the_rules_of_evaluation() {
    let flag = |filters: &str| {
        project(&format!(
            "  flags:\n  - id: 5\n    key: a\n    active: true\n    filters: {filters}"
        ))
    };
    for (filters, expected) in [
        (
            "text",
            "f.yaml:8:14: projects[0].flags[0].filters: expected an object",
        ),
        (
            "{ groups: [{ rollout_percentage: '50' }] }",
            "f.yaml:8:47: projects[0].flags[0].filters.groups[0].rollout_percentage: expected a number, found",
        ),
        (
            "{ groups: [{ properties: [{ key: a, operator: exact }] }] }",
            "f.yaml:8:40: projects[0].flags[0].filters.groups[0].properties[0].type: missing",
        ),
        (
            "{ groups: [{ properties: [{ key: a, type: person, operator: regex, value: '[' }] }] }",
            "f.yaml:8:40: projects[0].flags[0].filters.groups[0].properties[0]: ",
        ),
        (
            "{ multivariate: { variants: [{ key: a, rollout_percentage: 60 }, { key: b, rollout_percentage: 50 }] } }",
            "f.yaml:8:42: projects[0].flags[0].filters.multivariate.variants: the shares add up to 110",
        ),
        (
            "{ groups: [{ properties: [{ key: '5', type: flag, operator: flag_evaluates_to, value: true }] }] }",
            "f.yaml:8:14: projects[0].flags[0].filters: depends on itself",
        ),
        (
            "{ groups: [{ properties: [{ key: '9', type: flag, operator: flag_evaluates_to, value: true }] }] }",
            "f.yaml:8:47: projects[0].flags[0].filters.groups[0].properties[0].key: there is no flag",
        ),
        (
            "{ groups: [{ properties: [{ key: id, type: cohort, value: 3 }] }] }",
            "f.yaml:8:72: projects[0].flags[0].filters.groups[0].properties[0].value: there is no cohort 3",
        ),
    ] {
        let found = problems(&flag(filters));
        assert_eq!(found.len(), 1, "{filters}: {found:#?}");
        assert!(found[0].starts_with(expected), "{filters}: {found:#?}");
    }
    let text = project(
        "  cohorts: [{ id: 1, filters: { properties: { type: AND, values: [{ key: id, type: cohort, value: 1 }] } } }]",
    );
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("f.yaml:4:31: projects[0].cohorts[0].filters: refers to itself"),
        "{found:#?}"
    );
}

#[test]
fn editors_fields_inside_filters_are_fine() {
    let text = project(
        "  flags: [{ key: a, active: true, filters: { note: x, groups: [{ description: y, sort_key: z, users_affected: 1 }] } }]",
    );
    expect(&text, &[]);
}

#[test]
fn a_cohort_may_be_64_levels_deep() {
    let tree = format!(
        "{}{{ \"key\": \"a\", \"type\": \"person\", \"value\": 1 }}{}",
        "{ \"type\": \"AND\", \"values\": [".repeat(64),
        "] }".repeat(64)
    );
    let text = project(&format!(
        "  cohorts: [{{ id: 1, filters: {{ properties: {tree} }} }}]"
    ));
    expect(&text, &[]);
}

#[test]
fn lenient_turns_wrong_definitions_into_warnings() {
    let text = project(
        "  flags: [{ key: a, active: true, filters: { groups: [{ rollout_percentage: '50' }] } }]",
    );
    let lenient = ApplyOptions {
        lenient: true,
        ..options("f.yaml")
    };
    let report = check(&text, &lenient).unwrap();
    assert_eq!(report.warnings.len(), 1, "{report:?}");
    assert_eq!(report.totals().created, 2);
    // What has no place in the database stays a problem.
    let text = project("  flags: [{ key: a, active: 'true', filters: {} }]");
    assert!(check(&text, &lenient).is_err());
}

#[test]
fn warnings_do_not_refuse() {
    for (flag, expected) in [
        (
            "key: a, filters: {}",
            "projects[0].flags[0]: the flag `a` has no `active`, which means false",
        ),
        (
            "key: a, active: true, filters: {}, evaluation_runtime: servers",
            "projects[0].flags[0].evaluation_runtime: `servers` has no effect; known are server, client, all",
        ),
        (
            "key: a, active: true, filters: { super_groups: [{}] }",
            "projects[0].flags[0].filters.super_groups: `super_groups` is not evaluated any more; write `feature_enrollment` instead",
        ),
        (
            "key: a, active: true, filters: { holdout_groups: [{}] }",
            "projects[0].flags[0].filters.holdout_groups: `holdout_groups` is not evaluated any more; write `holdout` instead",
        ),
    ] {
        let report = check(
            &project(&format!("  flags: [{{ {flag} }}]")),
            &options("f.yaml"),
        )
        .unwrap();
        let warnings: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [expected], "{flag}");
    }
}

#[test]
fn json_is_told_by_its_name_or_its_beginning() {
    for (file, text, json) in [
        ("a.json", "projects: []", true),
        ("a.yaml", "{}", false),
        ("a.yml", "{}", false),
        ("-", " \n{}", true),
        ("-", "projects: []", false),
    ] {
        assert_eq!(is_json(file, text), json, "{file} {text}");
    }
    let text = "{\"projects\": [\n {\"token\": \"t\", \"flag\": []}]}";
    let problems = check(text, &options("f.json")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "f.json:2:17: projects[0]: unknown field `flag`, the nearest known field is `flags`"
    );
}
