//! How many instructions the edge's hot functions take, see `integration-tests/bench-instructions`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has failed"
)]

mod cases;
#[path = "../../actors/evaluation/benches/support/mod.rs"]
mod support;

fn main() {
    support::instructions(cases::all());
}
