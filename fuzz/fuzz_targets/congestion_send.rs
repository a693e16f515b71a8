//! See `tureen_fuzz_targets::congestion_send`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::congestion_send(data));
