//! See `tureen_fuzz_targets::stun`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::stun(data));
