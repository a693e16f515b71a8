//! The bar of the packet path: what deciding and sealing costs over the least that any forwarder must do.
//!
//! The bare loop copies a packet into a slot and seals it there with AES-128-GCM of AWS-LC, one key for each receiver. The
//! Core forwards the same packets to as many consumers, with MID, abs-send-time and transport-wide sequence number written and
//! the VP8 descriptor rewritten. Both run in turns, round by round; medians count. Beside those of all rounds the table gives those
//! of the *undisturbed* rounds, in which the bare loop ran at about its best: a neighbour on the same host who takes cache and
//! memory from both slows the Core down more.
//!
//! The Core gets its packets in batches of eight, as a receive call hands over a video frame, and then one at a time, which is
//! the worst that can happen to it.
//!
//! `cargo bench -p tureen-benches --bench ratio`. `TUREEN_RATIO_MAX` sets the ratio at 1200 bytes, in batches, in undisturbed rounds, above which the run
//! fails.

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

/// What one packet cost in one round.
#[derive(Clone, Copy)]
struct Round {
    bare: f64,
    null: f64,
    gcm: f64,
}

/// The value that a share of `at` lies below; 0.5 for the median.
fn quantile(rounds: &[Round], at: f64, of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * at) as usize]
}

/// Those in which the bare loop took at most a tenth longer than in its fastest hundredth.
fn undisturbed(rounds: &[Round]) -> Vec<Round> {
    let limit = quantile(rounds, 0.01, |round| round.bare) * 1.1;
    rounds.iter().copied().filter(|round| round.bare <= limit).collect()
}

fn measure(len: usize, batch: usize) -> Vec<Round> {
    let mut bare = Bare::new(len);
    let mut null = Stage::new(FAN_OUT, Protection::Null, len, batch);
    let mut sealed = Stage::new(FAN_OUT, Protection::Aes128Gcm, len, batch);
    let round_of_each = |_| Round {
        bare: round(|| bare.turn()),
        gcm: round(|| (0..PACKETS / batch).for_each(|_| sealed.turn())),
        null: round(|| (0..PACKETS / batch).for_each(|_| null.turn())),
    };
    (0..ROUNDS).map(round_of_each).collect()
}

/// Of the ratios within each round.
fn ratio(rounds: &[Round]) -> f64 {
    quantile(rounds, 0.5, |round| round.gcm / round.bare)
}

fn medians(rounds: &[Round]) -> String {
    let of = |what: fn(&Round) -> f64| quantile(rounds, 0.5, what);
    let (bare, null, gcm) = (of(|round| round.bare), of(|round| round.null), of(|round| round.gcm));
    format!("{bare:>9.1} {null:>7.1} {gcm:>7.1} {:>6.2}", ratio(rounds))
}

fn main() {
    println!(
        "fan-out {FAN_OUT}, medians of {ROUNDS} alternating rounds, nanoseconds a packet sent; bare: copy and seal"
    );
    println!("                   all rounds                            undisturbed");
    let columns = format!("{:>9} {:>7} {:>7} {:>6}", "bare", "null", "GCM", "ratio");
    println!("{:>6} {:>6}  {columns}  {:>6}  {columns}", "bytes", "batch", "rounds");
    let limit = std::env::var("TUREEN_RATIO_MAX").ok().and_then(|limit| limit.parse::<f64>().ok());
    let mut failed = false;
    for (len, batch) in [(1200, 8), (1200, 1), (160, 8), (160, 1)] {
        let rounds = measure(len, batch);
        let calm = undisturbed(&rounds);
        println!("{len:>6} {batch:>6}  {}  {:>6}  {}", medians(&rounds), calm.len(), medians(&calm));
        failed |= (len, batch) == (1200, 8) && limit.is_some_and(|limit| ratio(&calm) > limit);
    }
    if failed {
        println!("the ratio at 1200 bytes is over the limit");
        std::process::exit(1);
    }
}
