//! Branches and their conditions: order, "off", shares.

use super::*;
use serde_json::json;

fn is(key: &str) -> Rule {
    Rule::is(key, "exact", text("1"))
}

fn variant(key: &str) -> Served {
    Served::Variant(key.to_owned())
}

fn split(shares: &[(&str, f64)]) -> Served {
    let own = |(key, weight): &(&str, f64)| ((*key).to_owned(), *weight);
    Served::Split(shares.iter().map(own).collect())
}

/// Returns the conditions as `keys rollout% variant`, and the variants as `key share`.
fn planned(variants: &[&str], branches: &[Branch]) -> (Vec<String>, Vec<String>) {
    let variants: Vec<String> = variants.iter().map(|v| (*v).to_owned()).collect();
    let members = filters("f", &variants, branches, &mut Conditions::new(9)).unwrap();
    let mut text = String::new();
    object(members).write_json(&mut text);
    let filters: serde_json::Value = serde_json::from_str(&text).unwrap();
    let none = json!([]);
    let condition = |group: &serde_json::Value| {
        let mut words: Vec<String> = (group["properties"].as_array().unwrap().iter())
            .map(|p| {
                format!(
                    "{}:{}",
                    p["operator"].as_str().unwrap(),
                    p["key"].as_str().unwrap()
                )
            })
            .collect();
        words.push(format!("{}%", group["rollout_percentage"]));
        words.extend(group["variant"].as_str().map(str::to_owned));
        words.join(" ")
    };
    let share = |v: &serde_json::Value| {
        format!("{} {}", v["key"].as_str().unwrap(), v["rollout_percentage"])
    };
    let shares = filters["multivariate"].get("variants").unwrap_or(&none);
    (
        filters["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(condition)
            .collect(),
        shares.as_array().unwrap().iter().map(share).collect(),
    )
}

#[test]
fn who_is_off_is_taken_out_of_what_comes_after() {
    let branches = [
        Branch {
            rule: is("a"),
            rollout: 25.0,
            served: Served::On,
        },
        Branch::all(is("a"), Served::Off),
        Branch::all(is("b"), Served::On),
        Branch::all(Rule::Always, Served::On),
        Branch::all(is("c"), Served::On),
    ];
    let (conditions, variants) = planned(&[], &branches);
    assert_eq!(
        conditions,
        ["exact:a 25%", "exact:b is_not:a 100%", "is_not:a 100%"]
    );
    assert_eq!(variants, [""; 0]);
}

#[test]
fn the_first_split_is_declared_and_another_adds_up_rollouts() {
    let branches = [
        Branch::all(is("a"), variant("z")),
        Branch {
            rule: is("b"),
            rollout: 40.0,
            served: split(&[("x", 1.0), ("y", 3.0)]),
        },
        Branch {
            rule: is("c"),
            rollout: 40.0,
            served: split(&[("x", 1.0), ("y", 0.0), ("z", 1.0)]),
        },
        Branch::all(Rule::Always, split(&[("x", 1.0), ("y", 3.0)])),
    ];
    let (conditions, variants) = planned(&["x", "y", "z"], &branches);
    assert_eq!(
        conditions,
        [
            "exact:a 100% z",
            "exact:b 40%",
            "exact:c 20% x",
            "exact:c 40% z",
            "100%"
        ]
    );
    assert_eq!(variants, ["x 25", "y 75", "z 0"]);
}

#[test]
fn who_is_on_without_a_variant_leaves_no_share_to_any() {
    let branches = [
        Branch::all(is("a"), split(&[("x", 1.0), ("y", 1.0)])),
        Branch::all(Rule::Always, Served::On),
    ];
    let (conditions, variants) = planned(&["x", "y"], &branches);
    assert_eq!(conditions, ["exact:a 50% x", "exact:a 100% y", "100%"]);
    assert_eq!(variants, ["x 0", "y 0"]);
}
