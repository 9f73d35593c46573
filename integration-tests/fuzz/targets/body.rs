//! Feeds `body` of `inputs.rs` to the fuzzer.

#![no_main]

#[path = "../inputs.rs"]
#[allow(dead_code, reason = "each target uses one of its functions")]
mod inputs;

libfuzzer_sys::fuzz_target!(|input: &[u8]| inputs::body(input));
