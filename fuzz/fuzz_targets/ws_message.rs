//! See `tureen_fuzz_targets::ws_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::ws_message(data));
