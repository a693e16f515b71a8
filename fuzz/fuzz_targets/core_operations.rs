//! See `tureen_fuzz_targets::core_operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::core_operations(data));
