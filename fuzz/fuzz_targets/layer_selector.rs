//! See `tureen_fuzz_targets::layer_selector`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::layer_selector(data));
