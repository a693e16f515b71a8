//! See `tureen_fuzz_targets::dtls_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::dtls_records(data));
