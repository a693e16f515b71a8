//! Which layers of one stream pass, picture by picture: never half a picture of a layer, and none whose references were left out.
//!
//! Goes by what packets say of themselves, in whatever way ([`FrameLayers`]). A stream that says nothing passes whole.

use crate::frame_layers::{FrameLayers, Limit, LimitSet, References};
use crate::meta::PacketMeta;
use crate::verdict::DropReason;

/// How many changes of the limit are remembered for late packets.
const SPANS: usize = 8;

/// A limit, and the timestamp of the picture from which on it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    since: u32,
    limit: Limit,
}

/// What was done with the newest picture so far, so that nothing more is done than fits.
#[derive(Clone, Copy, Debug)]
struct Picture {
    timestamp: u32,
    /// Who would have got all that was sent.
    kept: LimitSet,
    /// Who would have got some of what was left out.
    missed: LimitSet,
    /// Its last packet was sent.
    ended: bool,
}

impl Picture {
    const fn at(timestamp: u32) -> Self {
        Self { timestamp, kept: LimitSet::ALL, missed: LimitSet::NONE, ended: false }
    }

    /// Whether its frames can still be sent as this limit wants them.
    fn fits(&self, limit: Limit) -> bool {
        !self.ended && self.kept.contains(limit) && !self.missed.contains(limit)
    }
}

/// The frames of a stream that were sent, by the number that dependency descriptors give them.
#[derive(Clone, Copy, Debug, Default)]
struct SentFrames {
    newest: u16,
    /// Bit i: `newest - i` was sent. None at first, whatever `newest` is.
    sent: u64,
}

impl SentFrames {
    fn add(&mut self, number: u16) {
        if self.sent == 0 {
            self.newest = number;
        }
        if let Ok(ahead) = u32::try_from(number.wrapping_sub(self.newest) as i16) {
            self.sent = self.sent.checked_shl(ahead).unwrap_or(0);
            self.newest = number;
        }
        let behind = u32::from(self.newest.wrapping_sub(number));
        self.sent |= 1u64.checked_shl(behind).unwrap_or(0);
    }

    /// Whether all frames were sent that frame `number` refers to.
    fn hold(&self, number: u16, references: u32) -> bool {
        // Bit i: `number - 1 - i` was sent.
        let ahead = i32::from(number.wrapping_sub(self.newest) as i16) - 1;
        let before = match u32::try_from(ahead) {
            Ok(ahead) => self.sent.checked_shl(ahead),
            Err(_) => self.sent.checked_shr(ahead.unsigned_abs()),
        };
        u64::from(references) & !before.unwrap_or(0) == 0
    }
}

/// Lets layers up to a spatial and a temporal one pass. The decision about a picture stands: its late packets share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerFilter {
    target: Limit,
    newest: Picture,
    /// As the newest packet said.
    spatial_nests: bool,
    frames: SentFrames,
    /// The newest first.
    spans: [Span; SPANS],
}

impl LayerFilter {
    /// A filter that lets all layers pass.
    pub(crate) const fn new() -> Self {
        let target = Limit::NONE;
        Self {
            target,
            newest: Picture::at(0),
            spatial_nests: true,
            frames: SentFrames { newest: 0, sent: 0 },
            spans: [Span { since: 0, limit: target }; SPANS],
        }
    }

    /// The highest layers wanted.
    pub(crate) const fn target_mut(&mut self) -> &mut Limit {
        &mut self.target
    }

    /// The highest layers wanted.
    pub(crate) const fn target(&self) -> Limit {
        self.target
    }

    /// The highest layers that pass now.
    pub(crate) const fn limit(&self) -> Limit {
        let [newest, ..] = self.spans;
        newest.limit
    }

    /// Whether a spatial layer is wanted that can be entered at a key frame alone: a higher one, or any other where each refers to itself.
    pub(crate) const fn waits_for_key_frame(&self) -> bool {
        let (limit, target) = (self.limit().spatial, self.target.spatial);
        limit < target || limit > target && !self.spatial_nests
    }

    /// The stream starts with the key frame at `timestamp`.
    pub(crate) const fn start(&mut self, timestamp: u32) {
        self.newest = Picture::at(timestamp);
        self.frames = SentFrames { newest: 0, sent: 0 };
        self.spans = [Span { since: timestamp, limit: self.target }; SPANS];
    }

    /// Whether a packet passes, and if so, whether its marker has to be set: it ends the picture for who gets no higher layer.
    ///
    /// # Errors
    /// The kind of layer that is left out.
    #[inline]
    pub(crate) fn pass(&mut self, meta: &PacketMeta) -> Result<bool, DropReason> {
        let frame = &meta.layers;
        if !frame.is_told() {
            return Ok(false);
        }
        self.spatial_nests = frame.spatial_nests;
        let ahead = meta.timestamp.wrapping_sub(self.newest.timestamp) as i32;
        if ahead < 0 {
            return self.send(frame, self.limit_at(meta.timestamp));
        }
        if ahead > 0 {
            self.newest = Picture::at(meta.timestamp);
        }
        if self.limit() != self.target {
            self.move_limit(meta, ahead > 0);
        }
        let limit = self.limit();
        let sent = self.send(frame, limit);
        match sent {
            Ok(ends_picture) => {
                self.newest.kept.keep(frame.needed);
                self.newest.ended |= ends_picture;
            }
            Err(_) => self.newest.missed.insert(frame.needed),
        }
        sent
    }

    #[inline]
    fn send(&mut self, frame: &FrameLayers, limit: Limit) -> Result<bool, DropReason> {
        if !frame.needed.contains(limit) {
            return Err(left_out(frame, limit));
        }
        if let References::Frames(_) = frame.references {
            self.frames.add(frame.number);
        }
        Ok(frame.ends_frame && frame.spatial == limit.spatial)
    }

    /// Goes towards the target, as far as a packet of the newest picture lets it.
    fn move_limit(&mut self, meta: &PacketMeta, first: bool) {
        let frame = &meta.layers;
        let limit = if meta.is_key_frame {
            // The start of a key frame may come behind other packets of it.
            self.target
        } else if first {
            self.next(frame)
        } else {
            // Only the frame of a spatial layer says where its temporal layers can be entered.
            self.next_temporal(frame, self.limit())
        };
        if limit != self.limit() && self.newest.fits(limit) {
            self.spans.rotate_right(1);
            self.spans[0] = Span { since: meta.timestamp, limit };
        }
    }

    /// The limit from a picture on that is no key frame, given the first of its frames that came.
    fn next(&self, frame: &FrameLayers) -> Limit {
        let (mut limit, target) = (self.limit(), self.target);
        if frame.spatial_nests {
            limit.spatial = limit.spatial.min(target.spatial);
        }
        if frame.temporal_nests {
            limit.temporal = limit.temporal.min(target.temporal);
        }
        let steps = [
            target,
            Limit { temporal: limit.temporal, ..target },
            Limit { spatial: limit.spatial.saturating_add(1).min(target.spatial), ..limit },
        ];
        let entered = steps.into_iter().find(|to| self.enters(frame, limit, *to));
        entered.unwrap_or_else(|| self.next_temporal(frame, limit))
    }

    /// The limit from a frame on, if only temporal layers change.
    fn next_temporal(&self, frame: &FrameLayers, limit: Limit) -> Limit {
        let target = Limit { temporal: self.target.temporal, ..limit };
        let step = Limit { temporal: limit.temporal.saturating_add(1).min(target.temporal), ..limit };
        [target, step].into_iter().find(|to| self.enters(frame, limit, *to)).unwrap_or(limit)
    }

    /// Whether who gets layers up to `from` can get those up to `to`, beginning with this frame.
    fn enters(&self, frame: &FrameLayers, from: Limit, to: Limit) -> bool {
        let decodable = || match frame.references {
            // One layer at a time: what follows in a layer may depend on any layer below it.
            References::Base => to.temporal == from.temporal.saturating_add(1),
            References::Below => to.spatial == from.spatial.saturating_add(1) && to.temporal <= from.temporal,
            References::Frames(references) => self.frames.hold(frame.number, references),
            References::Unknown => false,
        };
        frame.entry.contains(to)
            && (to.spatial <= from.spatial || frame.enters_spatial)
            && (frame.needed.contains(from) || decodable())
    }

    /// The limit when the picture at `timestamp` was due; the base layers alone if that is forgotten.
    fn limit_at(&self, timestamp: u32) -> Limit {
        let span = self.spans.iter().find(|span| !(timestamp.wrapping_sub(span.since) as i32).is_negative());
        span.map_or(Limit { spatial: 0, temporal: 0 }, |span| span.limit)
    }
}

fn left_out(frame: &FrameLayers, limit: Limit) -> DropReason {
    let temporal = frame.spatial <= limit.spatial && frame.temporal > limit.temporal;
    if temporal { DropReason::TemporalLayer } else { DropReason::SpatialLayer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::Time;
    use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, vp8};

    #[test]
    fn frames_that_were_sent_are_known_wherever_their_numbers_begin() {
        for first in [0u16, 1, 30_000, 33_000, 60_000, u16::MAX] {
            let mut frames = SentFrames::default();
            assert!(!frames.hold(first.wrapping_add(1), 1), "nothing was sent");
            frames.add(first);
            frames.add(first.wrapping_add(2));
            assert!(frames.hold(first.wrapping_add(3), 0b101), "{first}");
            assert!(frames.hold(first.wrapping_add(1), 0b1), "one between, {first}");
            assert!(!frames.hold(first.wrapping_add(3), 0b10), "one that was left out, {first}");
        }
    }

    /// A packet of the VP8 frame at `timestamp`.
    fn vp8_frame(timestamp: u32, layer: u8, sync: bool) -> PacketMeta {
        let layers = layer << 6 | u8::from(sync) << 5;
        let payload = [0x90, 0xe0, 0x80, 1, 1, layers, 1];
        let descriptor = vp8::Descriptor::parse(&payload).expect("a descriptor with layers");
        meta(timestamp, PayloadDescriptor::Vp8(descriptor))
    }

    /// A packet of the VP9 picture at `timestamp`, in non-flexible mode.
    fn vp9_frame(timestamp: u32, layer: u8, up: bool) -> PacketMeta {
        let payload = [0xec, 1, layer << 5 | u8::from(up) << 4, 1, 0];
        let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp9, &payload).expect("a descriptor");
        meta(timestamp, descriptor)
    }

    fn meta(timestamp: u32, descriptor: PayloadDescriptor) -> PacketMeta {
        PacketMeta {
            received_at: Time::ZERO,
            extended_sequence: 70_000,
            timestamp,
            payload_size: 1000,
            encoding: 0,
            spatial_layer: 0,
            temporal_layer: descriptor.temporal_layer(),
            marker: true,
            is_key_frame: false,
            primary: None,
            layers: FrameLayers::of_payload(&descriptor),
            descriptor,
        }
    }

    fn started(target: u8) -> LayerFilter {
        let mut filter = LayerFilter::new();
        filter.target_mut().temporal = target;
        filter.start(u32::MAX - 2);
        filter
    }

    fn passes(filter: &mut LayerFilter, meta: &PacketMeta) -> bool {
        filter.pass(meta).is_ok()
    }

    /// A layer frame in one packet of the VP9 picture at `timestamp`: dependent on the picture before, on the layer below.
    fn layer_frame(timestamp: u32, spatial: u8, predicted: bool, inter_layer: bool) -> PacketMeta {
        let first = 0xac | u8::from(predicted) << 6;
        let payload = [first, 1, spatial << 1 | u8::from(inter_layer), 1, 0];
        let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp9, &payload).expect("a descriptor");
        PacketMeta {
            is_key_frame: descriptor.is_key_frame(),
            marker: spatial == 2,
            ..meta(timestamp, descriptor)
        }
    }

    #[test]
    fn spatial_layers_go_with_a_picture_and_come_with_a_key_frame() {
        let mut filter = started(u8::MAX);
        filter.start(0);
        let picture = |filter: &mut LayerFilter, timestamp: u32, key_frame: bool| {
            [0, 1, 2].map(|spatial| {
                // Each layer of a key picture depends on the one below; later ones on the pictures before (K-SVC).
                filter.pass(&layer_frame(timestamp, spatial, !key_frame, key_frame && spatial > 0))
            })
        };
        let left_out = Err(DropReason::SpatialLayer);
        assert_eq!(picture(&mut filter, 1, false), [Ok(false); 3]);
        filter.target_mut().spatial = 1;
        assert_eq!(filter.pass(&layer_frame(1, 2, true, false)), Ok(false), "the picture is sent whole");
        assert_eq!(picture(&mut filter, 2, false), [Ok(false), Ok(true), left_out]);
        filter.target_mut().spatial = 2;
        assert!(filter.waits_for_key_frame());
        assert_eq!(picture(&mut filter, 3, false), [Ok(false), Ok(true), left_out]);
        assert_eq!(picture(&mut filter, 4, true), [Ok(false), Ok(false), Ok(true)]);
        assert!(!filter.waits_for_key_frame());
        assert_eq!(
            filter.pass(&layer_frame(3, 2, true, false)),
            left_out,
            "late, of a layer that was left out"
        );
    }

    #[test]
    fn a_key_frame_that_has_lost_a_layer_opens_none() {
        let mut filter = started(u8::MAX);
        filter.start(0);
        filter.target_mut().spatial = 0;
        assert!(passes(&mut filter, &layer_frame(1, 0, true, false)));
        filter.target_mut().spatial = 2;
        // The layers of a key picture, in the wrong order.
        assert!(!passes(&mut filter, &layer_frame(2, 2, false, true)));
        assert!(passes(&mut filter, &layer_frame(2, 0, false, false)));
        assert!(filter.waits_for_key_frame());
        // Another one, of which the second layer comes first and is not through yet.
        let PacketMeta { descriptor: PayloadDescriptor::Vp9(vp9), .. } = layer_frame(3, 1, false, true)
        else {
            panic!("it is VP9")
        };
        let vp9 = tureen_rtp_wire::payload::vp9::Descriptor { ends_frame: false, ..vp9 };
        assert!(passes(&mut filter, &meta(3, PayloadDescriptor::Vp9(vp9))));
        assert!(passes(&mut filter, &layer_frame(3, 0, false, false)));
        assert!(passes(&mut filter, &layer_frame(3, 2, false, true)));
        assert!(!filter.waits_for_key_frame());
    }

    #[test]
    fn a_picture_that_was_ended_with_a_marker_gets_no_more_layers() {
        let mut filter = started(u8::MAX);
        filter.target_mut().spatial = 0;
        filter.start(0);
        assert!(passes(&mut filter, &layer_frame(1, 0, true, false)));
        filter.target_mut().spatial = 2;
        // The two packets of layer 0 of a key picture, in the wrong order.
        let last = PacketMeta { is_key_frame: false, ..layer_frame(2, 0, false, false) };
        let mut first = layer_frame(2, 0, false, false);
        first.layers.ends_frame = false;
        assert_eq!(filter.pass(&last), Ok(true));
        assert_eq!(filter.pass(&first), Ok(false));
        assert_eq!(filter.pass(&layer_frame(2, 1, false, true)), Err(DropReason::SpatialLayer));
        assert!(filter.waits_for_key_frame());
    }

    #[test]
    fn a_picture_is_sent_whole_when_the_target_is_lowered_amid_it() {
        let mut filter = started(u8::MAX);
        filter.start(0);
        assert_eq!(filter.pass(&layer_frame(1, 0, true, false)), Ok(false), "not its last packet");
        filter.target_mut().spatial = 0;
        assert_eq!(filter.pass(&layer_frame(1, 1, true, true)), Ok(false));
        assert_eq!(filter.pass(&layer_frame(1, 2, true, true)), Ok(false), "it has the marker already");
        assert_eq!(filter.pass(&layer_frame(2, 0, true, false)), Ok(true));
        assert_eq!(filter.pass(&layer_frame(2, 1, true, true)), Err(DropReason::SpatialLayer));
    }

    /// A frame in one packet of a stream whose spatial layers refer to themselves alone, as a dependency descriptor tells it.
    fn own_frame(timestamp: u32, spatial: u8, temporal: u8) -> PacketMeta {
        let mut needed = LimitSet::NONE;
        for limit in LimitSet::limits().filter(|it| it.spatial == spatial && it.temporal >= temporal) {
            needed.insert(LimitSet::of(limit));
        }
        let layers = FrameLayers {
            needed,
            references: References::Frames(0),
            number: timestamp as u16,
            ends_frame: true,
            enters_spatial: true,
            spatial_nests: false,
            ..FrameLayers::told(spatial, temporal)
        };
        PacketMeta { layers, ..meta(timestamp, PayloadDescriptor::Opaque) }
    }

    /// The same, with which layers up to `to` can be entered.
    fn switch_frame(timestamp: u32, spatial: u8, to: Limit) -> PacketMeta {
        let frame = own_frame(timestamp, spatial, 0);
        PacketMeta { layers: FrameLayers { entry: LimitSet::of(to), ..frame.layers }, ..frame }
    }

    #[test]
    fn a_key_frame_is_waited_for_where_layers_refer_to_themselves_and_not_to_go_down_where_they_nest() {
        let mut filter = started(u8::MAX);
        filter.start(0);
        assert!(passes(&mut filter, &layer_frame(1, 0, true, false)));
        filter.target_mut().spatial = 1;
        assert!(!filter.waits_for_key_frame(), "the next picture does without the highest layer");
        let mut filter = started(u8::MAX);
        filter.target_mut().spatial = 1;
        filter.start(0);
        assert!(passes(&mut filter, &own_frame(1, 1, 0)));
        assert!(!filter.waits_for_key_frame(), "it is there");
        for spatial in [0, 2] {
            filter.target_mut().spatial = spatial;
            assert!(filter.waits_for_key_frame(), "layer 1 says nothing of layer {spatial}");
        }
    }

    #[test]
    fn a_spatial_layer_is_entered_with_the_temporal_layers_that_come_with_it() {
        let mut filter = started(0);
        filter.target_mut().spatial = 0;
        filter.start(0);
        assert_eq!(filter.pass(&own_frame(1, 0, 0)), Ok(true));
        *filter.target_mut() = Limit { spatial: 2, temporal: 1 };
        let base = Limit { spatial: 2, temporal: 0 };
        assert_eq!(filter.pass(&switch_frame(2, 2, base)), Ok(true), "in full size from here on");
        assert_eq!(filter.limit(), base);
        assert_eq!(filter.pass(&own_frame(3, 2, 1)), Err(DropReason::TemporalLayer));
        assert_eq!(filter.pass(&switch_frame(4, 2, filter.target())), Ok(true));
        assert_eq!(filter.pass(&own_frame(5, 2, 1)), Ok(true), "and at the full rate");
    }

    #[test]
    fn what_is_left_out_is_counted_as_a_temporal_layer_only_where_its_spatial_layer_is_sent() {
        let mut filter = started(0);
        filter.target_mut().spatial = 0;
        filter.start(0);
        // Spatial layers 0 and 1 of VP9, in temporal layers 0 and 1.
        let nested = |timestamp, spatial: u8, temporal: u8| {
            let payload = [0xec, 1, temporal << 5 | spatial << 1, 1, 0];
            meta(timestamp, PayloadDescriptor::parse(PayloadFormat::Vp9, &payload).expect("a descriptor"))
        };
        assert_eq!(filter.pass(&nested(1, 0, 0)), Ok(true));
        assert_eq!(filter.pass(&nested(1, 1, 0)), Err(DropReason::SpatialLayer));
        assert_eq!(filter.pass(&nested(2, 0, 1)), Err(DropReason::TemporalLayer));
        assert_eq!(filter.pass(&nested(2, 1, 1)), Err(DropReason::SpatialLayer));
        *filter.target_mut() = Limit { spatial: 1, temporal: 1 };
        filter.start(3);
        assert_eq!(
            filter.pass(&own_frame(4, 0, 1)),
            Err(DropReason::SpatialLayer),
            "a lower one, not needed"
        );
        assert_eq!(filter.pass(&own_frame(4, 1, 1)), Ok(true));
        assert_eq!(filter.pass(&own_frame(5, 1, 2)), Err(DropReason::TemporalLayer));
    }

    #[test]
    fn layers_above_the_target_are_left_out_from_the_next_frame_on() {
        let mut filter = started(2);
        assert!(passes(&mut filter, &vp8_frame(0, 2, false)));
        filter.target_mut().temporal = 0;
        assert!(passes(&mut filter, &vp8_frame(0, 2, false)), "a frame is sent whole");
        assert!(!passes(&mut filter, &vp8_frame(1, 1, false)));
        assert!(passes(&mut filter, &vp8_frame(2, 0, false)));
        assert!(passes(&mut filter, &vp8_frame(0, 2, false)), "and so are its late packets");
        assert_eq!(filter.limit().temporal, 0);
    }

    #[test]
    fn vp8_goes_up_layer_by_layer_where_a_frame_depends_on_the_base_alone() {
        let mut filter = started(0);
        filter.target_mut().temporal = 2;
        assert!(!passes(&mut filter, &vp8_frame(1, 2, true)), "layer 1 is not there yet");
        assert!(!passes(&mut filter, &vp8_frame(2, 1, false)));
        assert!(passes(&mut filter, &vp8_frame(3, 1, true)));
        assert!(!passes(&mut filter, &vp8_frame(4, 2, false)));
        assert!(passes(&mut filter, &vp8_frame(5, 2, true)));
        assert!(passes(&mut filter, &vp8_frame(6, 2, false)));
        assert!(!passes(&mut filter, &vp8_frame(4, 2, false)), "a late packet of a frame that was left out");
    }

    #[test]
    fn a_key_frame_lets_all_layers_in() {
        let mut filter = started(0);
        filter.target_mut().temporal = 2;
        assert!(passes(&mut filter, &PacketMeta { is_key_frame: true, ..vp8_frame(1, 0, false) }));
        assert!(passes(&mut filter, &vp8_frame(2, 2, false)));
    }

    #[test]
    fn vp9_goes_up_behind_a_switching_up_point() {
        let mut filter = started(0);
        filter.target_mut().temporal = 2;
        assert!(passes(&mut filter, &vp9_frame(1, 0, false)));
        assert!(
            !passes(&mut filter, &vp9_frame(2, 2, true)),
            "a point above the limit says nothing of itself"
        );
        assert!(passes(&mut filter, &vp9_frame(3, 0, true)));
        assert!(passes(&mut filter, &vp9_frame(4, 2, false)));
    }

    #[test]
    fn what_does_not_say_its_layer_passes() {
        let mut filter = started(0);
        assert!(passes(&mut filter, &meta(1, PayloadDescriptor::Opaque)));
    }
}
