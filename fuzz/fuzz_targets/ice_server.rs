//! See `tureen_fuzz_targets::ice_server`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::ice_server(data));
