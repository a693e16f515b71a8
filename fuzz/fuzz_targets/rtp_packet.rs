//! See `tureen_fuzz_targets::rtp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tureen_fuzz_targets::rtp_packet(data));
