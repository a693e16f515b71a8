//! What a router can do, from the codecs that it shall support.

use crate::capabilities::RtpCapabilities;
use crate::codec::{RouterRtpCodecCapability, RtcpFeedback, RtpCodecCapability};
use crate::matching::same_format;
use crate::media::{Codec, MediaKind, MimeType};
use crate::payload_types::PayloadTypes;
use crate::red::red_parameters;
use crate::supported::{DYNAMIC_PAYLOAD_TYPES, supported_header_extensions, supported_rtp_capabilities};
use crate::validate::{Checked, CodecFault, check_codec};

/// Why [`generate_router_rtp_capabilities`] refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouterCapabilitiesError {
    /// A codec is not valid.
    #[error("{field}: {fault}")]
    Codec {
        /// The path of the member, such as `mediaCodecs[1].clockRate`.
        field: String,
        /// What is wrong with it.
        fault: CodecFault,
    },
    /// A codec is not in [`supported_rtp_capabilities`].
    #[error("{field}: {mime_type} with this clock rate, channels and parameters is not supported")]
    UnsupportedCodec {
        /// The path of the codec.
        field: String,
        /// What it is.
        mime_type: MimeType,
    },
    /// There are more codecs than free payload types in [`DYNAMIC_PAYLOAD_TYPES`].
    #[error("{field}: no payload type is left")]
    PayloadTypesExhausted {
        /// The path of the codec.
        field: String,
    },
    /// RED without the Opus codec that its blocks would carry.
    #[error("{field}: audio/red carries audio/opus, which is not in the list")]
    RedWithoutOpus {
        /// The path of the codec.
        field: String,
    },
}

/// The capabilities of a router with these codecs.
///
/// A codec gets the payload type that it prefers, else its static one if that is free, else the next dynamic one. An
/// RTX codec follows each video codec of media. The parameters given win over the table's; feedback and header
/// extensions are the table's. `audio/red` needs `audio/opus` beside it.
///
/// Congestion control feedback by stream (RFC 8888) is not in the table, so that nobody has it who does not ask: with
/// [`RtcpFeedback::ACK_CCFB`] among the feedback of one codec all codecs of media have it, since it goes for all payload types of a
/// session (section 6).
///
/// # Errors
/// [`RouterCapabilitiesError`] names the codec at fault, by its place in `media_codecs`.
pub fn generate_router_rtp_capabilities(
    media_codecs: &[RouterRtpCodecCapability],
) -> Result<RtpCapabilities, RouterCapabilitiesError> {
    let mut taken = PayloadTypes::default();
    let media_codecs = validated(media_codecs, &mut taken)?;
    let supported = supported_rtp_capabilities().codecs;
    let asked = |codec: &RouterRtpCodecCapability| codec.rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB);
    let by_stream = media_codecs.iter().any(asked);
    let mut codecs = Vec::with_capacity(2 * media_codecs.len());
    for (i, wanted) in media_codecs.iter().enumerate() {
        let field = || format!("mediaCodecs[{i}]");
        let known = supported.iter().find(|known| same_format(*known, wanted)).ok_or_else(|| {
            RouterCapabilitiesError::UnsupportedCodec { field: field(), mime_type: wanted.mime_type.clone() }
        })?;
        let exhausted = || RouterCapabilitiesError::PayloadTypesExhausted { field: field() };
        let payload_type = match wanted.preferred_payload_type {
            Some(payload_type) => payload_type,
            None => allocate(known.preferred_payload_type, &mut taken).ok_or_else(exhausted)?,
        };
        let mut codec = capability(known, wanted, payload_type);
        if by_stream && codec.mime_type.codec().is_media() {
            codec.rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
        }
        let is_repaired = codec.kind() == MediaKind::Video && codec.mime_type.codec().is_media();
        let rtx = match is_repaired {
            true => Some(rtx_for(&codec, allocate(None, &mut taken).ok_or_else(exhausted)?)),
            false => None,
        };
        codecs.push(codec);
        codecs.extend(rtx);
    }
    fill_red_parameters(&mut codecs, &media_codecs)?;
    Ok(RtpCapabilities { codecs, header_extensions: supported_header_extensions() })
}

/// The codecs with their defaults. Preferred payload types are taken first, so that no other codec gets them.
fn validated(
    media_codecs: &[RouterRtpCodecCapability],
    taken: &mut PayloadTypes,
) -> Result<Vec<RouterRtpCodecCapability>, RouterCapabilitiesError> {
    let mut media_codecs = media_codecs.to_vec();
    for (i, codec) in media_codecs.iter_mut().enumerate() {
        let checked = Checked {
            mime_type: &codec.mime_type,
            payload_type: codec.preferred_payload_type.map(|pt| ("preferredPayloadType", pt)),
            clock_rate: codec.clock_rate,
            channels: &mut codec.channels,
            parameters: &codec.parameters,
        };
        check_codec(checked, taken).map_err(|(member, fault)| RouterCapabilitiesError::Codec {
            field: format!("mediaCodecs[{i}].{member}"),
            fault,
        })?;
    }
    Ok(media_codecs)
}

fn allocate(preferred: Option<u8>, taken: &mut PayloadTypes) -> Option<u8> {
    let preferred = preferred.filter(|payload_type| taken.take(*payload_type).is_ok());
    preferred.or_else(|| taken.take_first_free(&DYNAMIC_PAYLOAD_TYPES))
}

fn capability(
    known: &RouterRtpCodecCapability,
    wanted: &RouterRtpCodecCapability,
    payload_type: u8,
) -> RtpCodecCapability {
    let mut parameters = known.parameters.clone();
    parameters.merge(&wanted.parameters);
    RtpCodecCapability {
        mime_type: known.mime_type.clone(),
        preferred_payload_type: payload_type,
        clock_rate: known.clock_rate,
        channels: known.channels,
        parameters,
        rtcp_feedback: known.rtcp_feedback.clone(),
    }
}

fn rtx_for(codec: &RtpCodecCapability, payload_type: u8) -> RtpCodecCapability {
    let mut rtx = RtpCodecCapability::new(MimeType::rtx(codec.kind()), payload_type, codec.clock_rate);
    rtx.parameters.insert("apt", u64::from(codec.preferred_payload_type));
    rtx
}

/// RED of a router carries one redundant block of the first Opus codec, whatever the parameters given.
fn fill_red_parameters(
    codecs: &mut [RtpCodecCapability],
    media_codecs: &[RouterRtpCodecCapability],
) -> Result<(), RouterCapabilitiesError> {
    let opus = codecs.iter().find(|codec| codec.mime_type.codec() == Codec::Opus);
    let opus = opus.map(|codec| codec.preferred_payload_type);
    for codec in codecs.iter_mut().filter(|codec| codec.mime_type.codec() == Codec::Red) {
        let Some(opus) = opus else {
            let red = media_codecs.iter().position(|codec| codec.mime_type.codec() == Codec::Red);
            let field = format!("mediaCodecs[{}]", red.unwrap_or_default());
            return Err(RouterCapabilitiesError::RedWithoutOpus { field });
        };
        codec.parameters = red_parameters(&[opus, opus]);
    }
    Ok(())
}
