//! The sending half of congestion control: time, packets, reports of any content, told bitrates and wishes, in any order.
//!
//! The estimate keeps its bounds, no timer is due at once, each packet that the pacer took comes out once, and no more is granted
//! than there is. Planted: retransmissions that come out of the pacer are not counted.

use crate::Fault;
use crate::bytes::Bytes;
use std::time::Duration;
use tureen_congestion::allocator::{Allocator, Content, Ladder, Step};
use tureen_congestion::send::{
    Ecn, Estimator, EstimatorConfig, FeedbackReader, Outcome, Pacer, PacerConfig, PacketKind, PacketResult,
    ReceiverTime, Release, SentPacket, StreamIndex,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};

const KINDS: [PacketKind; 4] =
    [PacketKind::Audio, PacketKind::Retransmission, PacketKind::Video, PacketKind::Padding];
/// The one stream of reports by RFC 8888.
const SSRC: u32 = 0x01010101;
/// RTCP's type of transport-layer feedback, and two formats of it.
const FEEDBACK: u8 = 205;
const TRANSPORT_WIDE: u8 = 15;
const CONGESTION: u8 = 11;

struct Sending {
    now: Time,
    estimator: Estimator,
    pacer: Pacer<u32>,
    allocator: Allocator,
    reader: FeedbackReader,
    index: StreamIndex,
    sequence_number: u16,
    pushed: u32,
    fault: Fault,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut bytes = Bytes::new(data);
    let mut sending = Sending {
        now: Time::from_millis(1),
        estimator: Estimator::default(),
        pacer: Pacer::new(PacerConfig::default()),
        allocator: Allocator::new(),
        reader: FeedbackReader::new(),
        index: StreamIndex::new(),
        sequence_number: 65_500,
        pushed: 0,
        fault,
    };
    while !bytes.is_empty() {
        sending.step(&mut bytes);
        sending.serve();
        sending.check();
    }
}

impl Sending {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 8 {
            0 => self.now += Duration::from_micros(u64::from(bytes.u16()) << (bytes.u8() % 9)),
            1 | 2 => {
                let kind = KINDS[usize::from(bytes.u8() % 4)];
                let taken = self.pacer.push(self.now, self.pushed, bytes.u16() % 1500, kind);
                assert!(kind != PacketKind::Padding || taken.is_err(), "padding does not wait");
                self.pushed += u32::from(taken.is_ok());
            }
            3 => self.report(bytes, TRANSPORT_WIDE),
            4 => self.report(bytes, CONGESTION),
            5 => self.tell(bytes),
            6 => self.estimator.on_remb(u64::from(bytes.u32()) << (bytes.u8() % 32)),
            _ => self.allocate(bytes),
        }
    }

    /// A report of bytes as they come, behind a sound header.
    fn report(&mut self, bytes: &mut Bytes<'_>, format: u8) {
        let len = usize::from(bytes.u8());
        let body = bytes.take(len);
        let words = 2 + body.len().div_ceil(4);
        let mut packet = vec![0x80 | format, FEEDBACK, (words >> 8) as u8, words as u8, 0, 0, 0, 1];
        // The media source of the one, the first stream of the other.
        packet.extend(SSRC.to_be_bytes());
        packet.extend(body);
        packet.resize(4 * (words + 1), 0);
        for parsed in Compound::parse(&packet).into_iter().flatten().flatten() {
            match parsed {
                RtcpPacket::TransportFeedback(feedback) => {
                    self.estimator.on_feedback(self.now, self.reader.transport(&feedback));
                }
                RtcpPacket::CongestionFeedback(feedback) => {
                    self.estimator.on_feedback(self.now, self.reader.congestion(&feedback, &self.index));
                }
                _ => {}
            }
        }
    }

    /// A report that makes sense: the last packets, some lost, each so much later than the one before.
    fn tell(&mut self, bytes: &mut Bytes<'_>) {
        let (count, gap, lost, queue) = (bytes.u8(), bytes.u16(), bytes.u8(), bytes.u16());
        let newest = self.sequence_number;
        let now = self.now.as_micros() as i64 + i64::from(queue) * 8;
        let results = (0..u16::from(count)).rev().map(|back| PacketResult {
            sequence_number: newest.wrapping_sub(back),
            outcome: if lost > 0 && back % u16::from(lost) == 0 {
                Outcome::Missing
            } else {
                Outcome::ArrivedAt(ReceiverTime::from_micros(now - i64::from(back) * i64::from(gap)))
            },
            ecn: Ecn::from_bits(lost),
        });
        self.estimator.on_feedback(self.now, results);
    }

    fn allocate(&mut self, bytes: &mut Bytes<'_>) {
        let mut layers = [Step::default(); 4];
        for (spatial, layer) in (0..).zip(&mut layers) {
            *layer = Step { spatial, temporal: bytes.u8() % 3, bitrate: u64::from(bytes.u16()) * 50 };
        }
        let content = if bytes.u8().is_multiple_of(2) { Content::Camera } else { Content::Screen };
        let id = u64::from(bytes.u8() % 4);
        if bytes.u8() % 8 == 7 {
            self.allocator.remove(id);
        } else {
            self.allocator.set(id, Ladder::new(&layers, content, None), bytes.u8());
        }
    }

    fn serve(&mut self) {
        if self.now >= self.estimator.poll_timeout() {
            if let Some(probe) = self.estimator.on_timeout(self.now) {
                self.pacer.start_probe(self.now, probe);
            }
            assert!(self.estimator.poll_timeout() > self.now, "a timer that is due at once");
        }
        self.pacer.set_bitrate(self.estimator.pacing_bitrate());
        while let Some(release) = self.pacer.poll(self.now) {
            let (size, kind, probe) = match release {
                Release::Packet(packet) => (packet.size, packet.kind, packet.probe),
                Release::Padding { size, probe } => (size, PacketKind::Padding, Some(probe)),
                Release::Expired { .. } => {
                    self.pushed -= 1;
                    continue;
                }
            };
            let counted = self.fault == Fault::None || kind != PacketKind::Retransmission;
            self.pushed -= u32::from(kind != PacketKind::Padding && counted);
            self.sequence_number = self.sequence_number.wrapping_add(1);
            let sequence_number = self.sequence_number;
            self.index.insert(SSRC, sequence_number, sequence_number);
            self.estimator.on_sent(self.now, SentPacket { sequence_number, size, kind, probe });
        }
        assert!(self.pacer.next_deadline() > self.now, "a pacer that is due at once");
        let budget = self.estimator.media_bitrate();
        self.allocator.update(self.now, budget, self.pacer.backlog());
        assert!(self.allocator.granted() <= budget);
        let (next, all) = self.allocator.wanted();
        assert!(next <= all);
        self.estimator.set_wanted(next, all);
    }

    fn check(&self) {
        assert_eq!(self.pacer.packets_waiting(), self.pushed as usize, "each packet comes out once");
        let state = self.estimator.state();
        assert!(state.target_bitrate >= EstimatorConfig::default().min_bitrate);
        assert!(state.pacing_bitrate >= EstimatorConfig::default().min_bitrate);
        assert!((0.0..=1.0).contains(&state.loss));
    }
}
