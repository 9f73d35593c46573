//! The hot functions of the edge: reading a request, writing an answer.

use crate::support::Case;
use crate::support::world::{self, World};
use burgee::body::{BodyFormat, Compression, decode_now};
use burgee::flags_request::FlagsRequest;
use burgee::flags_response::{Envelope, Shape, render};
use burgee_evaluation::Evaluations;
use serde_json::json;
use uuid::Uuid;

/// Returns all cases.
pub(crate) fn all() -> Vec<Case> {
    let shapes = [("v1", Shape::V1), ("v2", Shape::V2), ("v4", Shape::V4)];
    let written = |(name, shape): (&str, Shape)| {
        [20, 100, 1_000].map(|count| written(format!("write/{name}_{count}"), shape, count))
    };
    let mut cases: Vec<Case> = shapes.into_iter().flat_map(written).collect();
    cases.push(read("read/small", body(false)));
    cases.push(read("read/person_and_groups", body(true)));
    cases
}

fn written(name: String, shape: Shape, count: usize) -> Case {
    let evaluate = move || World::new(world::mixed(count), world::cohorts()).evaluate();
    Case::new(name, evaluate, move |evaluations: &mut Evaluations| {
        let envelope = Envelope {
            errors_while_computing: evaluations.errors_while_computing,
            request_id: Uuid::from_u128(0x3f0e_8a52_5e0b_4f0e_9d39_0f3a_2f6f_0b11),
            evaluated_at: 1_773_835_200_000,
            config: None,
        };
        render(shape, &envelope, evaluations)
    })
}

fn body(with_person: bool) -> String {
    let mut body = json!({
        "token": "phc_a_token_of_the_usual_length_0123456789",
        "distinct_id": "0197b6a2-4c1e-7d3f-9a52-6f1d2c3b4a59",
    });
    if with_person {
        body["person_properties"] = world::properties();
        body["groups"] = json!({"company": "acme", "project": 42});
        body["group_properties"] = json!({"company": {"seats": 120, "plan": "enterprise"}});
    }
    body.to_string()
}

fn read(name: &str, body: String) -> Case {
    let prepare = move || {
        let format = BodyFormat::new(Compression::Unstated, Some("application/json"), None);
        (body.clone(), format)
    };
    Case::new(name, prepare, |(body, format)| {
        decode_now(body.as_bytes(), format, 1 << 20, FlagsRequest::parse)
    })
}
