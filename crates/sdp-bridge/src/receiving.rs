//! From sections that receive to the RTP capabilities of a consumer's endpoint. Knows nothing of producers.

use tureen_rtp_dictionaries::{
    Codec, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpHeaderExtension,
    RtpHeaderExtensionDirection,
};

use crate::media::OfferedMedia;
use crate::offer::Offer;

impl OfferedMedia {
    /// What the offerer can receive in this section, under its own payload types and extension ids. Empty if it receives
    /// nothing.
    ///
    /// A router consumes under numbers of its own. The receiver demands those of its offer (RFC 3264 section 6.1), so
    /// the consumer is made with
    /// [`get_receiver_consumer_rtp_parameters`](tureen_rtp_dictionaries::get_receiver_consumer_rtp_parameters).
    pub fn rtp_capabilities(&self) -> RtpCapabilities {
        let mut capabilities = RtpCapabilities::default();
        let Some(kind) = self.media_kind().filter(|_| self.receives()) else { return capabilities };
        let usable = self.codecs.iter().filter(|codec| match codec.mime_type.codec() {
            Codec::Rtx => codec.apt().is_some_and(|apt| self.has_media_codec(apt)),
            Codec::Fec => false,
            _ => true,
        });
        capabilities.codecs = usable.map(capability).collect();
        for extension in self.extensions.iter().filter(|extension| !extension.encrypt) {
            let default = match self.direction.sends() {
                true => RtpHeaderExtensionDirection::SendRecv,
                false => RtpHeaderExtensionDirection::RecvOnly,
            };
            capabilities.header_extensions.push(RtpHeaderExtension {
                kind,
                uri: extension.uri.clone(),
                preferred_id: extension.id,
                preferred_encrypt: false,
                direction: extension.direction.unwrap_or(default),
            });
        }
        capabilities
    }

    fn has_media_codec(&self, payload_type: u8) -> bool {
        self.codecs
            .iter()
            .any(|codec| codec.payload_type == payload_type && codec.mime_type.codec().is_media())
    }
}

impl Offer {
    /// What the offerer can receive in any of its sections. In a BUNDLE group a payload type or an extension id means the
    /// same everywhere (RFC 9143 section 9.1), so the first section that has it counts.
    pub fn rtp_capabilities(&self) -> RtpCapabilities {
        let mut merged = RtpCapabilities::default();
        for section in &self.media {
            let RtpCapabilities { codecs, header_extensions } = section.rtp_capabilities();
            for codec in codecs {
                let payload_type = codec.preferred_payload_type;
                if !merged.codecs.iter().any(|known| known.preferred_payload_type == payload_type) {
                    merged.codecs.push(codec);
                }
            }
            for extension in header_extensions {
                let same = |known: &RtpHeaderExtension| {
                    known.kind == extension.kind && known.preferred_id == extension.preferred_id
                };
                if !merged.header_extensions.iter().any(same) {
                    merged.header_extensions.push(extension);
                }
            }
        }
        merged
    }
}

fn capability(codec: &RtpCodecParameters) -> RtpCodecCapability {
    RtpCodecCapability {
        mime_type: codec.mime_type.clone(),
        preferred_payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    }
}
