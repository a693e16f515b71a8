//! Which layers need a frame, and who may go over to other layers with it: one form for all that packets say of it.
//!
//! Payload descriptors of VP8 (RFC 7741 section 4.2) and VP9 (RFC 9628 section 4.2) become this here, dependency descriptors in
//! [`decode_targets`](crate::decode_targets). Must not know who wants which layers.

use tureen_rtp_wire::payload::{PayloadDescriptor, vp8, vp9};

/// Layers that can be told apart in each of the two directions: the modes of the W3C's "Scalable Video Coding (SVC) Extension for WebRTC"
/// have three.
const DEPTH: u8 = 4;

/// Layers up to a spatial and a temporal one; [`u8::MAX`] for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
}

impl Limit {
    /// All layers.
    pub(crate) const NONE: Self = Self { spatial: u8::MAX, temporal: u8::MAX };

    /// A layer from 0 to 2 as a limit, or the last that is told apart: that one stands for all above it, too.
    pub(crate) const fn up_to(layer: u8) -> u8 {
        if layer < DEPTH - 1 { layer } else { u8::MAX }
    }
}

/// A set of [`Limit`]s, a bit each; four in a row for the four temporal layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitSet(u16);

impl LimitSet {
    pub(crate) const ALL: Self = Self(u16::MAX);
    pub(crate) const NONE: Self = Self(0);

    /// A set of one.
    pub(crate) fn of(limit: Limit) -> Self {
        Self(1 << (DEPTH * limit.spatial.min(DEPTH - 1) + limit.temporal.min(DEPTH - 1)))
    }

    /// Every limit that there is.
    pub(crate) fn limits() -> impl Iterator<Item = Limit> {
        (0..DEPTH).flat_map(|spatial| (0..DEPTH).map(move |temporal| Limit { spatial, temporal }))
    }

    /// All limits at or above both layers.
    fn from(spatial: u8, temporal: u8) -> Self {
        let (spatial, temporal) = (spatial.min(DEPTH - 1), temporal.min(DEPTH - 1));
        let columns = (0xf << temporal) & 0xf;
        Self((u16::MAX << (DEPTH * spatial)) & (columns * 0x1111))
    }

    /// All limits with exactly this spatial layer.
    fn row(spatial: u8) -> Self {
        Self(0xf << (DEPTH * spatial.min(DEPTH - 1)))
    }

    /// All limits with exactly this temporal layer.
    fn column(temporal: u8) -> Self {
        Self(0x1111 << temporal.min(DEPTH - 1))
    }

    #[inline]
    pub(crate) fn contains(self, limit: Limit) -> bool {
        self.0 & Self::of(limit).0 != 0
    }

    pub(crate) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn keep(&mut self, other: Self) {
        self.0 &= other.0;
    }
}

/// What a frame refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum References {
    /// Not told, or too far back.
    Unknown,
    /// The base layer alone.
    Base,
    /// The spatial layers below, in its own picture.
    Below,
    /// By frame number: bit i for the one i + 1 before.
    Frames(u32),
}

/// What a packet says of its frame's place among the layers of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLayers {
    /// Who gets layers up to one of these needs the frame.
    pub(crate) needed: LimitSet,
    /// From the frame on, layers up to one of these can be decoded by who can decode the frame.
    pub(crate) entry: LimitSet,
    pub(crate) references: References,
    /// Counts the frames of a stream, where dependency descriptors do.
    pub(crate) number: u16,
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    /// The packet is the first of its frame, where dependency descriptors say so.
    pub(crate) starts_frame: bool,
    /// The packet is the last of its frame.
    pub(crate) ends_frame: bool,
    /// `entry` speaks of spatial layers, too.
    pub(crate) enters_spatial: bool,
    /// Who gets higher spatial layers gets all that lower ones need, and so can go down at any picture.
    pub(crate) spatial_nests: bool,
    /// The same for temporal layers.
    pub(crate) temporal_nests: bool,
    pub(crate) is_told: bool,
    /// `number` means something.
    pub(crate) is_numbered: bool,
}

impl FrameLayers {
    /// Nothing is known of layers: everyone needs the frame.
    pub const UNKNOWN: Self = Self {
        needed: LimitSet::ALL,
        entry: LimitSet::NONE,
        references: References::Unknown,
        number: 0,
        spatial: 0,
        temporal: 0,
        starts_frame: false,
        ends_frame: false,
        enters_spatial: false,
        spatial_nests: true,
        temporal_nests: true,
        is_told: false,
        is_numbered: false,
    };

    /// What a payload says; only VP8 and VP9 say enough to leave layers out.
    pub fn of_payload(descriptor: &PayloadDescriptor) -> Self {
        match descriptor {
            PayloadDescriptor::Vp8(vp8) => Self::of_vp8(vp8),
            PayloadDescriptor::Vp9(vp9) => Self::of_vp9(vp9),
            _ => Self::UNKNOWN,
        }
    }

    /// A frame of these layers, of which nothing else is known yet.
    pub(crate) fn told(spatial: u8, temporal: u8) -> Self {
        Self { spatial, temporal, is_told: true, ..Self::UNKNOWN }
    }

    /// Whether layers can be left out by what is said here.
    #[inline]
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// The number of the frame, where dependency descriptors count them.
    #[inline]
    pub(crate) fn frame_number(&self) -> Option<u16> {
        self.is_numbered.then_some(self.number)
    }

    /// The Y bit: the frame depends on the base layer alone.
    fn of_vp8(vp8: &vp8::Descriptor) -> Self {
        let Some(temporal) = vp8.temporal_layer else { return Self::UNKNOWN };
        let entry = if vp8.layer_sync { LimitSet::column(temporal) } else { LimitSet::NONE };
        Self {
            needed: LimitSet::from(0, temporal),
            entry,
            references: References::Base,
            ..Self::told(0, temporal)
        }
    }

    /// The U bit: what follows in higher temporal layers depends on nothing in them before the frame. The P bit: the frame depends on no
    /// picture before its own.
    fn of_vp9(vp9: &vp9::Descriptor) -> Self {
        let Some(layers) = vp9.layers else { return Self::UNKNOWN };
        let (spatial, temporal) = (layers.spatial, layers.temporal);
        let needed = LimitSet::from(spatial, temporal);
        let told = Self { needed, ends_frame: vp9.ends_frame, ..Self::told(spatial, temporal) };
        if spatial > 0 && !vp9.inter_picture_predicted {
            let entry = LimitSet::row(spatial);
            Self { entry, references: References::Below, enters_spatial: true, ..told }
        } else if layers.switching_up_point {
            Self { entry: LimitSet::from(0, temporal), ..told }
        } else {
            told
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_is_at_or_above() {
        let set = LimitSet::from(1, 2);
        for (spatial, temporal, expected) in [
            (0, 2, false),
            (1, 1, false),
            (1, 2, true),
            (3, 3, true),
            (u8::MAX, u8::MAX, true),
            (2, 1, false),
        ] {
            assert_eq!(set.contains(Limit { spatial, temporal }), expected, "{spatial} {temporal}");
        }
        assert!(LimitSet::column(1).contains(Limit { spatial: 2, temporal: 1 }));
        assert!(!LimitSet::column(1).contains(Limit { spatial: 2, temporal: 2 }));
    }
}
