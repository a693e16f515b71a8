//! A selector under any sequence of wishes, packets, pauses and exchanged streams: each packet that it forwards has a number of its own,
//! the packets of a picture share a timestamp that no other picture has, and a stream begins with a key frame.
//!
//! The first byte says what tells of layers. Planted: a packet with a marker is sent under the number before its own.

use crate::Fault;
use crate::bytes::Bytes;
use std::collections::BTreeMap;
use tureen_forwarding::{
    DecodeTargets, FrameLayers, PacketMeta, Rewrite, SimulcastSelector, SimulcastSelectorConfig, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};

const ENCODINGS: u8 = 3;
/// Numbers further apart than this may be the same ones again.
const REMEMBERED: usize = 1000;

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut play = Play::new(input.u8(), fault);
    while !input.is_empty() {
        play.step(&mut input);
    }
}

/// What was sent under a number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sent {
    /// Counts pauses, switches and exchanges: pictures of different runs have nothing to do with each other.
    run: u32,
    encoding: u8,
    source: u64,
    source_timestamp: u32,
    timestamp: u32,
}

struct Play {
    selector: SimulcastSelector,
    format: PayloadFormat,
    structure: TemplateStructure,
    targets: DecodeTargets,
    now: Time,
    /// By encoding, extended sequence number and timestamp of the next packet.
    next: [(u64, u32); ENCODINGS as usize],
    run: u32,
    /// The encoding of the last packet that was sent in this run.
    flowing: Option<u8>,
    sent: BTreeMap<u16, Sent>,
    order: Vec<u16>,
    fault: Fault,
}

impl Play {
    fn new(choice: u8, fault: Fault) -> Self {
        let formats = [PayloadFormat::Vp8, PayloadFormat::Vp9, PayloadFormat::H264, PayloadFormat::Av1];
        let config = SimulcastSelectorConfig {
            needs_key_frame: true,
            clock_rate: 90_000,
            first_sequence_number: u16::from(choice) << 8 | 0xf0,
        };
        Self {
            selector: SimulcastSelector::new(config),
            format: formats[usize::from(choice & 3)],
            structure: TemplateStructure::default(),
            targets: DecodeTargets::default(),
            now: Time::from_millis(1000),
            next: [(65_536 + 10, 5), (65_536 * 2 - 3, u32::MAX - 9000), (70_000, 1 << 31)],
            run: 0,
            flowing: None,
            sent: BTreeMap::new(),
            order: Vec::new(),
            fault,
        }
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let (operation, value) = (input.u8(), input.u8());
        let encoding = value % ENCODINGS;
        match operation % 16 {
            0 => drop(self.selector.set_target(encoding, value >> 2 & 7)),
            1 => drop(self.selector.set_spatial_target(value & 7)),
            2 => {
                self.selector.restart();
                self.begin_run();
            }
            3 => {
                self.selector.source_changed(encoding);
                self.next[usize::from(encoding)] = (65_536 + u64::from(input.u16()), input.u32());
                if self.flowing == Some(encoding) {
                    self.begin_run();
                }
            }
            4 => self.selector.set_alignment(encoding, input.u32()),
            5 => self.now = Time::from_micros(self.now.as_micros() + u64::from(input.u16())),
            6 => self.next[usize::from(encoding)].0 += u64::from(value >> 2),
            7 => self.next[usize::from(encoding)].1 = self.next[usize::from(encoding)].1.wrapping_add(3000),
            _ => self.packet(encoding, operation, input),
        }
    }

    fn begin_run(&mut self) {
        self.run += 1;
        self.flowing = None;
    }

    fn packet(&mut self, encoding: u8, operation: u8, input: &mut Bytes<'_>) {
        let len = usize::from(input.u8() & 31);
        let described = input.take(len);
        let (number, timestamp) = self.next[usize::from(encoding)];
        let late = u64::from(if operation & 0x80 == 0 { 0 } else { operation >> 4 & 7 });
        let Some((descriptor, is_key_frame, layers)) = self.describe(operation & 1 == 1, described) else {
            return;
        };
        let meta = PacketMeta {
            received_at: self.now,
            extended_sequence: number.saturating_sub(late),
            timestamp,
            payload_size: u16::from(operation & 0x20 == 0) * 100,
            encoding,
            spatial_layer: descriptor.spatial_layer(),
            temporal_layer: descriptor.temporal_layer(),
            marker: operation & 0x40 != 0,
            is_key_frame,
            primary: None,
            descriptor,
            layers,
        };
        if late == 0 {
            self.next[usize::from(encoding)].0 += 1;
        }
        let before = self.selector.current().map(|layers| layers.encoding);
        let verdict = self.selector.decide(&meta);
        let after = self.selector.current().map(|layers| layers.encoding);
        if after != before {
            assert_eq!(after, Some(encoding), "a packet brings its own encoding alone");
            assert!(meta.is_key_frame, "a stream begins with a key frame, be it one whose layer is left out");
            self.begin_run();
        }
        if let Verdict::Forward(rewrite) = verdict {
            self.forwarded(&meta, rewrite);
        }
        // What is decided again was not sent before: here it counts as lost.
        self.selector.take_backlog().for_each(drop);
        let _ = (self.selector.target(), self.selector.needs_key_frame(encoding));
    }

    /// What a packet says of itself, by its dependency descriptor or its payload.
    fn describe(
        &mut self,
        by_dependencies: bool,
        bytes: &[u8],
    ) -> Option<(PayloadDescriptor, bool, FrameLayers)> {
        if !by_dependencies {
            let descriptor = PayloadDescriptor::parse(self.format, bytes)?;
            return Some((descriptor, descriptor.is_key_frame(), FrameLayers::of_payload(&descriptor)));
        }
        let found = DependencyDescriptor::parse(bytes, &mut self.structure).ok()?;
        if found.has_structure {
            self.targets = DecodeTargets::new(&self.structure);
        }
        if let Some(mask) = found.active_decode_targets
            && let Some(active) = self.targets.active_layers(mask)
        {
            assert!(active.lowest_spatial <= active.highest_spatial);
        }
        let starts = found.has_structure && found.mandatory.start_of_frame;
        Some((PayloadDescriptor::Opaque, starts, self.targets.frame_layers(&found)))
    }

    fn forwarded(&mut self, meta: &PacketMeta, rewrite: Rewrite) {
        let current = self.selector.current().expect("what is forwarded flows");
        assert_eq!(current.encoding, meta.encoding, "only the current encoding is forwarded");
        assert!(meta.payload_size > 0, "padding goes to nobody");
        self.flowing = Some(meta.encoding);
        let planted = self.fault == Fault::Planted && meta.marker;
        let number = rewrite.sequence_number.wrapping_sub(u16::from(planted));
        let sent = Sent {
            run: self.run,
            encoding: meta.encoding,
            source: meta.extended_sequence,
            source_timestamp: meta.timestamp,
            timestamp: rewrite.timestamp,
        };
        if let Some(other) = self.sent.insert(number, sent) {
            // A duplicate of the very packet goes out under the same number.
            assert!(
                (other.run, other.encoding, other.source) == (sent.run, sent.encoding, sent.source),
                "a number twice"
            );
        }
        for other in
            self.sent.values().filter(|other| (other.run, other.encoding) == (sent.run, sent.encoding))
        {
            let same = other.source_timestamp == sent.source_timestamp;
            assert_eq!(same, other.timestamp == sent.timestamp, "a picture has a timestamp of its own");
        }
        self.order.push(number);
        if self.order.len() > REMEMBERED {
            self.sent.remove(&self.order.remove(0));
        }
    }
}
