//! The forms in which a packet can go out: as it came, or of RED (RFC 2198) its primary block alone. Must not know who gets it, but for
//! the payload types that they take.

use crate::consumer::{PayloadTypes, Renumbering};
use tureen_forwarding::PacketMeta;
use tureen_rtp_dictionaries::RtpMapping;
use tureen_rtp_wire::payload::red;
use tureen_rtp_wire::rtp::RtpPacket;

/// One form of a packet.
pub(crate) struct Form<'a> {
    /// The router's, not the source's.
    pub(crate) payload_type: u8,
    pub(crate) payload: &'a [u8],
    /// Of RED, the router's payload types of its blocks.
    blocks: Option<&'a RtpMapping>,
}

/// All forms of a packet.
pub(crate) struct Forms<'a> {
    whole: Form<'a>,
    primary: Option<Form<'a>>,
}

impl<'a> Forms<'a> {
    /// The forms of a packet of the source that has this `mapping`.
    #[inline]
    pub(crate) fn new(mapping: &'a RtpMapping, meta: &PacketMeta, packet: &RtpPacket<'a>) -> Self {
        let payload = packet.payload();
        let form = |own: u8, payload: &'a [u8], blocks: Option<&'a RtpMapping>| Form {
            payload_type: mapping.payload_type(own).unwrap_or(own),
            payload,
            blocks,
        };
        Self {
            whole: form(packet.payload_type(), payload, meta.primary.map(|_| mapping)),
            primary: meta.primary.map(|primary| form(primary.payload_type(), primary.data(payload), None)),
        }
    }

    /// The form for a receiver that takes these payload types of the router: RED as it is for who takes it, and else what is in it.
    #[inline]
    pub(crate) fn taken_by(&self, payload_types: PayloadTypes) -> &Form<'a> {
        match &self.primary {
            Some(primary) if !payload_types.contains(self.whole.payload_type) => primary,
            _ => &self.whole,
        }
    }
}

impl<'a> Form<'a> {
    /// What the blocks of RED are called at a receiver with this `renumbering`.
    #[inline]
    pub(crate) fn block_numbers(&self, renumbering: &'a Renumbering) -> Option<BlockNumbers<'a>> {
        self.blocks.map(|mapping| BlockNumbers { mapping, renumbering })
    }
}

/// From a source's payload types to a receiver's.
#[derive(Clone, Copy)]
pub(crate) struct BlockNumbers<'a> {
    mapping: &'a RtpMapping,
    renumbering: &'a Renumbering,
}

impl BlockNumbers<'_> {
    /// Writes the receiver's payload types into the headers of a RED payload.
    pub(crate) fn write(self, payload: &mut [u8]) {
        red::renumber(payload, |own| self.renumbering.apply(self.mapping.payload_type(own).unwrap_or(own)));
    }
}
