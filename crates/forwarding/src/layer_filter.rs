//! Which layers of one stream pass, picture by picture: never half a picture of a layer, and none whose references were left out.
//!
//! Knows the two codecs whose packets say where a layer may be entered: VP8 by its Y bit (RFC 7741 section 4.2), VP9 by its U and P bits
//! (RFC 9628 section 4.2). Everything else passes whole.

use crate::meta::PacketMeta;
use crate::verdict::DropReason;
use tureen_rtp_wire::payload::PayloadDescriptor;

/// How many changes of the limit are remembered for late packets.
const SPANS: usize = 8;

/// Layers up to which packets pass; [`u8::MAX`] for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
}

/// A limit, and the timestamp of the picture from which on it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    since: u32,
    limit: Limit,
}

/// Where a picture lets a receiver go up to higher temporal layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// Nowhere.
    None,
    /// Into its own layer: it depends on the base layer alone.
    Itself,
    /// Into all layers above its own: what follows in them depends on nothing that was in them before it.
    Above,
}

/// What a packet says of its place among the layers.
#[derive(Clone, Copy, Debug)]
struct Place {
    spatial: u8,
    temporal: u8,
    entry: Entry,
    /// Its layer's frame depends on no picture before.
    independent: bool,
    /// It is the last of its layer's frame.
    ends_frame: bool,
}

/// Lets layers up to a spatial and a temporal one pass. The decision about a picture stands: its late packets share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerFilter {
    target: Limit,
    /// The timestamp of the newest picture.
    newest: u32,
    /// A spatial layer of the newest picture was left out, or sent as its last one.
    decided: bool,
    /// The newest first.
    spans: [Span; SPANS],
}

impl LayerFilter {
    /// A filter that lets all layers pass.
    pub(crate) const fn new() -> Self {
        let target = Limit { spatial: u8::MAX, temporal: u8::MAX };
        Self { target, newest: 0, decided: false, spans: [Span { since: 0, limit: target }; SPANS] }
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

    /// Whether a higher spatial layer is wanted than passes: it is entered at a key frame.
    pub(crate) const fn waits_for_key_frame(&self) -> bool {
        self.limit().spatial < self.target.spatial
    }

    /// The stream starts with the key frame at `timestamp`.
    pub(crate) const fn start(&mut self, timestamp: u32) {
        self.newest = timestamp;
        self.decided = false;
        self.spans = [Span { since: timestamp, limit: self.target }; SPANS];
    }

    /// Whether a packet passes, and if so, whether its marker has to be set: it ends the picture for who gets no higher layer.
    ///
    /// # Errors
    /// The kind of layer that is left out.
    #[inline]
    pub(crate) fn pass(&mut self, meta: &PacketMeta) -> Result<bool, DropReason> {
        let Some(place) = place(&meta.descriptor) else { return Ok(false) };
        let ahead = meta.timestamp.wrapping_sub(self.newest) as i32;
        if ahead > 0 {
            self.newest = meta.timestamp;
            self.decided = false;
        }
        // The start of a key frame may come behind other packets of it; it opens layers that are whole still.
        let opens = ahead == 0 && meta.is_key_frame && !self.decided;
        if ahead > 0 || opens && self.waits_for_key_frame() {
            self.advance(meta, &place);
        }
        let limit = if ahead >= 0 { self.limit() } else { self.limit_at(meta.timestamp) };
        if place.spatial > limit.spatial {
            self.decided |= ahead >= 0;
            return Err(DropReason::SpatialLayer);
        }
        if place.temporal > limit.temporal {
            return Err(DropReason::TemporalLayer);
        }
        let ends_picture = place.ends_frame && place.spatial == limit.spatial;
        self.decided |= ends_picture && ahead >= 0;
        Ok(ends_picture)
    }

    /// Sets the limit for the newest picture, given the first of its packets that came.
    fn advance(&mut self, meta: &PacketMeta, place: &Place) {
        let limit = Limit {
            spatial: self.next_spatial(place, meta.is_key_frame),
            temporal: self.next_temporal(place, meta.is_key_frame),
        };
        if limit != self.limit() {
            self.spans.rotate_right(1);
            self.spans[0] = Span { since: meta.timestamp, limit };
        }
    }

    fn next_spatial(&self, place: &Place, is_key_frame: bool) -> u8 {
        let (limit, target) = (self.limit().spatial, self.target.spatial);
        if is_key_frame || limit >= target {
            return target;
        }
        // A layer that depends on the ones below it in its own picture alone.
        if place.independent && place.spatial == limit + 1 { place.spatial } else { limit }
    }

    fn next_temporal(&self, place: &Place, is_key_frame: bool) -> u8 {
        let (limit, target) = (self.limit().temporal, self.target.temporal);
        if is_key_frame || limit >= target {
            return target;
        }
        match place.entry {
            // One layer at a time: what follows in a layer may depend on any layer below it.
            Entry::Itself if place.temporal == limit + 1 => place.temporal,
            Entry::Above if place.temporal <= limit => target,
            _ => limit,
        }
    }

    /// The limit when the picture at `timestamp` was due; the base layers alone if that is forgotten.
    fn limit_at(&self, timestamp: u32) -> Limit {
        let span = self.spans.iter().find(|span| timestamp.wrapping_sub(span.since) < 1 << 31);
        span.map_or(Limit { spatial: 0, temporal: 0 }, |span| span.limit)
    }
}

/// Where a packet stands; nothing where the codec does not say where its layers may be entered.
#[inline]
fn place(descriptor: &PayloadDescriptor) -> Option<Place> {
    match descriptor {
        PayloadDescriptor::Vp8(vp8) => vp8.temporal_layer.map(|temporal| Place {
            spatial: 0,
            temporal,
            entry: if vp8.layer_sync { Entry::Itself } else { Entry::None },
            independent: false,
            ends_frame: false,
        }),
        PayloadDescriptor::Vp9(vp9) => vp9.layers.map(|layers| Place {
            spatial: layers.spatial,
            temporal: layers.temporal,
            entry: if layers.switching_up_point { Entry::Above } else { Entry::None },
            independent: !vp9.inter_picture_predicted,
            ends_frame: vp9.ends_frame,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::Time;
    use tureen_rtp_wire::payload::{PayloadFormat, vp8};

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
