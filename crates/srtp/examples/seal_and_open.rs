//! Seals and opens RTP and RTCP packets with every profile and says what a packet costs.
//!
//! `cargo run --release -p tureen-srtp --example seal_and_open -- [payload bytes]`
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Instant;
use tureen_srtp::{CryptoProvider, DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender};

const PACKETS: u32 = 200_000;
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

/// Nanoseconds to seal and to open one packet.
fn seal_and_open(
    provider: &dyn CryptoProvider,
    profile: Profile,
    payload: usize,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let keying_material = vec![0x5A; profile.keying_material_len()];
    let mut sender = SrtpSender::new(profile, &keying_material, provider)?;
    let mut receiver = SrtpReceiver::new(profile, &keying_material, provider)?;

    let len = HEADER_LEN + payload;
    let mut packets = vec![0; (len + profile.rtp_overhead()) * 64];
    let (mut sealing, mut opening) = (0, 0);
    let mut sequence = 0_u16;
    for _ in 0..PACKETS / 64 {
        let slots = || 0..64_usize;
        let stride = len + profile.rtp_overhead();
        for slot in slots() {
            let packet = &mut packets[slot * stride..][..stride];
            packet[..HEADER_LEN].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0xCA, 0xFE, 0, 1]);
            packet[2..4].copy_from_slice(&sequence.to_be_bytes());
            sequence = sequence.wrapping_add(1);
        }
        let start = Instant::now();
        for slot in slots() {
            sender.protect_rtp(black_box(&mut packets[slot * stride..][..stride]), HEADER_LEN, len)?;
        }
        sealing += start.elapsed().as_nanos();
        let start = Instant::now();
        for slot in slots() {
            receiver.unprotect_rtp(black_box(&mut packets[slot * stride..][..stride]), HEADER_LEN)?;
        }
        opening += start.elapsed().as_nanos();
    }
    let each = |total: u128| total as f64 / f64::from(PACKETS / 64 * 64);
    Ok((each(sealing), each(opening)))
}
