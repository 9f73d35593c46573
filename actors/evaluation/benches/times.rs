//! How long the core's hot functions take: `cargo bench -p burgee-evaluation --bench times`.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

mod cases;
mod support;

fn main() {
    support::times(cases::all());
}
