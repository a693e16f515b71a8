//! What a payload type means: one small table per producer, looked up for every packet.

use smallvec::SmallVec;
use tureen_rtp_dictionaries::{Codec, RtpCodecParameters, RtpMapping, RtpParameters};
use tureen_rtp_wire::payload::PayloadFormat;

/// A codec as the packet path needs it.
#[derive(Clone, Debug)]
pub struct StreamCodec {
    /// Payload type on the wire.
    pub payload_type: u8,
    /// Payload type in the router.
    pub mapped_payload_type: u8,
    /// How its payload is read.
    pub format: PayloadFormat,
    /// Ticks a second.
    pub clock_rate: u32,
    /// Payload type of its retransmissions.
    pub rtx_payload_type: Option<u8>,
    /// Feedback messages.
    pub feedback: Feedback,
    /// Whether it sends nothing in silence.
    pub dtx: bool,
    /// Whether it carries its own forward error correction.
    pub in_band_fec: bool,
}

/// Feedback messages that were negotiated for a codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK (RFC 4585).
    pub nack: bool,
    /// PLI (RFC 4585).
    pub pli: bool,
    /// FIR (RFC 5104).
    pub fir: bool,
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub transport_cc: bool,
    /// Estimates of the receiver (draft-alvestrand-rmcat-remb-03).
    pub remb: bool,
}

impl Feedback {
    /// The messages that `codec` names.
    pub fn of(codec: &RtpCodecParameters) -> Self {
        let has = |kind: &str, parameter: &str| {
            codec.rtcp_feedback.iter().any(|entry| entry.kind == kind && entry.parameter == parameter)
        };
        Self {
            nack: has("nack", ""),
            pli: has("nack", "pli"),
            fir: has("ccm", "fir"),
            transport_cc: has("transport-cc", ""),
            remb: has("goog-remb", ""),
        }
    }
}

impl Feedback {
    fn or(self, other: Self) -> Self {
        Self {
            nack: self.nack | other.nack,
            pli: self.pli | other.pli,
            fir: self.fir | other.fir,
            transport_cc: self.transport_cc | other.transport_cc,
            remb: self.remb | other.remb,
        }
    }
}

/// The media codecs of a producer.
#[derive(Clone, Debug, Default)]
pub struct CodecTable {
    codecs: SmallVec<[StreamCodec; 2]>,
}

impl CodecTable {
    /// The media codecs of `parameters`, mapped.
    pub fn new(parameters: &RtpParameters, mapping: &RtpMapping) -> Self {
        let dtx_encoding = parameters.encodings.iter().any(|encoding| encoding.dtx);
        let media = parameters.codecs.iter().filter(|codec| !codec.is_rtx());
        let codecs = media.map(|codec| StreamCodec {
            payload_type: codec.payload_type,
            mapped_payload_type: mapped(mapping, codec.payload_type),
            format: payload_format(codec),
            clock_rate: codec.clock_rate,
            rtx_payload_type: rtx_of(parameters, codec.payload_type),
            feedback: Feedback::of(codec),
            dtx: dtx_encoding || codec.parameters.get_u64("usedtx") == Some(1),
            in_band_fec: codec.parameters.get_u64("useinbandfec") == Some(1),
        });
        Self { codecs: codecs.collect() }
    }

    /// The codec of a payload type.
    pub fn get(&self, payload_type: u8) -> Option<&StreamCodec> {
        self.codecs.iter().find(|codec| codec.payload_type == payload_type)
    }

    /// The codec whose retransmissions have this payload type.
    pub fn by_rtx(&self, payload_type: u8) -> Option<&StreamCodec> {
        self.codecs.iter().find(|codec| codec.rtx_payload_type == Some(payload_type))
    }

    /// The messages that any of the codecs has.
    pub fn feedback(&self) -> Feedback {
        self.codecs.iter().fold(Feedback::default(), |all, codec| all.or(codec.feedback))
    }

    /// The first codec, which is the one in use unless packets say otherwise.
    pub fn first(&self) -> Option<&StreamCodec> {
        self.codecs.first()
    }
}

fn mapped(mapping: &RtpMapping, payload_type: u8) -> u8 {
    mapping.payload_type(payload_type).unwrap_or(payload_type)
}

/// The payload type of the RTX codec whose `apt` is `payload_type` (RFC 4588 section 8.1).
pub(crate) fn rtx_of(parameters: &RtpParameters, payload_type: u8) -> Option<u8> {
    let rtx = parameters.codecs.iter().find(|codec| codec.is_rtx() && codec.apt() == Some(payload_type))?;
    Some(rtx.payload_type)
}

/// How the payload of a codec is read.
pub(crate) fn payload_format(codec: &RtpCodecParameters) -> PayloadFormat {
    match codec.mime_type.codec() {
        Codec::Opus | Codec::MultiOpus => PayloadFormat::Opus,
        Codec::Vp8 => PayloadFormat::Vp8,
        Codec::Vp9 => PayloadFormat::Vp9,
        Codec::H264 => PayloadFormat::H264,
        Codec::H265 => PayloadFormat::H265,
        Codec::Av1 => PayloadFormat::Av1,
        _ => PayloadFormat::Opaque,
    }
}
