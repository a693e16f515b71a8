//! A call of one viewer over a path that carries less than there is: a source of three encodings, a queue in front of a bottleneck, and
//! what the viewer tells of it.

use super::{Bench, capabilities, packet, vp8_parameters};
use std::collections::VecDeque;
use tureen_congestion::{CongestionFeedbackGenerator, TransportFeedbackGenerator};
use tureen_media_model::{
    BweTrace, Consume, ConsumerExplanation, ConsumerInfo, ContentHint, Event, ExplainConsumer,
    GetTransportStats, OutgoingBitrates, Produce, ProducerOptions, Trace, TraceInfo, TraceTransport,
    TransportEvent, TransportId, TransportOptions, TransportStats, TransportTraceFlags,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};

pub const ENCODINGS: [u32; 3] = [1000, 2000, 3000];
/// Bits per second of each, at 30 frames a second.
pub const BITRATES: [u32; 3] = [150_000, 500_000, 1_500_000];
pub const FRAME_MILLIS: u64 = 33;
pub const DELAY_MILLIS: u64 = 20;
pub const QUEUE_MILLIS: u64 = 300;
pub const TRANSPORT_WIDE: u8 = 5;
/// Where the clock begins, in milliseconds.
pub const BEGINNING: u64 = 1000;

pub fn viewer_capabilities(telling: Telling) -> RtpCapabilities {
    let mut capabilities = serde_json::to_value(capabilities()).unwrap();
    let feedback = match telling {
        Telling::Remb(_) => serde_json::json!({"type": "goog-remb"}),
        Telling::ByStream => serde_json::json!({"type": "ack", "parameter": "ccfb"}),
        Telling::Reports | Telling::Nothing => serde_json::json!({"type": "transport-cc"}),
    };
    for codec in capabilities["codecs"].as_array_mut().unwrap() {
        if codec["mimeType"] != "video/rtx" {
            codec["rtcpFeedback"].as_array_mut().unwrap().push(feedback.clone());
        }
    }
    if telling == Telling::Reports || telling == Telling::Nothing {
        capabilities["headerExtensions"].as_array_mut().unwrap().push(serde_json::json!({
            "kind": "video", "preferredId": TRANSPORT_WIDE,
            "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        }));
    }
    serde_json::from_value(capabilities).unwrap()
}

/// A queue in front of a bottleneck, and a delay behind it.
pub struct Link {
    /// Bits per second.
    pub capacity: u64,
    /// When what waits has gone through, in microseconds.
    pub busy_until: u64,
    /// With when it comes, and how it is marked then.
    pub under_way: VecDeque<(u64, Vec<u8>, Ecn)>,
    pub lost: u64,
    /// Milliseconds of queue from which on packets are marked; none for a link that marks nothing.
    pub marks_from: Option<u64>,
    /// Whether no mark comes through.
    pub loses_marks: bool,
}

impl Link {
    pub fn queue_millis(&self, now: Time) -> u64 {
        self.busy_until.saturating_sub(now.as_nanos() / 1000) / 1000
    }

    pub fn send(&mut self, now: Time, bytes: Vec<u8>) {
        if self.queue_millis(now) > QUEUE_MILLIS {
            self.lost += 1;
            return;
        }
        let marks = self.marks_from.is_some_and(|from| self.queue_millis(now) >= from);
        let ecn = match (self.loses_marks, marks) {
            (true, _) => Ecn::NotCapable,
            (false, true) => Ecn::CongestionExperienced,
            (false, false) => Ecn::Capable1,
        };
        let start = self.busy_until.max(now.as_nanos() / 1000);
        self.busy_until = start + bytes.len() as u64 * 8_000_000 / self.capacity;
        self.under_way.push_back((self.busy_until + DELAY_MILLIS * 1000, bytes, ecn));
    }

    pub fn arrived(&mut self, now: Time) -> Option<(Vec<u8>, Ecn)> {
        let due = self.under_way.front().is_some_and(|(at, ..)| *at <= now.as_nanos() / 1000);
        due.then(|| self.under_way.pop_front()).flatten().map(|(_, bytes, ecn)| (bytes, ecn))
    }
}

/// How the viewer lets itself be known.
#[derive(Clone, Copy, PartialEq)]
pub enum Telling {
    /// By transport-wide numbers.
    Reports,
    /// By streams (RFC 8888), with marks.
    ByStream,
    Nothing,
    Remb(u64),
}

/// What is shown to the viewer.
#[derive(Clone, Copy)]
pub struct Show {
    /// Of its encodings.
    pub bitrates: &'static [u32],
    pub content_hint: Option<ContentHint>,
    /// Whether every other frame can be left out.
    pub has_temporal_layers: bool,
}

impl Default for Show {
    fn default() -> Self {
        Self { bitrates: &BITRATES, content_hint: None, has_temporal_layers: false }
    }
}

pub struct Call {
    pub bench: Bench,
    pub viewer: TransportId,
    pub consumer: ConsumerInfo,
    pub link: Link,
    pub telling: Telling,
    pub arrivals: TransportFeedbackGenerator,
    pub arrivals_by_stream: CongestionFeedbackGenerator,
    pub show: Show,
    /// A fifth of a second with large frames is followed by one with small ones.
    pub is_uneven: bool,
    /// A key frame is as large as so many others.
    pub key_frame: usize,
    pub next: [u16; 3],
    pub frames: u32,
    pub millis: u64,
    pub events: Vec<Event>,
    /// Of the media that arrived: how many packets, and the highest sequence number.
    pub got: (u64, Option<u16>),
    /// Sequence numbers that were left out.
    pub holes: u64,
}

impl Call {
    pub fn new(capacity: u64, telling: Telling) -> Self {
        Self::showing(capacity, telling, Show::default())
    }

    pub fn showing(capacity: u64, telling: Telling, show: Show) -> Self {
        let mut bench = match telling {
            Telling::ByStream => Bench::with_stream_feedback(),
            _ => Bench::new(),
        };
        let source = bench.transport(1);
        let outgoing = Some(OutgoingBitrates::default());
        let viewer = bench.transport_with(2, TransportOptions { outgoing, ..Default::default() });
        let mut parameters = serde_json::to_value(vp8_parameters(1000)).unwrap();
        let mode = if show.has_temporal_layers { "L1T2" } else { "L1T1" };
        let encoding = |ssrc| serde_json::json!({"ssrc": ssrc, "scalabilityMode": mode});
        parameters["encodings"] = ENCODINGS.iter().take(show.bitrates.len()).map(encoding).collect();
        let options = ProducerOptions {
            content_hint: show.content_hint,
            ..bench.producer_options(MediaKind::Video, serde_json::from_value(parameters).unwrap())
        };
        let producer = bench.ask(Produce { transport: source, options }).unwrap();
        let mut options = bench.consumer_options(producer.id);
        options.rtp_capabilities = viewer_capabilities(telling);
        let consumer = bench.ask(Consume { transport: viewer, options }).unwrap();
        Self {
            bench,
            viewer,
            consumer,
            link: Link {
                capacity,
                busy_until: 0,
                under_way: VecDeque::new(),
                lost: 0,
                marks_from: None,
                loses_marks: false,
            },
            telling,
            arrivals: TransportFeedbackGenerator::new(),
            arrivals_by_stream: CongestionFeedbackGenerator::new(),
            show,
            is_uneven: false,
            key_frame: 6,
            next: [100, 200, 300],
            frames: 0,
            millis: 0,
            events: Vec::new(),
            got: (0, None),
            holes: 0,
        }
    }

    pub fn frame(&mut self, encoding: usize, is_key_frame: bool) {
        let bytes = self.show.bitrates[encoding] as usize / 8 * FRAME_MILLIS as usize / 1000;
        let percent = match (self.is_uneven, self.frames / 6 % 2) {
            (false, _) => 100,
            (true, 0) => 160,
            (true, _) => 40,
        };
        let bytes = if is_key_frame { bytes * self.key_frame } else { bytes * percent / 100 };
        let packets = bytes.div_ceil(1100);
        for index in 0..packets {
            let sequence_number = self.next[encoding];
            self.next[encoding] = sequence_number.wrapping_add(1);
            let [high, low] = (self.frames as u16 & 0x7fff).to_be_bytes();
            let starts = u8::from(index == 0) << 4;
            // RFC 7741 section 4.2: with temporal layers TL0PICIDX, and TID and Y, by which the upper layer can be entered.
            let mut payload = match self.show.has_temporal_layers {
                false => vec![0x80 | starts, 0x80, high | 0x80, low],
                true => {
                    let upper = u8::from(!is_key_frame && self.frames % 2 == 1);
                    let lower_pictures = (self.frames / 2) as u8;
                    vec![0x80 | starts, 0xe0, high | 0x80, low, lower_pictures, upper << 6 | 1 << 5]
                }
            };
            payload.push(u8::from(!is_key_frame));
            payload.extend([0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
            payload.resize(bytes / packets, 0);
            let (marker, ssrc) = (index + 1 == packets, ENCODINGS[encoding]);
            let timestamp = ssrc * 1000 + self.frames * 90 * FRAME_MILLIS as u32;
            let header = RtpHeader { marker, payload_type: 96, sequence_number, timestamp, ssrc };
            self.bench.receive(1, &packet(&header, &payload));
        }
    }

    /// The encodings whose key frames were asked for.
    pub fn asked(&mut self) -> Vec<usize> {
        let (_, compounds) = self.bench.sent_to(1);
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let asked = packets.filter_map(|packet| match packet.unwrap() {
            RtcpPacket::Pli(pli) => ENCODINGS.iter().position(|ssrc| *ssrc == pli.media_ssrc),
            _ => None,
        });
        asked.collect()
    }

    pub fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            if self.millis.is_multiple_of(FRAME_MILLIS) {
                let asked = self.asked();
                for encoding in 0..self.show.bitrates.len() {
                    self.frame(encoding, asked.contains(&encoding) || self.frames == 0);
                }
                self.frames += 1;
            }
            self.bench.pass(1);
            let now = self.bench.now;
            let (media, _) = self.bench.sent_to(2);
            media.into_iter().for_each(|bytes| self.link.send(now, bytes));
            while let Some((bytes, ecn)) = self.link.arrived(now) {
                self.take(&bytes, ecn);
            }
            self.tell();
            self.events.extend(self.bench.events());
            self.millis += 1;
        }
    }

    pub fn take(&mut self, bytes: &[u8], ecn: Ecn) {
        let packet = RtpPacket::parse(bytes).unwrap();
        if self.telling == Telling::ByStream {
            self.arrivals_by_stream.record(self.bench.now, packet.ssrc(), packet.sequence_number(), ecn);
        }
        let number = packet.extension(TRANSPORT_WIDE).map(|value| u16::from_be_bytes([value[0], value[1]]));
        if let Some(number) = number {
            self.arrivals.record(self.bench.now, number);
        }
        if packet.payload_type() == 101 {
            let number = packet.sequence_number();
            let newer = self.got.1.map_or(1, |last| number.wrapping_sub(last));
            if (1..0x8000).contains(&newer) {
                self.holes += u64::from(newer - 1);
                self.got.1 = Some(number);
            }
            self.got.0 += 1;
        }
    }

    pub fn tell(&mut self) {
        let mut buffer = [0; 1200];
        let mut writer = RtcpWriter::new(&mut buffer);
        let ssrc = self.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        writer.receiver_report(9, &[]).unwrap();
        let wrote = match self.telling {
            Telling::Reports => self.arrivals.poll(self.bench.now, 9, ssrc, &mut writer),
            Telling::ByStream => {
                let ntp = WallClock::new(NtpTime::new(1_000_000_000, 0)).ntp(self.bench.now);
                self.arrivals_by_stream.poll(self.bench.now, ntp, 9, &mut writer)
            }
            Telling::Remb(bitrate) if self.millis % 500 == 499 => writer.remb(9, bitrate, &[ssrc]).is_ok(),
            Telling::Remb(_) | Telling::Nothing => false,
        };
        if wrote {
            let len = writer.finish();
            self.bench.receive(2, &buffer[..len]);
        }
    }

    pub fn explain(&mut self) -> ConsumerExplanation {
        self.bench.ask(ExplainConsumer { id: self.consumer.id }).unwrap()
    }

    pub fn layer(&mut self) -> Option<u8> {
        self.explain().current_layers.map(|layers| layers.spatial_layer)
    }

    pub fn stats(&mut self) -> TransportStats {
        self.bench.ask(GetTransportStats { id: self.viewer }).unwrap()
    }

    /// Asks for what becomes of the estimate.
    pub fn trace(&mut self) {
        let flags = TransportTraceFlags { probation: true, bwe: true };
        self.bench.ask(TraceTransport { id: self.viewer, flags }).unwrap();
    }

    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.events.iter().filter_map(|event| match event {
            Event::Transport(_, TransportEvent::Trace(trace)) => Some(trace),
            _ => None,
        })
    }

    /// What was told of the estimate, with the milliseconds since the beginning.
    pub fn estimates(&self) -> Vec<(u64, BweTrace)> {
        let of = |trace: &Trace| match trace.info {
            TraceInfo::Bwe(bwe) => Some((trace.timestamp - BEGINNING, bwe)),
            _ => None,
        };
        self.traces().filter_map(of).collect()
    }

    /// The layer after each of so many steps of time.
    pub fn layers(&mut self, steps: usize, millis: u64) -> Vec<Option<u8>> {
        (0..steps)
            .map(|_| {
                self.run(millis);
                self.layer()
            })
            .collect()
    }
}
