//! Which packets a consumer gets, and how they are renumbered: a pure decision for each packet.
//!
//! Sees [`PacketMeta`], never bytes. Pausing, connection and payload types are checked before, by whoever owns the consumer.

use crate::descriptor_changes::{DescriptorChange, DescriptorChanges};
use crate::frame_layers::Limit;
use crate::key_frame::KeyFrameGate;
use crate::key_frame_run::KeyFrameRun;
use crate::meta::PacketMeta;
use crate::payload_ids::PayloadIds;
use crate::sequence_map::SequenceMap;
use crate::simulcast::SimulcastSelector;
use crate::timestamp_map::TimestampMap;
use crate::verdict::{DropReason, Rewrite, Verdict};

/// How a consumer chooses among the packets of its producer. New ways of choosing are new variants; callers see [`decide`](Self::decide)
/// alone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Selector {
    /// One stream, all of it.
    Simple(Box<SimpleSelector>),
    /// All streams, each on its own: the far end selects.
    Pipe(PipeSelector),
    /// One stream out of several encodings, or with layers to choose from.
    Simulcast(Box<SimulcastSelector>),
}

impl Selector {
    /// What becomes of a packet. The packets of a stream come in the order of their arrival.
    #[inline]
    pub fn decide(&mut self, meta: &PacketMeta) -> Verdict {
        let stream = match self {
            Self::Simple(simple) => simple,
            Self::Pipe(pipe) => match pipe.streams.get_mut(usize::from(meta.encoding)) {
                Some(stream) => stream,
                None => return Verdict::Drop(DropReason::UnknownEncoding),
            },
            Self::Simulcast(simulcast) => return simulcast.decide(meta),
        };
        stream.decide(meta)
    }

    /// The consumer pauses, or what it sent got lost as a whole: it goes on at the next key frame, without a gap.
    pub fn restart(&mut self) {
        match self {
            Self::Simple(simple) => simple.restart(),
            Self::Pipe(pipe) => pipe.streams.iter_mut().for_each(SimpleSelector::restart),
            Self::Simulcast(simulcast) => simulcast.restart(),
        }
    }

    /// The stream of `encoding` was exchanged for another one, with sequence numbers and timestamps of its own.
    pub fn source_changed(&mut self, encoding: u8) {
        match self {
            Self::Simple(simple) => simple.source_changed(),
            Self::Pipe(pipe) => {
                if let Some(stream) = pipe.streams.get_mut(usize::from(encoding)) {
                    stream.source_changed();
                }
            }
            Self::Simulcast(simulcast) => simulcast.source_changed(encoding),
        }
    }

    /// What changes in the dependency descriptor of a packet of `encoding` that is, or was, sent under this sequence number: what is sent
    /// again has to be what was sent first. `None` if that was too long ago to be known.
    #[inline]
    pub fn descriptor_change(&self, encoding: u8, sequence_number: u16) -> Option<DescriptorChange> {
        match self {
            Self::Simple(simple) => simple.changes.at(sequence_number),
            Self::Pipe(pipe) => pipe.streams.get(usize::from(encoding))?.changes.at(sequence_number),
            Self::Simulcast(simulcast) => simulcast.descriptor_change(sequence_number),
        }
    }

    /// What is added to the timestamps of `encoding`, modulo 2^32. `None` before its first packet and before that of a stream it was
    /// exchanged for, and in simulcast while it does not flow.
    pub fn timestamp_offset(&self, encoding: u8) -> Option<u32> {
        match self {
            Self::Simple(simple) => simple.timestamp.settled_offset(),
            Self::Pipe(pipe) => pipe.streams.get(usize::from(encoding))?.timestamp.settled_offset(),
            Self::Simulcast(simulcast) => simulcast.timestamp_offset(encoding),
        }
    }

    /// The sequence number that the next packet of an outgoing stream would have; there is one, or with pipes one for each encoding.
    pub fn next_sequence_number(&self, stream: usize) -> Option<u16> {
        match self {
            Self::Simple(simple) => Some(simple.sequence.next()),
            Self::Pipe(pipe) => pipe.streams.get(stream).map(|simple| simple.sequence.next()),
            Self::Simulcast(simulcast) => Some(simulcast.next_sequence_number()),
        }
    }

    /// Whether a key frame of `encoding` is waited for: ask its source.
    pub fn needs_key_frame(&self, encoding: u8) -> bool {
        match self {
            Self::Simple(simple) => simple.needs_key_frame(),
            Self::Pipe(pipe) => {
                pipe.streams.get(usize::from(encoding)).is_some_and(SimpleSelector::needs_key_frame)
            }
            Self::Simulcast(simulcast) => simulcast.needs_key_frame(encoding),
        }
    }

    /// Whether nothing flows, and a key frame of `encoding` is waited for: the packets since the last one would do, see
    /// [`start_from`](Self::start_from). Not where the far end selects.
    pub fn starts_with(&self, encoding: u8) -> bool {
        match self {
            Self::Simple(simple) => simple.needs_key_frame(),
            Self::Pipe(_) => false,
            Self::Simulcast(simulcast) => simulcast.starts_with(encoding),
        }
    }

    /// The packets of `run` come next, in order and all at once. Their timestamps will lie close together just before that of the newest,
    /// which is returned. `None`, and nothing has changed, if they cannot be sent without going back in time, or are not what is waited for.
    pub fn start_from(&mut self, run: &KeyFrameRun) -> Option<u32> {
        match self {
            Self::Simple(simple) => simple.start_from(run),
            Self::Pipe(_) => None,
            Self::Simulcast(simulcast) => simulcast.start_from(run),
        }
    }
}

/// What a [`SimpleSelector`] is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimpleSelectorConfig {
    /// Video whose key frames can be told: start and resume on one.
    pub needs_key_frame: bool,
    /// Drop Opus frames of discontinuous transmission (`ignoreDtx`).
    pub ignore_dtx: bool,
    /// Clock rate in Hz.
    pub clock_rate: u32,
    /// First output sequence number; should be random.
    pub first_sequence_number: u16,
}

/// Forwards one stream whole: from a key frame on, without padding and, if wanted, without silence.
#[derive(Clone, Copy, Debug)]
pub struct SimpleSelector {
    gate: KeyFrameGate,
    ignore_dtx: bool,
    sequence: SequenceMap,
    timestamp: TimestampMap,
    ids: PayloadIds,
    changes: DescriptorChanges,
    /// Nothing was sent since it started, or started anew.
    is_new: bool,
}

impl SimpleSelector {
    /// A selector that has seen nothing.
    pub const fn new(config: SimpleSelectorConfig) -> Self {
        Self {
            gate: KeyFrameGate::new(config.needs_key_frame),
            ignore_dtx: config.ignore_dtx,
            sequence: SequenceMap::new(config.first_sequence_number),
            timestamp: TimestampMap::new(config.clock_rate),
            ids: PayloadIds::new(),
            changes: DescriptorChanges::new(),
            is_new: true,
        }
    }

    /// What becomes of a packet.
    #[inline]
    pub fn decide(&mut self, meta: &PacketMeta) -> Verdict {
        if !self.gate.pass(meta.is_key_frame) {
            return Verdict::Drop(DropReason::WaitingForKeyFrame);
        }
        if let Some(reason) = self.unwanted(meta) {
            self.sequence.drop_packet(meta.extended_sequence);
            return Verdict::Drop(reason);
        }
        let sequence_number = match self.sequence.forward(meta.extended_sequence) {
            Ok(sequence_number) => sequence_number,
            Err(reason) => return Verdict::Drop(reason),
        };
        if let Some(frame) = meta.layers.frame_number() {
            if std::mem::take(&mut self.is_new) {
                self.changes.begin(frame, sequence_number, Limit::NONE);
            }
            self.changes.note(frame, sequence_number);
        }
        Verdict::Forward(Rewrite {
            sequence_number,
            timestamp: self.timestamp.map(meta.received_at, meta.timestamp),
            marker: None,
            payload: self.ids.forward(&meta.descriptor),
        })
    }

    /// The stream goes on at the next key frame, without a gap in sequence numbers and picture ids.
    pub const fn restart(&mut self) {
        self.gate.close();
        self.is_new = true;
        self.sequence.resync(0);
        self.ids.resync();
    }

    /// The source is another one: as [`restart`](Self::restart), and the timestamps are aligned anew.
    pub const fn source_changed(&mut self) {
        self.restart();
        self.timestamp.realign();
    }

    /// The packets of `run` come next, see [`Selector::start_from`].
    pub fn start_from(&mut self, run: &KeyFrameRun) -> Option<u32> {
        let KeyFrameRun { first, newest } = run;
        if !self.needs_key_frame() {
            return None;
        }
        let offset = self.timestamp.offset_at(newest.received_at, newest.timestamp);
        self.timestamp.squeeze(offset, first.timestamp, newest.timestamp)
    }

    /// Whether a key frame is waited for.
    pub const fn needs_key_frame(&self) -> bool {
        self.gate.is_waiting()
    }

    #[inline]
    fn unwanted(&self, meta: &PacketMeta) -> Option<DropReason> {
        if meta.payload_size == 0 {
            Some(DropReason::PaddingOnly)
        } else if self.ignore_dtx && meta.is_dtx() {
            Some(DropReason::Dtx)
        } else {
            None
        }
    }
}

/// Forwards all streams of a producer, by encoding.
#[derive(Clone, Debug)]
pub struct PipeSelector {
    streams: Box<[SimpleSelector]>,
}

impl PipeSelector {
    /// A selector with a stream for each of `configs`, in the order of the encodings.
    pub fn new(configs: impl IntoIterator<Item = SimpleSelectorConfig>) -> Self {
        Self { streams: configs.into_iter().map(SimpleSelector::new).collect() }
    }

    /// What becomes of a packet; it goes out on the stream of its encoding.
    pub fn decide(&mut self, meta: &PacketMeta) -> Verdict {
        match self.streams.get_mut(usize::from(meta.encoding)) {
            Some(stream) => stream.decide(meta),
            None => Verdict::Drop(DropReason::UnknownEncoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_layers::FrameLayers;
    use crate::verdict::PayloadPatch;
    use tureen_rtp_wire::Time;
    use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, vp8};

    fn video() -> SimpleSelector {
        SimpleSelector::new(SimpleSelectorConfig {
            needs_key_frame: true,
            ignore_dtx: false,
            clock_rate: 90_000,
            first_sequence_number: 1,
        })
    }

    fn packet(sequence: u64, is_key_frame: bool) -> PacketMeta {
        PacketMeta {
            received_at: Time::from_millis(sequence * 10),
            extended_sequence: 65_536 + sequence,
            timestamp: sequence as u32 * 900,
            payload_size: 1000,
            encoding: 0,
            spatial_layer: 0,
            temporal_layer: 0,
            marker: false,
            is_key_frame,
            primary: None,
            descriptor: PayloadDescriptor::Opaque,
            layers: FrameLayers::UNKNOWN,
        }
    }

    fn forwarded(verdict: Verdict) -> Option<(u16, u32)> {
        match verdict {
            Verdict::Forward(rewrite) => Some((rewrite.sequence_number, rewrite.timestamp)),
            Verdict::Drop(_) => None,
        }
    }

    fn silence() -> PayloadDescriptor {
        PayloadDescriptor::parse(PayloadFormat::Opus, &[0xf8]).expect("a lone TOC byte")
    }

    #[test]
    fn video_starts_and_resumes_on_a_key_frame() {
        let mut selector = video();
        assert_eq!(selector.decide(&packet(10, false)), Verdict::Drop(DropReason::WaitingForKeyFrame));
        assert!(selector.needs_key_frame());
        assert_eq!(forwarded(selector.decide(&packet(11, true))), Some((1, 9900)));
        assert_eq!(forwarded(selector.decide(&packet(12, false))), Some((2, 10_800)));
        assert_eq!(selector.decide(&packet(10, false)), Verdict::Drop(DropReason::BeforeStart));
        selector.restart();
        assert_eq!(selector.decide(&packet(13, false)), Verdict::Drop(DropReason::WaitingForKeyFrame));
        assert_eq!(forwarded(selector.decide(&packet(20, true))), Some((3, 18_000)));
    }

    #[test]
    fn padding_and_silence_leave_no_gap() {
        let config = SimpleSelectorConfig {
            ignore_dtx: true,
            first_sequence_number: 7,
            ..SimpleSelectorConfig::default()
        };
        let mut selector = SimpleSelector::new(config);
        assert_eq!(forwarded(selector.decide(&packet(1, false))), Some((7, 900)));
        let padding = PacketMeta { payload_size: 0, ..packet(2, false) };
        assert_eq!(selector.decide(&padding), Verdict::Drop(DropReason::PaddingOnly));
        let silence = PacketMeta { descriptor: silence(), ..packet(3, false) };
        assert_eq!(selector.decide(&silence), Verdict::Drop(DropReason::Dtx));
        assert_eq!(forwarded(selector.decide(&packet(4, false))), Some((8, 3600)));
    }

    #[test]
    fn silence_passes_unless_told_otherwise() {
        let mut selector = SimpleSelector::new(SimpleSelectorConfig::default());
        let silence = PacketMeta { descriptor: silence(), ..packet(3, false) };
        assert!(forwarded(selector.decide(&silence)).is_some());
    }

    #[test]
    fn another_source_goes_on_seamlessly() {
        let mut selector = video();
        assert_eq!(forwarded(selector.decide(&packet(1, true))), Some((1, 900)));
        selector.source_changed();
        let other = PacketMeta { timestamp: 4_000_000_000, ..packet(3, true) };
        // 20 ms later: 1800 units on.
        assert_eq!(forwarded(selector.decide(&other)), Some((2, 2700)));
    }

    #[test]
    fn picture_ids_are_continuous() {
        let mut selector = video();
        let with_id = |sequence, picture_id| PacketMeta {
            descriptor: PayloadDescriptor::Vp8(
                vp8::Descriptor::parse(&[0x90, 0x80, 0x80, picture_id, 0]).expect("a PictureID"),
            ),
            ..packet(sequence, true)
        };
        let patch = |picture_id| PayloadPatch::Vp8 { picture_id, tl0_pic_idx: 0 };
        let Verdict::Forward(first) = selector.decide(&with_id(1, 100)) else { panic!("a key frame passes") };
        assert_eq!(first.payload, patch(1));
        selector.restart();
        let Verdict::Forward(second) = selector.decide(&with_id(50, 200)) else {
            panic!("a key frame passes")
        };
        assert_eq!(second.payload, patch(2));
    }

    #[test]
    fn picture_ids_of_vp9_go_on_after_a_pause_and_are_left_alone_before() {
        let mut selector = video();
        let mut payload = |sequence: u64, high: u8, tl0_pic_idx: u8| {
            let payload = [0xac, 0x80 | high, 0, 0x10, tl0_pic_idx, 0];
            let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp9, &payload).expect("VP9");
            match selector.decide(&PacketMeta { descriptor, ..packet(sequence, true) }) {
                Verdict::Forward(rewrite) => {
                    selector.restart();
                    rewrite.payload
                }
                Verdict::Drop(reason) => panic!("{reason:?}"),
            }
        };
        assert_eq!(payload(1, 1, 200), PayloadPatch::None);
        assert_eq!(payload(9, 77, 2), PayloadPatch::Vp9 { picture_id: 257, tl0_pic_idx: 201 });
        assert_eq!(payload(20, 0, 9), PayloadPatch::Vp9 { picture_id: 258, tl0_pic_idx: 202 });
    }

    #[test]
    fn a_pipe_numbers_each_encoding_apart() {
        let config = |first_sequence_number| SimpleSelectorConfig {
            first_sequence_number,
            ..SimpleSelectorConfig::default()
        };
        let mut selector = Selector::Pipe(PipeSelector::new([config(1), config(100)]));
        let on = |encoding, sequence| PacketMeta { encoding, ..packet(sequence, false) };
        assert_eq!(forwarded(selector.decide(&on(0, 5))), Some((1, 4500)));
        assert_eq!(forwarded(selector.decide(&on(1, 900))), Some((100, 810_000)));
        assert_eq!(forwarded(selector.decide(&on(0, 6))), Some((2, 5400)));
        assert_eq!(selector.decide(&on(2, 6)), Verdict::Drop(DropReason::UnknownEncoding));
        assert!(!selector.needs_key_frame(2));
    }
}
