//! Reading and checking, from text to problems.

use super::*;

fn options(file: &str) -> ApplyOptions {
    ApplyOptions {
        file: file.to_owned(),
        prune: false,
        lenient: false,
        dry_run: false,
        now: "2026-03-18T12:00:00Z".parse().unwrap(),
    }
}

/// The lines of the problems of a YAML text.
fn problems(text: &str) -> Vec<String> {
    match check(text, &options("f.yaml")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.lines().collect(),
    }
}

#[test]
fn example_of_the_specification() {
    let text = r#"
projects:
  - id: 1
    name: Demo
    token: phc_local_dev
    secret_tokens: [phs_local_dev]
    personal_keys:
      - { label: dev, key: phx_local_dev, scopes: ["*"] }
    group_types: [organization, company]
    flags:
      - key: new-checkout
        name: New checkout
        active: true
        ensure_experience_continuity: false
        filters:
          groups:
            - properties: [{ key: plan, type: person, operator: exact, value: enterprise }]
              rollout_percentage: 50
    cohorts:
      - id: 7
        name: Beta users
        is_static: true
      - id: 8
        name: Acme staff
        filters: { properties: { type: AND, values: [ { type: AND, values: [ { key: email, type: person, operator: icontains, value: "@acme.com" } ] } ] } }
    persons:
      - distinct_ids: [user-1, anon-1]
        properties: { email: ada@acme.com, plan: enterprise }
        static_cohorts: [7]
        hash_key_overrides: { new-checkout: anon-1 }
    groups:
      - { type: organization, key: acme, properties: { seats: 40 } }
"#;
    assert_eq!(problems(text), Vec::<String>::new());
}
