//! A publisher of simulcast: frames of every rung at 30 a second, key frames when they are asked for.
//!
//! Must not know who watches, nor what the network does.

use crate::random::Random;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Frames a second.
pub const FRAME_RATE: u64 = 30;
/// From one frame to the next.
pub const FRAME_INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / FRAME_RATE);
/// The largest packet, in bytes.
pub const PACKET_SIZE: u32 = 1200;
/// A key frame has the size of so many mean frames, and the frames after it make up for it.
const KEY_FRAME: f64 = 8.0;
const AFTER_KEY_FRAME: f64 = 0.75;
/// From a request to the publisher's hearing of it and the frame's arrival at the server.
const REQUEST_DELAY: Duration = Duration::from_millis(40);
/// Key frames of a rung keep this distance, as the server's budget has it.
const KEY_FRAME_DISTANCE: Duration = Duration::from_millis(500);

/// A packet of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which rung of the ladder, from 0.
    pub rung: usize,
    /// Which frame, counted at all rungs alike.
    pub frame: u64,
    /// Whether the frame needs no other.
    pub key: bool,
    /// Its place among the packets of the frame, and their number.
    pub index: u16,
    /// See `index`.
    pub of: u16,
    /// Bytes.
    pub size: u16,
}

#[derive(Clone, Debug)]
struct Rung {
    mean: f64,
    /// Bytes that a key frame took beyond the mean and that were not made up for.
    debt: f64,
    asked: Option<Time>,
    last_key: Option<Time>,
}

/// The publisher.
#[derive(Clone, Debug)]
pub struct Source {
    rungs: Vec<Rung>,
    random: Random,
    frame: u64,
    key_frames: u64,
}

impl Source {
    /// A publisher of these bitrates, in bits per second.
    pub fn new(ladder: &[u64], seed: u64) -> Self {
        let rung = |&bitrate: &u64| Rung {
            mean: bitrate as f64 / 8.0 / FRAME_RATE as f64,
            debt: 0.0,
            asked: None,
            last_key: None,
        };
        Self { rungs: ladder.iter().map(rung).collect(), random: Random::new(seed), frame: 0, key_frames: 0 }
    }

    /// Asks for a key frame of a rung. Requests that come together are one.
    pub fn request_key_frame(&mut self, now: Time, rung: usize) {
        if let Some(rung) = self.rungs.get_mut(rung) {
            rung.asked.get_or_insert(now + REQUEST_DELAY);
        }
    }

    /// The packets of the next frame, of all rungs.
    pub fn next_frame(&mut self, now: Time) -> Vec<Packet> {
        self.frame += 1;
        let mut packets = Vec::new();
        for (number, rung) in self.rungs.iter_mut().enumerate() {
            let free = rung.last_key.is_none_or(|last| now.since(last) >= KEY_FRAME_DISTANCE);
            let key = self.frame == 1 || (free && rung.asked.is_some_and(|asked| asked <= now));
            let mut size = rung.mean * (0.85 + 0.3 * self.random.unit());
            if key {
                (rung.asked, rung.last_key) = (None, Some(now));
                size = rung.mean * KEY_FRAME;
                rung.debt += size - rung.mean;
                self.key_frames += 1;
            } else if rung.debt > 0.0 {
                size *= AFTER_KEY_FRAME;
                rung.debt -= rung.mean * (1.0 - AFTER_KEY_FRAME);
            }
            let bytes = (size as u32).max(60);
            let of = bytes.div_ceil(PACKET_SIZE);
            for index in 0..of {
                let size = (bytes / of + u32::from(index < bytes % of)) as u16;
                let (index, of) = (index as u16, of as u16);
                packets.push(Packet { rung: number, frame: self.frame, key, index, of, size });
            }
        }
        packets
    }

    /// How many key frames were made.
    pub const fn key_frames(&self) -> u64 {
        self.key_frames
    }
}
