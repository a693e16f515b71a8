//! See `tureen_fuzz_targets::srtp_open`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::srtp_open(data));
