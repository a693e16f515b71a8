//! What a viewer makes of what arrives: sound without gaps, frames that are whole and follow what was decoded.
//!
//! Must not know how packets came, nor how missing ones are asked for.

use crate::source::Packet;
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Nothing decoded for this long, while packets come: a key frame is asked for, and again each time.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug)]
struct Frame {
    packets: u16,
    of: u16,
    key: bool,
    rung: usize,
}

/// A frame that was decoded.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// When.
    pub at: Time,
    /// Of which rung.
    pub rung: usize,
}

/// The decoder of a viewer.
#[derive(Debug)]
pub struct Decoder {
    round_trip: Duration,
    frames: BTreeMap<u64, Frame>,
    decoded_to: u64,
    stuck: Option<Time>,
    /// All frames that were decoded.
    pub decoded: Vec<Decoded>,
    /// Bytes of sound and pictures, and of padding.
    pub media_bytes: u64,
    /// See `media_bytes`.
    pub padding_bytes: u64,
    /// The longest time without sound, and when it came last.
    pub audio_gap: Duration,
    last_audio: Option<Time>,
}

impl Decoder {
    /// A decoder at the end of a way that takes `round_trip` there and back.
    pub const fn new(round_trip: Duration) -> Self {
        Self {
            round_trip,
            frames: BTreeMap::new(),
            decoded_to: 0,
            stuck: None,
            decoded: Vec::new(),
            media_bytes: 0,
            padding_bytes: 0,
            audio_gap: Duration::ZERO,
            last_audio: None,
        }
    }

    /// Takes a packet of sound.
    pub fn on_audio(&mut self, now: Time) {
        let gap = self.last_audio.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        self.audio_gap = self.audio_gap.max(gap);
    }

    /// Takes a packet of pictures that has not come before, with its frame's place in the chain of those that were forwarded.
    pub fn on_video(&mut self, now: Time, chain: u64, packet: Packet) {
        if chain <= self.decoded_to {
            return;
        }
        let frame = Frame { packets: 0, of: packet.of, key: packet.key, rung: packet.rung };
        self.frames.entry(chain).or_insert(frame).packets += 1;
        self.stuck.get_or_insert(now);
        self.decode(now);
    }

    /// Whether a key frame is to be asked for now.
    pub fn asks_for_key_frame(&mut self, now: Time) -> bool {
        let asks = self.next_deadline() <= now;
        if asks {
            self.stuck = Some(now);
        }
        asks
    }

    /// When to look again.
    pub fn next_deadline(&self) -> Time {
        self.stuck.map_or(Time::NEVER, |since| since + KEY_FRAME_PATIENCE + self.round_trip)
    }

    fn decode(&mut self, now: Time) {
        loop {
            let whole = |frame: &Frame| frame.packets >= frame.of;
            let next = self.frames.iter().find(|&(&chain, frame)| {
                whole(frame) && (frame.key || (chain == self.decoded_to + 1 && self.decoded_to > 0))
            });
            let Some((&chain, &frame)) = next else { return };
            self.decoded.push(Decoded { at: now, rung: frame.rung });
            self.decoded_to = chain;
            self.frames = self.frames.split_off(&(chain + 1));
            self.stuck = (!self.frames.is_empty()).then_some(now);
        }
    }
}
