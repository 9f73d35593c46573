//! How many instructions the core's hot functions take, see `integration-tests/bench-instructions`.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

mod cases;
mod support;

fn main() {
    support::instructions(cases::all());
}
