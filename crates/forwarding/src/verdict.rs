//! What becomes of a packet, as data: forwarded with these changes, or dropped for this reason.

use tureen_rtp_wire::payload::{PayloadDescriptor, vp8, vp9};

/// The decision about one packet for one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Send it, changed so.
    Forward(Rewrite),
    /// Do not send it.
    Drop(DropReason),
}

/// What to write into the copy of a packet. SSRC, payload type and header extensions are constants of the consumer, and not in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The marker bit, if it changes.
    pub marker: Option<bool>,
    /// Changes to the payload.
    pub payload: PayloadPatch,
}

/// Changes to a payload that leave its length as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadPatch {
    /// None.
    #[default]
    None,
    /// VP8 payload descriptor (RFC 7741 section 4.2); each id is written where the packet has one.
    Vp8 {
        /// PictureID, 15 bits; a short one takes the low 7 bits.
        picture_id: u16,
        /// TL0PICIDX.
        tl0_pic_idx: u8,
    },
    /// VP9 payload descriptor (RFC 9628 section 4.2); each id is written where the packet has one.
    Vp9 {
        /// Picture ID, 15 bits; a short one takes the low 7 bits.
        picture_id: u16,
        /// TL0PICIDX, which packets in flexible mode do not have.
        tl0_pic_idx: u8,
    },
}

impl PayloadPatch {
    /// Writes the changes into a copy of the payload that `descriptor` was read from. `false`, and nothing written, if the two do not
    /// belong together.
    pub fn apply(&self, payload: &mut [u8], descriptor: &PayloadDescriptor) -> bool {
        match (*self, descriptor) {
            (Self::None, _) => true,
            (Self::Vp8 { picture_id, tl0_pic_idx }, PayloadDescriptor::Vp8(descriptor)) => {
                vp8::patch(payload, descriptor, picture_id, tl0_pic_idx)
            }
            (Self::Vp9 { picture_id, tl0_pic_idx }, PayloadDescriptor::Vp9(descriptor)) => {
                vp9::patch(payload, descriptor, picture_id, tl0_pic_idx)
            }
            (Self::Vp8 { .. } | Self::Vp9 { .. }, _) => false,
        }
    }
}

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why a packet was not sent to a consumer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)+
        }

        impl DropReason {
            /// All reasons, in the order of [`index`](Self::index).
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason's name in statistics: lower case, underscores.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// The consumer is paused.
    Paused = "paused",
    /// Others are louder, and only so many are forwarded.
    LastN = "last_n",
    /// The consumer's path carries less than what waits for it, or not even its lowest layer.
    Congestion = "congestion",
    /// The consumer's transport is not connected.
    NotConnected = "not_connected",
    /// The consumer does not support the payload type.
    UnsupportedPayloadType = "unsupported_payload_type",
    /// The consumer does not take the encoding.
    UnknownEncoding = "unknown_encoding",
    /// The packet belongs to another encoding than the one that the consumer gets.
    OtherEncoding = "other_encoding",
    /// The packet belongs to a spatial layer that the consumer does not get, or cannot enter yet.
    SpatialLayer = "spatial_layer",
    /// The packet belongs to a temporal layer that the consumer does not get, or cannot enter yet.
    TemporalLayer = "temporal_layer",
    /// A key frame that could be switched to, from so long before what was sent last that another one is waited for.
    KeyFrameBehind = "key_frame_behind",
    /// The consumer waits for a key frame, and this is none.
    WaitingForKeyFrame = "waiting_for_key_frame",
    /// The packet is older than the point where the consumer (re)started.
    BeforeStart = "before_start",
    /// The packet is too old to have a place in the output.
    TooOld = "too_old",
    /// The packet was dropped for this consumer before; its place in the output is gone.
    DroppedBefore = "dropped_before",
    /// The packet carries nothing but padding.
    PaddingOnly = "padding_only",
    /// A frame of discontinuous transmission that the consumer does not want.
    Dtx = "dtx",
    /// The packet does not fit into the egress.
    TooLarge = "too_large",
    /// The egress has no room.
    EgressFull = "egress_full",
}

impl DropReason {
    /// A dense index, less than [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A counter for each [`DropReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounters {
    counts: [u64; DropReason::COUNT],
}

impl DropCounters {
    /// Counts one packet.
    pub fn add(&mut self, reason: DropReason) {
        if let Some(count) = self.counts.get_mut(reason.index()) {
            *count += 1;
        }
    }

    /// The packets dropped for `reason`.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.counts.get(reason.index()).copied().unwrap_or(0)
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// The packets dropped for any reason.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn reasons_are_dense_and_named_apart() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::COUNT);
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn a_patch_is_written_where_the_ids_are() {
        // X, S; I and L; 15-bit PictureID 300, TL0PICIDX 9.
        let mut payload = [0x90, 0xc0, 0x81, 0x2c, 9, 0x01, 0];
        let descriptor = PayloadDescriptor::Vp8(vp8::Descriptor::parse(&payload).unwrap());
        let patch = PayloadPatch::Vp8 { picture_id: 0x0102, tl0_pic_idx: 7 };
        assert!(patch.apply(&mut payload, &descriptor));
        assert_eq!(payload, [0x90, 0xc0, 0x81, 0x02, 7, 0x01, 0]);
        assert!(!patch.apply(&mut payload, &PayloadDescriptor::Opaque));
        assert!(PayloadPatch::None.apply(&mut payload, &PayloadDescriptor::Opaque));
        // I, L, B; 15-bit picture id 300; no layer; TL0PICIDX 9.
        let mut payload = [0xa8, 0x81, 0x2c, 0, 9, 0xff];
        let descriptor = PayloadDescriptor::Vp9(vp9::Descriptor::parse(&payload).unwrap());
        assert!(!patch.apply(&mut payload, &descriptor), "meant for another codec");
        let patch = PayloadPatch::Vp9 { picture_id: 0x0102, tl0_pic_idx: 7 };
        assert!(patch.apply(&mut payload, &descriptor));
        assert_eq!(payload, [0xa8, 0x81, 0x02, 0, 7, 0xff]);
    }

    #[test]
    fn counters_count() {
        let mut counters = DropCounters::default();
        counters.add(DropReason::Dtx);
        counters.add(DropReason::Dtx);
        counters.add(DropReason::Paused);
        assert_eq!(counters.get(DropReason::Dtx), 2);
        assert_eq!(counters.total(), 3);
        counters.merge(&counters.clone());
        assert_eq!((counters.get(DropReason::Dtx), counters.total()), (4, 6));
        assert_eq!(counters.iter().filter(|&(_, count)| count > 0).count(), 2);
    }
}
