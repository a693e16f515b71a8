//! Seals and opens RTP and RTCP packets with every profile and says what a packet costs.
//!
//! `cargo run --release -p tureen-srtp --example seal_and_open -- [payload bytes]`
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::{Duration, Instant};
use tureen_srtp::{CryptoProvider, DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender};

const ROUNDS: usize = 3000;
const PER_ROUND: usize = 32;
const HEADER_LEN: usize = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payload = std::env::args().nth(1).map_or(Ok(1200), |length| length.parse())?;
    let providers: &[&dyn CryptoProvider] = &[
        DEFAULT_PROVIDER,
        #[cfg(feature = "rust-crypto")]
        &tureen_srtp::RustCrypto,
    ];
    for provider in providers {
        for profile in Profile::ALL {
            let nanoseconds = seal_and_open(*provider, profile, payload)?;
            println!(
                "{:12} {:24} {payload} bytes: seal {:5.0} ns, open {:5.0} ns",
                provider.name(),
                profile.suite_name(),
                nanoseconds.0,
                nanoseconds.1
            );
        }
    }
    Ok(())
}

/// Nanoseconds to seal and to open one packet: the medians over all rounds, which other work on the machine moves least.
fn seal_and_open(
    provider: &dyn CryptoProvider,
    profile: Profile,
    payload: usize,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let keying_material = vec![0x5A; profile.keying_material_len()];
    let mut sender = SrtpSender::new(profile, &keying_material, provider)?;
    let mut receiver = SrtpReceiver::new(profile, &keying_material, provider)?;

    let (len, stride) = (HEADER_LEN + payload, HEADER_LEN + payload + profile.rtp_overhead());
    let mut packets = vec![0; stride * PER_ROUND];
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (slot, packet) in packets.chunks_exact_mut(stride).enumerate() {
            let sequence = (round * PER_ROUND + slot) as u16;
            packet[..HEADER_LEN].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0xCA, 0xFE, 0, 1]);
            packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        }
        let start = Instant::now();
        for packet in packets.chunks_exact_mut(stride) {
            sender.protect_rtp(black_box(packet), HEADER_LEN, len)?;
        }
        sealing.push(start.elapsed());
        let start = Instant::now();
        for packet in packets.chunks_exact_mut(stride) {
            receiver.unprotect_rtp(black_box(packet), HEADER_LEN)?;
        }
        opening.push(start.elapsed());
    }
    let median = |mut rounds: Vec<Duration>| {
        rounds.sort_unstable();
        rounds[ROUNDS / 2].as_nanos() as f64 / PER_ROUND as f64
    };
    Ok((median(sealing), median(opening)))
}
