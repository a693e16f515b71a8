//! See `tureen_fuzz_targets::vp8_rewrite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::vp8_rewrite(data));
