use super::*;
use crate::routes::{AdminRoute, Route};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::OpenApiVersion;

fn written() -> Value {
    serde_json::to_value(describe("")).unwrap()
}

fn paths(document: &Value) -> &Map<String, Value> {
    document["paths"].as_object().unwrap()
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let of_path = |(path, item): (&String, _)| {
        let path = path.clone();
        let methods = Value::as_object(item).unwrap().iter();
        methods.map(move |(method, it)| (format!("{} {path}", method.to_uppercase()), it))
    };
    paths(document).iter().flat_map(of_path).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = written();
    let routes: BTreeSet<&str> = routes::described().map(Route::template).collect();
    let described: BTreeSet<&str> = paths(&document).keys().map(String::as_str).collect();
    assert_eq!(described, routes);
    let all = AdminRoute::ALL.into_iter().map(Route::Admin);
    for route in all.chain(Route::ALL) {
        let is_excepted = routes::UNDESCRIBED.iter().any(|(it, _)| *it == route);
        assert_ne!(
            described.contains(route.template()),
            is_excepted,
            "{}",
            route.template()
        );
    }
}

#[test]
fn the_methods_are_those_that_a_route_allows() {
    let document = written();
    for route in routes::described() {
        let allowed: BTreeSet<String> = route
            .methods()
            .split(", ")
            .filter(|method| !["HEAD", "OPTIONS"].contains(method))
            .map(str::to_lowercase)
            .collect();
        let item = document["paths"][route.template()].as_object().unwrap();
        let described: BTreeSet<String> = item.keys().cloned().collect();
        assert_eq!(described, allowed, "{}", route.template());
    }
}

#[test]
fn names_are_unique_and_lead_somewhere() {
    let document = written();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} at {name}");
    }
    let mut references = Vec::new();
    gather(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn gather(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(target) if name == "$ref" => references.push(target.to_owned()),
                    _ => gather(value, references),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, references)),
        _ => {}
    }
}

/// One schema a name: two types that were called the same would hide each other.
#[test]
fn schemas_of_one_name_are_one_schema() {
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for route in routes::described() {
        for operation in routes::describe(route) {
            for (name, schema) in operation.finish().2 {
                let schema = serde_json::to_value(schema).unwrap();
                let known = seen.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*known, schema, "{name}");
            }
        }
    }
    assert!(seen.len() > 20);
}

#[test]
fn every_parameter_of_a_path_is_described() {
    let document = written();
    for (name, operation) in operations(&document) {
        let in_path: BTreeSet<&str> = name
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .collect();
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let described: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(described, in_path, "{name}");
    }
}

/// Everything that is answered with a body has a schema and an example.
#[test]
fn every_body_has_a_schema_and_an_example() {
    let document = written();
    let mut bodies = 0;
    for (name, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap();
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}");
        assert!(
            answers.keys().any(|status| status.starts_with('2')),
            "{name}"
        );
        for (status, answer) in answers {
            let is_described = !answer["description"].as_str().unwrap().is_empty();
            assert!(is_described, "{name} {status}");
            let Some(content) = answer.get("content") else {
                let bodiless = ["204", "304", "412", "416"];
                assert!(bodiless.contains(&status.as_str()), "{name} {status}");
                continue;
            };
            for (content_type, content) in content.as_object().unwrap() {
                let has_example = content.get("example").or(content.get("examples"));
                assert!(has_example.is_some(), "{name} {status} {content_type}");
                assert!(
                    content.get("schema").is_some(),
                    "{name} {status} {content_type}"
                );
                bodies += 1;
            }
        }
    }
    assert!(bodies > 150, "{bodies}");
}

#[test]
fn it_is_the_version_that_clients_of_it_know() {
    assert!(describe("").openapi == OpenApiVersion::Version31);
    assert_eq!(written()["openapi"], "3.1.0");
}

#[test]
fn the_base_path_is_where_everything_is() {
    for (base_path, url) in [("", "/"), ("/ph", "/ph")] {
        let document = serde_json::to_value(describe(base_path)).unwrap();
        assert_eq!(document["servers"][0]["url"], url);
    }
}

#[test]
fn two_documents_are_the_same_byte_for_byte() {
    let (one, other) = (Document::new("").unwrap(), Document::new("").unwrap());
    assert_eq!(one.body(), other.body());
    assert_eq!(one.tag(), other.tag());
    assert_ne!(Document::new("/ph").unwrap().tag(), one.tag());
}
