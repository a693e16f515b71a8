//! What a payload type means: one small table per producer, looked up for every packet.

use smallvec::SmallVec;
use tureen_rtp_dictionaries::{Codec, RtpCodecParameters, RtpMapping, RtpParameters, resolve_red_blocks};
use tureen_rtp_wire::payload::PayloadFormat;
use tureen_rtp_wire::payload::red::{Primary, RedPayload};

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
    /// Of RED (RFC 2198), the payload type that its primary blocks have by its parameters.
    pub red_primary: Option<u8>,
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
    /// Feedback on streams (RFC 8888).
    pub by_stream: bool,
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
            by_stream: has("ack", "ccfb"),
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
            by_stream: self.by_stream | other.by_stream,
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
            red_primary: red_primary(parameters, codec),
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

    /// The first codec besides RED, which is the one in use unless packets say otherwise.
    pub fn first(&self) -> Option<&StreamCodec> {
        self.codecs.iter().find(|codec| codec.red_primary.is_none())
    }

    /// The codec of a payload type, and of RED the codec that is within by its parameters.
    pub fn media(&self, payload_type: u8) -> Option<&StreamCodec> {
        let codec = self.get(payload_type)?;
        codec.red_primary.map_or(Some(codec), |primary| self.get(primary))
    }

    /// What is in a payload. `None` for a payload type that is not in the table, and for RED that is broken, or whose primary block is
    /// empty or of such a payload type.
    #[inline]
    pub(crate) fn content(&self, payload_type: u8, payload: &[u8]) -> Option<Content> {
        let codec = self.get(payload_type)?;
        match codec.red_primary {
            Some(_) => self.red_content(payload_type, payload),
            None => Some(Content { payload_type, format: codec.format, primary: None }),
        }
    }

    fn red_content(&self, payload_type: u8, payload: &[u8]) -> Option<Content> {
        if payload.is_empty() {
            // Padding alone.
            let media = self.media(payload_type)?;
            return Some(Content { payload_type: media.payload_type, format: media.format, primary: None });
        }
        let primary = RedPayload::parse(payload_type, payload).ok()?.primary();
        let media = self.get(primary.payload_type()).filter(|codec| codec.red_primary.is_none())?;
        let content =
            Content { payload_type: media.payload_type, format: media.format, primary: Some(primary) };
        (!content.of(payload).is_empty()).then_some(content)
    }
}

/// What is in a payload: the media itself, or RED around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The payload type of the media; of RED, that of its primary block.
    pub(crate) payload_type: u8,
    /// How the media is read.
    pub(crate) format: PayloadFormat,
    /// Of RED, where the media is.
    pub(crate) primary: Option<Primary>,
}

impl Content {
    /// The media in the payload that this was read from.
    #[inline]
    pub(crate) fn of<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        self.primary.map_or(payload, |primary| primary.data(payload))
    }
}

fn red_primary(parameters: &RtpParameters, codec: &RtpCodecParameters) -> Option<u8> {
    let is_red = codec.mime_type.codec() == Codec::Red;
    let blocks = is_red.then(|| resolve_red_blocks(codec, &parameters.codecs)).flatten()?;
    blocks.first().copied()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CodecTable {
        let parameters: RtpParameters = serde_json::from_value(serde_json::json!({
            "codecs": [
                {"mimeType": "audio/red", "clockRate": 48000, "channels": 2, "payloadType": 63, "parameters": {"": "111/111"}},
                {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111,
                 "parameters": {"usedtx": 1}},
                {"mimeType": "audio/PCMU", "clockRate": 8000, "payloadType": 0}
            ],
            "encodings": [{"ssrc": 1}]
        }))
        .unwrap();
        CodecTable::new(&parameters, &RtpMapping { codecs: Vec::new(), encodings: Vec::new() })
    }

    #[test]
    fn red_is_what_its_primary_block_is() {
        let table = table();
        assert_eq!(table.first().map(|codec| codec.payload_type), Some(111));
        assert_eq!(table.media(63).map(|codec| (codec.payload_type, codec.dtx)), Some((111, true)));
        assert_eq!(table.media(111).map(|codec| codec.payload_type), Some(111));
        let payload = [0x80 | 111, 0, 0, 1, 111, 7, 8, 9];
        let content = table.content(63, &payload).unwrap();
        assert_eq!((content.payload_type, content.format), (111, PayloadFormat::Opus));
        assert_eq!(content.of(&payload), [8, 9]);
        let plain = table.content(111, &payload).unwrap();
        assert_eq!((plain.primary, plain.of(&payload)), (None, &payload[..]));
        assert_eq!(table.content(63, &[0, 1]).map(|content| content.format), Some(PayloadFormat::Opaque));
        assert_eq!(table.content(63, &[]).map(|content| content.payload_type), Some(111), "padding alone");
    }

    #[test]
    fn red_without_a_primary_block_that_is_known_is_nothing() {
        let table = table();
        for payload in [&[111][..], &[0xef, 0, 0, 9, 111, 1], &[0xef], &[96, 1], &[63, 111, 1]] {
            assert_eq!(table.content(63, payload), None, "{payload:02x?}");
        }
    }
}
