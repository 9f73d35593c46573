//! How long the edge's hot functions take: `cargo bench -p burgee --bench times`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on has failed"
)]

mod cases;
#[path = "../../actors/evaluation/benches/support/mod.rs"]
mod support;

fn main() {
    support::times(cases::all());
}
