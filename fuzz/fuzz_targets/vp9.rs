//! See `tureen_fuzz_targets::vp9`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::vp9(data));
