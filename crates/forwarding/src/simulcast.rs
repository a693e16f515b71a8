//! One stream out of several encodings of the same source, or out of one with layers: which packets, and how they are renumbered.
//!
//! Does what it is told, it does not choose: whoever owns the consumer knows who is alive and what is wanted, and calls
//! [`SimulcastSelector::set_target`]. A switch happens at a key frame of the target; until then the current encoding goes on.

use crate::descriptor_changes::{DescriptorChange, DescriptorChanges};
use crate::frame_layers::Limit;
use crate::key_frame_run::KeyFrameRun;
use crate::layer_filter::LayerFilter;
use crate::meta::PacketMeta;
use crate::payload_ids::PayloadIds;
use crate::sequence_map::SequenceMap;
use crate::timeline::Timeline;
use crate::verdict::{DropReason, Rewrite, Verdict};
use tureen_rtp_wire::payload::PayloadDescriptor;

/// Sequence numbers kept in front of a key frame whose first packet may be missing: parameter sets are that many at most.
const MAX_ROOM: u64 = 4;

/// What a [`SimulcastSelector`] is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulcastSelectorConfig {
    /// Key frames can be told: switch at them alone. Otherwise a switch happens at the next packet.
    pub needs_key_frame: bool,
    /// Clock rate in Hz.
    pub clock_rate: u32,
    /// First output sequence number; should be random.
    pub first_sequence_number: u16,
}

/// What flows: an encoding, and its layers up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectedLayers {
    /// Index of the encoding.
    pub encoding: u8,
    /// The highest spatial layer within the encoding that passes; [`u8::MAX`] if none is left out.
    pub spatial_layer: u8,
    /// The highest temporal layer that passes; [`u8::MAX`] if none is left out.
    pub temporal_layer: u8,
}

/// Packets that came before the key frame that they stand behind: extended sequence numbers, the lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    newest: u64,
    /// Bit `i`: `newest - i` came.
    came: u64,
}

impl Backlog {
    fn add(&mut self, number: u64) {
        if let Some(ahead) = number.checked_sub(self.newest) {
            self.came = shifted(self.came, ahead);
            self.newest = number;
        }
        self.came |= shifted(1, self.newest - number);
    }

    /// What stands behind `number`.
    fn behind(self, number: u64) -> Self {
        let mask = shifted(1, self.newest.saturating_sub(number)).wrapping_sub(1);
        Self { came: self.came & mask, ..self }
    }
}

/// Bits moved up by any number of places.
fn shifted(bits: u64, by: u64) -> u64 {
    u32::try_from(by).ok().and_then(|by| bits.checked_shl(by)).unwrap_or(0)
}

impl Iterator for Backlog {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let place = self.came.checked_ilog2()?;
        self.came &= !(1 << place);
        Some(self.newest.saturating_sub(u64::from(place)))
    }
}

/// Where the current encoding was entered.
#[derive(Clone, Copy, Debug, Default)]
struct Start {
    extended_sequence: u64,
    timestamp: u32,
    /// Numbers kept in front of it.
    room: u8,
    /// Of the frame that it was entered with, be it one that is left out.
    frame_number: Option<u16>,
    /// Nothing was sent since.
    is_new: bool,
}

/// Forwards one encoding at a time, as one stream: sequence numbers, timestamps and the picture ids of VP8 and VP9 go on over switches.
#[derive(Clone, Debug)]
pub struct SimulcastSelector {
    needs_key_frame: bool,
    target: Option<u8>,
    current: Option<u8>,
    start: Start,
    /// Packets of the target that came while its key frame is waited for.
    waiting: Option<Backlog>,
    /// The newest packet that was sent.
    newest: u64,
    /// It did not end its frame.
    cut_off: bool,
    /// The timestamp of the key frame that [`SimulcastSelector::may_be_replaced`] last said it of.
    doubted: Option<u32>,
    /// Those of them that stand behind it, once it came.
    backlog: Backlog,
    layers: LayerFilter,
    sequence: SequenceMap,
    timeline: Timeline,
    ids: PayloadIds,
    changes: DescriptorChanges,
}

impl SimulcastSelector {
    /// A selector that has seen nothing and forwards nothing: it has no target.
    pub const fn new(config: SimulcastSelectorConfig) -> Self {
        Self {
            needs_key_frame: config.needs_key_frame,
            target: None,
            current: None,
            start: Start { extended_sequence: 0, timestamp: 0, room: 0, frame_number: None, is_new: false },
            waiting: None,
            newest: 0,
            cut_off: false,
            doubted: None,
            backlog: Backlog { newest: 0, came: 0 },
            layers: LayerFilter::new(),
            sequence: SequenceMap::new(config.first_sequence_number),
            timeline: Timeline::new(config.clock_rate),
            ids: PayloadIds::new(),
            changes: DescriptorChanges::new(),
        }
    }

    /// What is wanted: an encoding, and its temporal layers up to one ([`u8::MAX`] for all). Says whether it is another encoding than
    /// before: a key frame may be needed then.
    pub fn set_target(&mut self, encoding: u8, temporal_layer: u8) -> bool {
        self.layers.target_mut().temporal = Limit::up_to(temporal_layer);
        let moved = self.target != Some(encoding);
        if moved {
            self.target = Some(encoding);
            self.waiting = None;
            self.timeline.retarget();
        }
        moved
    }

    /// The highest spatial layer that is wanted of an encoding with several, [`u8::MAX`] for all, which is what it starts with. Says
    /// whether it is another one than before. A lower one is gone to with the next picture, if it is part of what flows; any other with a key
    /// frame.
    pub const fn set_spatial_target(&mut self, spatial_layer: u8) -> bool {
        let (target, spatial_layer) = (self.layers.target_mut(), Limit::up_to(spatial_layer));
        let moved = target.spatial != spatial_layer;
        target.spatial = spatial_layer;
        moved
    }

    /// What changes in the dependency descriptor of a packet that is, or was, sent under this sequence number: frame numbers of encodings
    /// need not have anything to do with each other, and receivers throw away what seems to be old; and the first frame of other
    /// layers says which those are. `None` if that was too long ago to be known.
    pub fn descriptor_change(&self, sequence_number: u16) -> Option<DescriptorChange> {
        self.changes.at(sequence_number)
    }

    /// What is wanted.
    pub fn target(&self) -> Option<SelectedLayers> {
        self.target.map(|encoding| selected(encoding, self.layers.target()))
    }

    /// What flows.
    pub fn current(&self) -> Option<SelectedLayers> {
        self.current.map(|encoding| selected(encoding, self.layers.limit()))
    }

    /// How the clock of an encoding lies to the one that all encodings share, see
    /// [`clock_alignment`](crate::timeline::clock_alignment). Without it, a switch goes by the time of arrival.
    pub fn set_alignment(&mut self, encoding: u8, alignment: u32) {
        self.timeline.set_alignment(encoding, alignment);
    }

    /// What is added to the timestamps of an encoding, modulo 2^32, if it is the one that flows.
    pub(crate) fn timestamp_offset(&self, encoding: u8) -> Option<u32> {
        self.timeline.offset(encoding).filter(|_| self.current == Some(encoding))
    }

    /// What becomes of a packet. A call of its own, so that who forwards streams whole does not pay for what this needs.
    #[inline(never)]
    pub fn decide(&mut self, meta: &PacketMeta) -> Verdict {
        if self.current != Some(meta.encoding) {
            if self.target != Some(meta.encoding) {
                return Verdict::Drop(DropReason::OtherEncoding);
            }
            if let Err(reason) = self.enter(meta) {
                return Verdict::Drop(reason);
            }
        }
        match self.forward(meta) {
            Ok(rewrite) => Verdict::Forward(rewrite),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// After a key frame that was switched to: the packets behind it that came before it and were dropped, the newest 64 at most. To be
    /// decided about once more, in order, before anything else of their encoding.
    pub fn take_backlog(&mut self) -> Backlog {
        std::mem::take(&mut self.backlog)
    }

    /// The sequence number that the next packet would have.
    pub const fn next_sequence_number(&self) -> u16 {
        self.sequence.next()
    }

    /// The stream goes on at the next key frame, without a gap in sequence numbers and picture ids.
    pub const fn restart(&mut self) {
        self.current = None;
        self.waiting = None;
        self.backlog = Backlog { newest: 0, came: 0 };
    }

    /// The stream of `encoding` is another one.
    pub fn source_changed(&mut self, encoding: u8) {
        self.timeline.forget(encoding);
        if self.current == Some(encoding) {
            self.restart();
        }
        if self.target == Some(encoding) {
            self.waiting = None;
        }
    }

    /// Whether a key frame of `encoding` is waited for.
    pub fn needs_key_frame(&self, encoding: u8) -> bool {
        self.needs_key_frame
            && self.target == Some(encoding)
            && (self.current != Some(encoding) || self.layers.waits_for_key_frame())
    }

    /// Whether `meta` begins a key frame of what flows while one of another encoding is waited for. A sender that makes both at once sends
    /// them one after the other: this one had better wait a moment, or the same instant is seen twice. Said once of a key frame.
    pub fn may_be_replaced(&mut self, meta: &PacketMeta) -> bool {
        let awaits_another = self.target.is_some_and(|target| target != meta.encoding);
        let begins = meta.is_key_frame && meta.extended_sequence > self.newest && !self.cut_off;
        self.needs_key_frame
            && self.current == Some(meta.encoding)
            && awaits_another
            && begins
            && self.doubted.replace(meta.timestamp) != Some(meta.timestamp)
    }

    /// Whether nothing flows, and a key frame of `encoding` is waited for.
    pub fn starts_with(&self, encoding: u8) -> bool {
        self.current.is_none() && self.needs_key_frame(encoding)
    }

    /// The packets of `run` come next, in order and all at once. Returns the timestamp that its newest packet will have, or `None` if they
    /// cannot be sent without going back in time, or are not what is waited for.
    pub fn start_from(&mut self, run: &KeyFrameRun) -> Option<u32> {
        if !self.starts_with(run.first.encoding) {
            return None;
        }
        let timestamp = self.timeline.enter_run(run)?;
        self.waiting = None;
        Some(timestamp)
    }

    /// Switches to the target, if `meta` lets it.
    fn enter(&mut self, meta: &PacketMeta) -> Result<(), DropReason> {
        let number = meta.extended_sequence;
        let before = self.waiting;
        let waiting = self.waiting.get_or_insert(Backlog { newest: number, came: 0 });
        waiting.add(number);
        if self.needs_key_frame && !meta.is_key_frame {
            return Err(DropReason::WaitingForKeyFrame);
        }
        self.timeline.enter(meta)?;
        let room = room_before(meta, before);
        self.sequence.start(number, u8::from(self.cut_off), room);
        self.ids.begin(&meta.descriptor);
        self.layers.start(meta.timestamp);
        self.current = Some(meta.encoding);
        self.start = Start {
            extended_sequence: number,
            timestamp: meta.timestamp,
            room,
            frame_number: meta.layers.frame_number(),
            is_new: true,
        };
        self.newest = number;
        self.backlog = before.unwrap_or_default().behind(number);
        self.waiting = None;
        Ok(())
    }

    #[inline]
    fn forward(&mut self, meta: &PacketMeta) -> Result<Rewrite, DropReason> {
        let number = meta.extended_sequence;
        if number <= self.start.extended_sequence && meta.timestamp != self.start.timestamp {
            return Err(DropReason::BeforeStart);
        }
        if meta.payload_size == 0 {
            self.sequence.drop_packet(number);
            return Err(DropReason::PaddingOnly);
        }
        let ends_picture = self.layers.pass(meta).inspect_err(|_| {
            self.sequence.drop_packet(number);
            self.ids.leave_out(&meta.descriptor);
        })?;
        let sequence_number = self.sequence.forward(number)?;
        let in_order = number >= self.newest;
        if let Some(frame) = meta.layers.frame_number() {
            let limit = self.layers.limit();
            if std::mem::take(&mut self.start.is_new) {
                let first = sequence_number.wrapping_sub(u16::from(self.start.room));
                self.changes.begin(self.start.frame_number.unwrap_or(frame), first, limit);
            } else if meta.layers.starts_frame && in_order {
                self.changes.set_limit(limit, sequence_number);
            }
            self.changes.note(frame, sequence_number);
        }
        if in_order {
            self.newest = number;
            self.cut_off = !(meta.marker || ends_picture);
        }
        Ok(Rewrite {
            sequence_number,
            timestamp: self.timeline.map(meta.received_at, meta.timestamp),
            marker: (ends_picture && !meta.marker).then_some(true),
            payload: self.ids.forward(&meta.descriptor),
        })
    }
}

fn selected(encoding: u8, limit: Limit) -> SelectedLayers {
    SelectedLayers { encoding, spatial_layer: limit.spatial, temporal_layer: limit.temporal }
}

/// How many numbers to keep in front of the packet that starts a key frame. Only codecs that do not mark the first packet of a frame
/// need any: parameter sets may be on their way still, among what is missing.
fn room_before(meta: &PacketMeta, came: Option<Backlog>) -> u8 {
    if !matches!(meta.descriptor, PayloadDescriptor::H264(_) | PayloadDescriptor::H265(_)) {
        return 0;
    }
    let missing = came.and_then(|came| meta.extended_sequence.checked_sub(came.newest + 1)).unwrap_or(0);
    missing.min(MAX_ROOM) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame_layers::FrameLayers;
    use crate::verdict::PayloadPatch;
    use tureen_rtp_wire::Time;
    use tureen_rtp_wire::payload::{PayloadFormat, vp8};

    fn selector() -> SimulcastSelector {
        SimulcastSelector::new(SimulcastSelectorConfig {
            needs_key_frame: true,
            clock_rate: 90_000,
            first_sequence_number: 1,
        })
    }

    /// A packet that is a whole frame; frames of all encodings come every 10 ms, by their number.
    fn frame(encoding: u8, number: u64, is_key_frame: bool) -> PacketMeta {
        PacketMeta {
            received_at: Time::from_millis(number * 10),
            extended_sequence: 65_536 + 1000 * u64::from(encoding) + number,
            timestamp: number as u32 * 900 + 1_000_000 * u32::from(encoding),
            payload_size: 1000,
            encoding,
            spatial_layer: 0,
            temporal_layer: 0,
            marker: true,
            is_key_frame,
            primary: None,
            descriptor: PayloadDescriptor::Opaque,
            layers: FrameLayers::UNKNOWN,
        }
    }

    fn outcome(selector: &mut SimulcastSelector, meta: &PacketMeta) -> Result<(u16, u32), DropReason> {
        match selector.decide(meta) {
            Verdict::Forward(rewrite) => Ok((rewrite.sequence_number, rewrite.timestamp)),
            Verdict::Drop(reason) => Err(reason),
        }
    }

    fn h264(meta: PacketMeta, payload: &[u8]) -> PacketMeta {
        let descriptor = PayloadDescriptor::parse(PayloadFormat::H264, payload).expect("H.264");
        PacketMeta { is_key_frame: descriptor.is_key_frame(), descriptor, ..meta }
    }

    #[test]
    fn the_current_encoding_goes_on_until_a_key_frame_of_the_target() {
        let mut selector = selector();
        assert_eq!(outcome(&mut selector, &frame(0, 1, true)), Err(DropReason::OtherEncoding));
        assert!(selector.set_target(0, 2));
        assert!(selector.needs_key_frame(0) && !selector.needs_key_frame(1));
        assert_eq!(outcome(&mut selector, &frame(0, 2, false)), Err(DropReason::WaitingForKeyFrame));
        assert_eq!(outcome(&mut selector, &frame(0, 3, true)), Ok((1, 2700)));
        assert_eq!(
            selector.current(),
            Some(SelectedLayers { encoding: 0, spatial_layer: u8::MAX, temporal_layer: 2 })
        );
        assert!(selector.set_target(1, 2) && !selector.set_target(1, 2));
        assert!(selector.needs_key_frame(1) && !selector.needs_key_frame(0));
        assert_eq!(outcome(&mut selector, &frame(0, 4, false)), Ok((2, 3600)));
        assert_eq!(outcome(&mut selector, &frame(1, 4, false)), Err(DropReason::WaitingForKeyFrame));
        assert_eq!(outcome(&mut selector, &frame(1, 5, true)), Ok((3, 4500)));
        assert_eq!(outcome(&mut selector, &frame(0, 5, false)), Err(DropReason::OtherEncoding));
        assert_eq!(outcome(&mut selector, &frame(1, 4, false)), Err(DropReason::BeforeStart));
        assert_eq!(outcome(&mut selector, &frame(1, 6, false)), Ok((4, 5400)));
        assert_eq!(selector.current().map(|layers| layers.encoding), Some(1));
    }

    #[test]
    fn a_frame_that_is_cut_off_leaves_a_hole() {
        let mut selector = selector();
        selector.set_target(0, 2);
        assert_eq!(outcome(&mut selector, &PacketMeta { marker: false, ..frame(0, 1, true) }), Ok((1, 900)));
        selector.set_target(1, 2);
        assert_eq!(outcome(&mut selector, &frame(1, 2, true)), Ok((3, 1800)));
        selector.set_target(0, 2);
        assert_eq!(outcome(&mut selector, &frame(0, 3, true)), Ok((4, 2700)));
    }

    #[test]
    fn what_overtook_its_key_frame_is_a_backlog() {
        let mut selector = selector();
        selector.set_target(0, 2);
        for number in [1, 5, 3] {
            assert!(outcome(&mut selector, &frame(0, number, false)).is_err());
        }
        assert_eq!(outcome(&mut selector, &frame(0, 2, true)), Ok((1, 1800)));
        assert!(selector.take_backlog().eq([65_536 + 3, 65_536 + 5]));
        assert!(selector.take_backlog().eq([]));
        assert_eq!(outcome(&mut selector, &frame(0, 3, false)), Ok((2, 2700)));
        assert_eq!(outcome(&mut selector, &frame(0, 4, false)), Ok((3, 3600)));
    }

    #[test]
    fn a_backlog_has_the_newest_64() {
        let mut backlog = Backlog { newest: 100, came: 0 };
        for number in [100, 99, 130, 131, 1000, 999, 937, 936, 1003] {
            backlog.add(number);
        }
        assert!(backlog.behind(999).eq([1000, 1003]));
        assert!(backlog.behind(10).eq([999, 1000, 1003]), "940 is the oldest that is remembered");
        assert!(backlog.behind(1003).eq([]) && backlog.behind(2000).eq([]));
        assert!(Backlog::default().behind(5).eq([]));
    }

    #[test]
    fn parameter_sets_that_come_late_have_their_place() {
        let mut selector = selector();
        selector.set_target(0, 2);
        let of_key_frame = |number: u64, payload: &[u8]| {
            h264(PacketMeta { timestamp: 1800, ..frame(0, number, false) }, payload)
        };
        let slice = [0x41, 0x9a];
        assert!(outcome(&mut selector, &h264(frame(0, 1, false), &slice)).is_err());
        assert_eq!(outcome(&mut selector, &of_key_frame(3, &[0x65, 0x88])), Ok((2, 1800)));
        assert_eq!(outcome(&mut selector, &of_key_frame(2, &[0x67, 0x42, 0, 0x1f])), Ok((1, 1800)));
        assert_eq!(outcome(&mut selector, &h264(frame(0, 1, false), &slice)), Err(DropReason::BeforeStart));
        assert_eq!(outcome(&mut selector, &h264(frame(0, 4, false), &slice)), Ok((3, 3600)));
    }

    #[test]
    fn a_pause_and_another_source_take_a_key_frame() {
        let mut selector = selector();
        selector.set_target(0, 2);
        assert_eq!(outcome(&mut selector, &frame(0, 1, true)), Ok((1, 900)));
        selector.restart();
        assert_eq!(selector.current(), None);
        assert_eq!(outcome(&mut selector, &frame(0, 2, false)), Err(DropReason::WaitingForKeyFrame));
        assert_eq!(outcome(&mut selector, &frame(0, 5, true)), Ok((2, 4500)));
        selector.source_changed(1);
        assert_eq!(outcome(&mut selector, &frame(0, 6, false)), Ok((3, 5400)));
        selector.source_changed(0);
        assert!(selector.needs_key_frame(0));
        let other = PacketMeta { timestamp: 7, ..frame(0, 8, true) };
        assert_eq!(outcome(&mut selector, &other), Ok((4, 7200)));
    }

    #[test]
    fn frame_numbers_rise_over_switches_and_exchanged_streams() {
        let mut selector = selector();
        let numbered = |encoding: u8, number: u64, frame_number: u16, is_key_frame: bool| {
            let layers = FrameLayers { number: frame_number, is_numbered: true, ..FrameLayers::UNKNOWN };
            PacketMeta { layers, ..frame(encoding, number, is_key_frame) }
        };
        let mut sent = Vec::new();
        let mut send = |selector: &mut SimulcastSelector, meta: PacketMeta| {
            let (sequence_number, _) = outcome(selector, &meta).expect("it passes");
            let change = selector.descriptor_change(sequence_number).expect("it is known");
            let frame_number = meta.layers.number.wrapping_add(change.frame_number_offset);
            sent.push((sequence_number, frame_number));
        };
        selector.set_target(0, u8::MAX);
        send(&mut selector, numbered(0, 1, 65_535, true));
        send(&mut selector, numbered(0, 2, 0, false));
        selector.set_target(1, u8::MAX);
        send(&mut selector, numbered(1, 3, 40_000, true));
        send(&mut selector, numbered(1, 4, 40_002, false));
        selector.source_changed(1);
        send(&mut selector, numbered(1, 5, 30_000, true));
        send(&mut selector, numbered(1, 6, 30_001, false));
        let expected = [65_535, 0, 1, 3, 4, 5];
        assert_eq!(sent.iter().map(|(_, number)| *number).collect::<Vec<_>>(), expected);
        let (before, number) = sent[3];
        let change = selector.descriptor_change(before).expect("it is known");
        assert_eq!(40_002u16.wrapping_add(change.frame_number_offset), number, "sent again");
    }

    #[test]
    fn spatial_layers_leave_no_gaps_and_move_the_marker() {
        let mut selector = selector();
        selector.set_target(0, u8::MAX);
        assert!(selector.set_spatial_target(1));
        // Three layers, a packet each: two pictures, then a key picture.
        let vp9 = |number: u64, predicted: bool| {
            let (picture, spatial) = ((number / 3) as u32, (number % 3) as u8);
            let inter_layer = spatial > 0 && !predicted;
            let payload = [0xac | u8::from(predicted) << 6, 1, spatial << 1 | u8::from(inter_layer), 1, 0];
            let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp9, &payload).expect("VP9 with layers");
            let is_key_frame = descriptor.is_key_frame();
            let marker = spatial == 2;
            let layers = FrameLayers::of_payload(&descriptor);
            PacketMeta {
                timestamp: picture * 3000,
                marker,
                descriptor,
                layers,
                ..frame(0, number, is_key_frame)
            }
        };
        let mut sent = Vec::new();
        for number in 0..9 {
            if number == 4 {
                assert!(selector.set_spatial_target(2) && selector.needs_key_frame(0));
            }
            match selector.decide(&vp9(number, (3..6).contains(&number))) {
                Verdict::Forward(rewrite) => sent.push((rewrite.sequence_number, rewrite.marker)),
                Verdict::Drop(reason) => assert_eq!(reason, DropReason::SpatialLayer),
            }
        }
        let expected = [None, Some(true), None, Some(true), None, None, None];
        assert_eq!(sent, (1u16..).zip(expected).collect::<Vec<_>>());
        assert!(!selector.needs_key_frame(0));
        assert_eq!(selector.current().map(|layers| layers.spatial_layer), Some(2));
    }

    #[test]
    fn temporal_layers_leave_no_gaps() {
        let mut selector = selector();
        selector.set_target(0, 0);
        let vp8 = |number: u64, layer: u8, payload_header: u8| {
            let payload = [0x90, 0xe0, 0x80, number as u8 + 20, 9, layer << 6, payload_header];
            let descriptor = vp8::Descriptor::parse(&payload).expect("VP8 with layers");
            let descriptor = PayloadDescriptor::Vp8(descriptor);
            PacketMeta {
                temporal_layer: layer,
                descriptor,
                layers: FrameLayers::of_payload(&descriptor),
                ..frame(0, number, payload_header == 0)
            }
        };
        let mut sent = Vec::new();
        for (number, layer) in [0, 2, 1, 2, 0].into_iter().enumerate() {
            match selector.decide(&vp8(number as u64 + 1, layer, u8::from(number > 0))) {
                Verdict::Forward(rewrite) => sent.push((rewrite.sequence_number, rewrite.payload)),
                Verdict::Drop(reason) => assert_eq!(reason, DropReason::TemporalLayer),
            }
        }
        let patch = |picture_id| PayloadPatch::Vp8 { picture_id, tl0_pic_idx: 9 };
        assert_eq!(sent, [(1, patch(1)), (2, patch(2))]);
        assert_eq!(
            selector.current(),
            Some(SelectedLayers { encoding: 0, spatial_layer: u8::MAX, temporal_layer: 0 })
        );
    }
}
