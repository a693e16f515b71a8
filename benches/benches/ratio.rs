//! The bar of the packet path: what deciding and sealing costs over the least that any forwarder must do.
//!
//! The bare loop copies a packet into a slot and seals it there with AES-128-GCM of AWS-LC, one key for each receiver. The
//! Core forwards the same packets to as many consumers, with MID, abs-send-time and transport-wide sequence number written and
//! the VP8 descriptor rewritten. Both run in turns, round by round; medians count.
//!
//! The Core gets its packets in batches of eight, as a receive call hands over a video frame, and then one at a time, which is
//! the worst that can happen to it.
//!
//! `cargo bench -p tureen-benches --bench ratio`. `TUREEN_RATIO_MAX` sets the ratio at 1200 bytes, in batches, that fails the run.

#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::time::Instant;
use tureen_benches::{Protection, SlotPool, Stage, Vp8Stream, keying_material};
use tureen_transport::{Destination, Egress as _, Lane};

const FAN_OUT: usize = 100;
/// Packets of one round.
const PACKETS: usize = 8;
/// A round is a fraction of a millisecond: shorter than a time slice, so that most rounds are not interrupted, and a
/// change of clock rate hits all loops alike.
const ROUNDS: usize = 2001;

/// Copies and seals, and nothing else.
struct Bare {
    keys: Vec<LessSafeKey>,
    stream: Vp8Stream,
    packet: Vec<u8>,
    pool: SlotPool,
    sealed: u64,
}

impl Bare {
    fn new(len: usize) -> Self {
        let key = |seed: usize| {
            let key = UnboundKey::new(&AES_128_GCM, &keying_material(seed as u32)[..16]);
            LessSafeKey::new(key.expect("a key of its length"))
        };
        let stream = Vp8Stream::new(len);
        let packet = stream.buffer();
        Self { keys: (0..FAN_OUT).map(key).collect(), stream, packet, pool: SlotPool::new(64), sealed: 0 }
    }

    fn turn(&mut self) {
        let header_len = self.stream.layout().header_len();
        for _ in 0..PACKETS {
            self.stream.advance(&mut self.packet);
            let len = self.packet.len();
            for key in &self.keys {
                let slot = self.pool.reserve(Lane(0), &Destination::Program, len + 16).expect("a slot");
                slot[..len].copy_from_slice(&self.packet);
                let (header, text) = slot[..len].split_at_mut(header_len);
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&self.sealed.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), text).expect("seals");
                slot[len..len + 16].copy_from_slice(tag.as_ref());
                self.pool.commit(len + 16);
                self.sealed += 1;
            }
        }
        black_box(self.pool.committed());
    }
}

/// Nanoseconds a packet sent, over one round.
fn round(mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    turn();
    start.elapsed().as_nanos() as f64 / (PACKETS * FAN_OUT) as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of the bare loop, of the Core with null ciphers and with AES-128-GCM, and of the ratio within each round.
fn measure(len: usize, batch: usize) -> [f64; 4] {
    let mut bare = Bare::new(len);
    let mut null = Stage::new(FAN_OUT, Protection::Null, len, batch);
    let mut sealed = Stage::new(FAN_OUT, Protection::Aes128Gcm, len, batch);
    let mut samples: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let bare = round(|| bare.turn());
        let ours = round(|| (0..PACKETS / batch).for_each(|_| sealed.turn()));
        let plain = round(|| (0..PACKETS / batch).for_each(|_| null.turn()));
        for (samples, value) in samples.iter_mut().zip([bare, plain, ours, ours / bare]) {
            samples.push(value);
        }
    }
    samples.map(|mut samples| median(&mut samples))
}

fn main() {
    println!("fan-out {FAN_OUT}, medians of {ROUNDS} alternating rounds, nanoseconds a packet sent");
    println!(
        "{:>6} {:>6} {:>14} {:>12} {:>12} {:>6}",
        "bytes", "batch", "copy and seal", "Core, null", "Core, GCM", "ratio"
    );
    let limit = std::env::var("TUREEN_RATIO_MAX").ok().and_then(|limit| limit.parse::<f64>().ok());
    let mut failed = false;
    for (len, batch) in [(1200, 8), (1200, 1), (160, 8), (160, 1)] {
        let [bare, null, ours, ratio] = measure(len, batch);
        println!("{len:>6} {batch:>6} {bare:>14.1} {null:>12.1} {ours:>12.1} {ratio:>6.2}");
        failed |= (len, batch) == (1200, 8) && limit.is_some_and(|limit| ratio > limit);
    }
    if failed {
        println!("the ratio at 1200 bytes is over the limit");
        std::process::exit(1);
    }
}
