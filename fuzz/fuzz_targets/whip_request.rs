//! See `tureen_fuzz_targets::whip_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::whip_request(data));
