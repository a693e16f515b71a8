//! What ingest learns about a packet once, and every consumer decides by.

use crate::frame_layers::FrameLayers;
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::{PayloadDescriptor, red};
use tureen_rtp_wire::rtp::RtpPacket;

/// The facts about one ingress packet. `Copy` and free of references: it goes to each consumer, into the store, and to other shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketMeta {
    /// When the packet arrived.
    pub received_at: Time,
    /// Its place in its stream; the low 16 bits are the sequence number on the wire.
    pub extended_sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Bytes of payload without padding; 0 for a packet of nothing but padding.
    pub payload_size: u16,
    /// Which of the producer's encodings it belongs to, less than [`MAX_LOGGED_ENCODINGS`](crate::sent_log::MAX_LOGGED_ENCODINGS).
    pub encoding: u8,
    /// Spatial layer, 0 if the codec has none.
    pub spatial_layer: u8,
    /// Temporal layer, 0 if the codec has none.
    pub temporal_layer: u8,
    /// The marker bit.
    pub marker: bool,
    /// A decoder can start here: the first packet of a key frame, as far as the codec can tell.
    pub is_key_frame: bool,
    /// Of RED (RFC 2198), where its primary block is; receivers without RED get that alone.
    pub primary: Option<red::Primary>,
    /// What the payload says of itself; of RED, what its primary block says.
    pub descriptor: PayloadDescriptor,
    /// Which layers need it.
    pub layers: FrameLayers,
}

impl PacketMeta {
    /// The facts about a packet whose parts are `packet` and `descriptor`. The layers and the key frame are the descriptor's; overwrite
    /// them where a header extension knows better (AV1's dependency descriptor). It is no RED; overwrite `primary` where it is.
    pub fn new(
        received_at: Time,
        extended_sequence: u64,
        encoding: u8,
        packet: &RtpPacket<'_>,
        descriptor: PayloadDescriptor,
    ) -> Self {
        Self {
            received_at,
            extended_sequence,
            timestamp: packet.timestamp(),
            payload_size: u16::try_from(packet.payload().len()).unwrap_or(u16::MAX),
            encoding,
            spatial_layer: descriptor.spatial_layer(),
            temporal_layer: descriptor.temporal_layer(),
            marker: packet.marker(),
            is_key_frame: descriptor.is_key_frame(),
            primary: None,
            descriptor,
            layers: FrameLayers::of_payload(&descriptor),
        }
    }

    /// Whether it is an Opus frame of discontinuous transmission, alone or as the primary block of RED.
    pub fn is_dtx(&self) -> bool {
        matches!(self.descriptor, PayloadDescriptor::Opus(opus) if opus.is_dtx())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen_rtp_wire::payload::PayloadFormat;

    fn meta(format: PayloadFormat, payload: &[u8]) -> PacketMeta {
        let mut bytes = vec![0x80, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        let packet = RtpPacket::parse(&bytes).expect("an RTP packet");
        let descriptor = PayloadDescriptor::parse(format, payload).expect("a payload of its format");
        PacketMeta::new(Time::ZERO, 70_000, 1, &packet, descriptor)
    }

    #[test]
    fn opus_dtx_frames() {
        let is_dtx = |payload: &[u8]| meta(PayloadFormat::Opus, payload).is_dtx();
        assert!(is_dtx(&[0b1111_1000]));
        assert!(is_dtx(&[0b1111_1001]));
        assert!(!is_dtx(&[0b1111_1010]));
        assert!(!is_dtx(&[0b1111_1011]));
        assert!(is_dtx(&[0b1111_1010, 0]));
        assert!(!is_dtx(&[0b1111_1000, 0]));
        assert!(!is_dtx(&[0b1111_1010, 0, 0]));
        assert!(!meta(PayloadFormat::Opaque, &[0b1111_1000]).is_dtx());
    }

    #[test]
    fn the_facts_come_from_header_and_descriptor() {
        // VP8: S set, partition 0; P clear.
        let meta = meta(PayloadFormat::Vp8, &[0x10, 0, 0, 0]);
        assert!(meta.is_key_frame && meta.marker);
        assert_eq!((meta.timestamp, meta.payload_size, meta.encoding), (9, 4, 1));
    }

    #[test]
    fn the_meta_is_small() {
        assert!(size_of::<PacketMeta>() <= 128, "{}", size_of::<PacketMeta>());
    }
}
