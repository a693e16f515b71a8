//! A viewer's end: reports arrivals, asks for what is missing, hands on what came.
//!
//! Reports are those of the congestion crate, as bytes. Must not know what the sender estimates.

use crate::decoder::Decoder;
use crate::source::Packet;
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_congestion::TransportFeedbackGenerator;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::RtcpWriter;

/// A packet of pictures is asked for again after this long and a round trip, and so many times.
const AGAIN: Duration = Duration::from_millis(10);
const TRIES: u32 = 12;

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
struct Missing {
    again: Time,
    tries: u32,
}

/// The viewer.
#[derive(Debug)]
pub struct Receiver {
    feedback: TransportFeedbackGenerator,
    round_trip: Duration,
    highest: u64,
    missing: BTreeMap<u64, Missing>,
    /// What is seen and heard.
    pub decoder: Decoder,
}

impl Receiver {
    /// A viewer at the end of a way that takes `round_trip` there and back.
    pub fn new(round_trip: Duration) -> Self {
        Self {
            feedback: TransportFeedbackGenerator::new(),
            round_trip,
            highest: 0,
            missing: BTreeMap::new(),
            decoder: Decoder::new(round_trip),
        }
    }

    /// Takes a packet; what it has to say goes into `replies`.
    pub fn on_packet(&mut self, now: Time, wide: u16, size: u16, payload: Payload, replies: &mut Vec<Reply>) {
        self.feedback.record(now, wide);
        match payload {
            Payload::Padding => self.decoder.padding_bytes += u64::from(size),
            Payload::Audio => {
                self.decoder.media_bytes += u64::from(size);
                self.decoder.on_audio(now);
            }
            Payload::Video { sequence, chain, packet } => {
                self.decoder.media_bytes += u64::from(size);
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
        if self.decoder.asks_for_key_frame(now) {
            replies.push(Reply::KeyFrame);
        }
    }

    /// When to poll next.
    pub fn next_deadline(&self) -> Time {
        let missing = self.missing.values().map(|missing| missing.again).min().unwrap_or(Time::NEVER);
        self.feedback.next_deadline().min(self.decoder.next_deadline()).min(missing)
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
        self.decoder.on_video(now, chain, packet);
    }
}
