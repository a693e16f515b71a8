//! See `tureen_fuzz_targets::payload_descriptors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::payload_descriptors(data));
