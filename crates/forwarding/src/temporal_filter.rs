//! Which temporal layers pass, frame by frame: never half a frame, and none whose references were left out.
//!
//! Knows the two codecs whose packets say where a layer may be entered: VP8 by its Y bit (RFC 7741 section 4.2), VP9 by its U bit
//! (RFC 9628 section 4.2). Everything else passes whole.

use crate::meta::PacketMeta;
use tureen_rtp_wire::payload::PayloadDescriptor;

/// How many changes of the limit are remembered for late packets.
const SPANS: usize = 4;

/// From a frame on, the highest layer that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    since: u32,
    limit: u8,
}

/// Where a frame lets a receiver go up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// Nowhere.
    None,
    /// Into its own layer: it depends on the base layer alone.
    Itself,
    /// Into all layers above its own: what follows in them depends on nothing that was in them before it.
    Above,
}

/// Lets frames up to a temporal layer pass. The decision about a frame stands: its late packets share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemporalFilter {
    target: u8,
    /// The timestamp of the newest frame.
    newest: u32,
    /// The newest first.
    spans: [Span; SPANS],
}

impl TemporalFilter {
    /// A filter that lets all layers pass.
    pub(crate) const fn new() -> Self {
        Self { target: u8::MAX, newest: 0, spans: [Span { since: 0, limit: u8::MAX }; SPANS] }
    }

    /// The highest layer wanted from now on.
    pub(crate) const fn set_target(&mut self, target: u8) {
        self.target = target;
    }

    /// The highest layer wanted.
    pub(crate) const fn target(&self) -> u8 {
        self.target
    }

    /// The highest layer that passes now.
    pub(crate) const fn limit(&self) -> u8 {
        let [newest, ..] = self.spans;
        newest.limit
    }

    /// The stream starts with the key frame at `timestamp`.
    pub(crate) const fn start(&mut self, timestamp: u32) {
        self.newest = timestamp;
        self.spans = [Span { since: timestamp, limit: self.target }; SPANS];
    }

    /// Whether a packet passes.
    #[inline]
    pub(crate) fn pass(&mut self, meta: &PacketMeta) -> bool {
        let Some((layer, entry)) = place(&meta.descriptor) else { return true };
        let ahead = meta.timestamp.wrapping_sub(self.newest) as i32;
        if ahead > 0 || ahead == 0 && meta.is_key_frame {
            self.newest = meta.timestamp;
            let limit = self.next_limit(layer, entry, meta.is_key_frame);
            if limit != self.limit() {
                self.spans.rotate_right(1);
                self.spans[0] = Span { since: meta.timestamp, limit };
            }
            layer <= limit
        } else {
            layer <= self.limit_at(meta.timestamp)
        }
    }

    fn next_limit(&self, layer: u8, entry: Entry, is_key_frame: bool) -> u8 {
        let limit = self.limit();
        if is_key_frame || limit >= self.target {
            return self.target;
        }
        match entry {
            // One layer at a time: what follows in a layer may depend on any layer below it.
            Entry::Itself if layer == limit + 1 => layer,
            Entry::Above if layer <= limit => self.target,
            _ => limit,
        }
    }

    /// The limit when the frame at `timestamp` was due; the base layer alone if that is forgotten.
    fn limit_at(&self, timestamp: u32) -> u8 {
        let span = self.spans.iter().find(|span| timestamp.wrapping_sub(span.since) < 1 << 31);
        span.map_or(0, |span| span.limit)
    }
}

/// The temporal layer of a packet, and where its frame lets a receiver go up; nothing where the codec does not say both.
#[inline]
fn place(descriptor: &PayloadDescriptor) -> Option<(u8, Entry)> {
    match descriptor {
        PayloadDescriptor::Vp8(vp8) => {
            let entry = if vp8.layer_sync { Entry::Itself } else { Entry::None };
            vp8.temporal_layer.map(|layer| (layer, entry))
        }
        PayloadDescriptor::Vp9(vp9) => vp9.layers.map(|layers| {
            (layers.temporal, if layers.switching_up_point { Entry::Above } else { Entry::None })
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

    fn started(target: u8) -> TemporalFilter {
        let mut filter = TemporalFilter::new();
        filter.set_target(target);
        filter.start(u32::MAX - 2);
        filter
    }

    #[test]
    fn layers_above_the_target_are_left_out_from_the_next_frame_on() {
        let mut filter = started(2);
        assert!(filter.pass(&vp8_frame(0, 2, false)));
        filter.set_target(0);
        assert!(filter.pass(&vp8_frame(0, 2, false)), "a frame is sent whole");
        assert!(!filter.pass(&vp8_frame(1, 1, false)));
        assert!(filter.pass(&vp8_frame(2, 0, false)));
        assert!(filter.pass(&vp8_frame(0, 2, false)), "and so are its late packets");
        assert_eq!(filter.limit(), 0);
    }

    #[test]
    fn vp8_goes_up_layer_by_layer_where_a_frame_depends_on_the_base_alone() {
        let mut filter = started(0);
        filter.set_target(2);
        assert!(!filter.pass(&vp8_frame(1, 2, true)), "layer 1 is not there yet");
        assert!(!filter.pass(&vp8_frame(2, 1, false)));
        assert!(filter.pass(&vp8_frame(3, 1, true)));
        assert!(!filter.pass(&vp8_frame(4, 2, false)));
        assert!(filter.pass(&vp8_frame(5, 2, true)));
        assert!(filter.pass(&vp8_frame(6, 2, false)));
        assert!(!filter.pass(&vp8_frame(4, 2, false)), "a late packet of a frame that was left out");
    }

    #[test]
    fn a_key_frame_lets_all_layers_in() {
        let mut filter = started(0);
        filter.set_target(2);
        assert!(filter.pass(&PacketMeta { is_key_frame: true, ..vp8_frame(1, 0, false) }));
        assert!(filter.pass(&vp8_frame(2, 2, false)));
    }

    #[test]
    fn vp9_goes_up_behind_a_switching_up_point() {
        let mut filter = started(0);
        filter.set_target(2);
        assert!(filter.pass(&vp9_frame(1, 0, false)));
        assert!(!filter.pass(&vp9_frame(2, 2, true)), "a point above the limit says nothing of itself");
        assert!(filter.pass(&vp9_frame(3, 0, true)));
        assert!(filter.pass(&vp9_frame(4, 2, false)));
    }

    #[test]
    fn what_does_not_say_its_layer_passes() {
        let mut filter = started(0);
        assert!(filter.pass(&meta(1, PayloadDescriptor::Opaque)));
    }
}
