//! A viewer's end: reports arrivals, asks for what is missing, decodes what is whole.
//!
//! Reports are those of the congestion crate, as bytes. Must not know what the sender estimates.

use crate::source::Packet;
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_congestion::TransportFeedbackGenerator;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::RtcpWriter;

/// A packet of pictures is asked for again after this long and a round trip, and so many times.
const AGAIN: Duration = Duration::from_millis(10);
const TRIES: u32 = 12;
/// Nothing decoded for this long, while packets come: a key frame is asked for, and again each time.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(250);

/// What is on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Payload {
    /// Sound.
    Audio,
    /// Pictures: the number in the stream, the frame's place in the chain of those that were forwarded.
    Video {
        /// The number in the stream.
        sequence: u64,
        /// The frame's place in the chain.
        chain: u64,
        /// The packet.
        packet: Packet,
    },
    /// Nothing.
    Padding,
}

/// What the viewer sends back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A compound with congestion feedback.
    Feedback(Vec<u8>),
    /// Numbers in the stream that are missing.
    Nack(Vec<u64>),
    /// A key frame is wanted.
    KeyFrame,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    packets: u16,
    of: u16,
    key: bool,
    rung: usize,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    again: Time,
    tries: u32,
}

/// A frame that was decoded.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// When.
    pub at: Time,
    /// Of which rung.
    pub rung: usize,
}

/// The viewer.
#[derive(Debug)]
pub struct Receiver {
    feedback: TransportFeedbackGenerator,
    round_trip: Duration,
    highest: u64,
    missing: BTreeMap<u64, Missing>,
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

impl Receiver {
    /// A viewer at the end of a way that takes `round_trip` there and back.
    pub fn new(round_trip: Duration) -> Self {
        Self {
            feedback: TransportFeedbackGenerator::new(),
            round_trip,
            highest: 0,
            missing: BTreeMap::new(),
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

    /// Takes a packet; what it has to say goes into `replies`.
    pub fn on_packet(&mut self, now: Time, wide: u16, size: u16, payload: Payload, replies: &mut Vec<Reply>) {
        self.feedback.record(now, wide);
        match payload {
            Payload::Padding => self.padding_bytes += u64::from(size),
            Payload::Audio => {
                self.media_bytes += u64::from(size);
                let gap = self.last_audio.replace(now).map_or(Duration::ZERO, |last| now.since(last));
                self.audio_gap = self.audio_gap.max(gap);
            }
            Payload::Video { sequence, chain, packet } => {
                self.media_bytes += u64::from(size);
                self.on_video(now, sequence, chain, packet, replies);
            }
        }
        self.poll(now, replies);
    }

    /// Says what is due.
    pub fn poll(&mut self, now: Time, replies: &mut Vec<Reply>) {
        let mut buffer = [0; 1200];
        let mut writer = RtcpWriter::new(&mut buffer);
        if self.feedback.poll(now, 1, 2, &mut writer) {
            let len = writer.finish();
            replies.push(Reply::Feedback(buffer.get(..len).unwrap_or_default().to_vec()));
        }
        let patience = self.round_trip + AGAIN;
        self.missing.retain(|_, missing| missing.tries < TRIES);
        let mut again = Vec::new();
        for (&sequence, missing) in self.missing.iter_mut().filter(|(_, missing)| missing.again <= now) {
            *missing = Missing { again: now + patience, tries: missing.tries + 1 };
            again.push(sequence);
        }
        if !again.is_empty() {
            replies.push(Reply::Nack(again));
        }
        if self.stuck.is_some_and(|since| now.since(since) >= KEY_FRAME_PATIENCE + self.round_trip) {
            self.stuck = Some(now);
            replies.push(Reply::KeyFrame);
        }
    }

    /// When to poll next.
    pub fn next_deadline(&self) -> Time {
        let stuck = self.stuck.map_or(Time::NEVER, |since| since + KEY_FRAME_PATIENCE + self.round_trip);
        let missing = self.missing.values().map(|missing| missing.again).min().unwrap_or(Time::NEVER);
        self.feedback.next_deadline().min(stuck).min(missing)
    }

    fn on_video(&mut self, now: Time, sequence: u64, chain: u64, packet: Packet, replies: &mut Vec<Reply>) {
        if sequence > self.highest {
            let lost: Vec<u64> = (self.highest + 1..sequence).collect();
            let again = now + self.round_trip + AGAIN;
            self.missing.extend(lost.iter().map(|&sequence| (sequence, Missing { again, tries: 1 })));
            if !lost.is_empty() {
                replies.push(Reply::Nack(lost));
            }
            self.highest = sequence;
        } else if self.missing.remove(&sequence).is_none() {
            return;
        }
        if chain <= self.decoded_to {
            return;
        }
        let frame = Frame { packets: 0, of: packet.of, key: packet.key, rung: packet.rung };
        self.frames.entry(chain).or_insert(frame).packets += 1;
        self.stuck.get_or_insert(now);
        self.decode(now);
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
