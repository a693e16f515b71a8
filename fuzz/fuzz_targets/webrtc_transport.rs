//! See `tureen_fuzz_targets::webrtc_transport`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::webrtc_transport(data));
