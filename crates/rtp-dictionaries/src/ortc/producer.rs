//! From what a producer sends to what its router forwards.

use crate::capabilities::RtpCapabilities;
use crate::codec::{RtpCodecCapability, RtpCodecParameters, associated_payload_type};
use crate::header_extension::{HeaderExtensionUri, RtpHeaderExtensionParameters};
use crate::matching::same_profile;
use crate::media::{Codec, MediaKind, MimeType};
use crate::parameters::{
    RtcpParameters, RtpCodecMapping, RtpEncodingMapping, RtpEncodingParameters, RtpMapping, RtpParameters,
};
use crate::red::{RedBlocks, red_parameters, resolve_red_blocks};

/// Why [`get_producer_rtp_parameters_mapping`] refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpMappingError {
    /// There is no codec that could carry media.
    #[error("codecs: there is no media codec")]
    NoMediaCodec,
    /// The router does not have a codec.
    #[error("{field}: the router does not support {mime_type} with these parameters")]
    UnsupportedCodec {
        /// The path of the codec.
        field: String,
        /// What it is.
        mime_type: MimeType,
    },
    /// An RTX codec repairs no codec of the list, or a RED codec has blocks of none.
    #[error("{field}: there is no media codec for it")]
    MissingMediaCodec {
        /// The path of the codec.
        field: String,
    },
    /// The router has no RTX for the codec that is repaired.
    #[error("{field}: the router has no RTX for payload type {payload_type}")]
    UnsupportedRtx {
        /// The path of the codec.
        field: String,
        /// The router's payload type of the codec that is repaired.
        payload_type: u8,
    },
    /// No packet could ever be known to belong to an encoding.
    #[error("{field}: has neither ssrc nor rid, and is not the only one under a mid")]
    UnidentifiedEncoding {
        /// The path of the encoding.
        field: String,
    },
}

/// Finds the router's payload type for each of the producer's, and gives each encoding an SSRC inside the router:
/// `ssrc_base` for the first, one more for each of the others (modulo 2^32).
///
/// No encodings are as good as one without members. Pass validated parameters
/// ([`validate_rtp_parameters`](crate::validate_rtp_parameters)) and a random `ssrc_base`, from 100000000 to
/// 999999999 by custom.
///
/// # Errors
/// [`RtpMappingError`] names the member at fault.
pub fn get_producer_rtp_parameters_mapping(
    params: &RtpParameters,
    capabilities: &RtpCapabilities,
    ssrc_base: u32,
) -> Result<RtpMapping, RtpMappingError> {
    if !params.codecs.iter().any(|codec| codec.mime_type.codec().is_media()) {
        return Err(RtpMappingError::NoMediaCodec);
    }
    let mut mapping = RtpMapping::default();
    // RTX and RED refer to media codecs, so these come first.
    for second_round in [false, true] {
        for (i, codec) in params.codecs.iter().enumerate() {
            if second_round == codec.mime_type.codec().is_media() {
                continue;
            }
            let mapped_payload_type = map_codec(i, codec, params, capabilities, &mapping)?;
            mapping.codecs.push(RtpCodecMapping { payload_type: codec.payload_type, mapped_payload_type });
        }
    }
    mapping.encodings = map_encodings(params, ssrc_base)?;
    Ok(mapping)
}

fn map_codec(
    index: usize,
    codec: &RtpCodecParameters,
    params: &RtpParameters,
    capabilities: &RtpCapabilities,
    media: &RtpMapping,
) -> Result<u8, RtpMappingError> {
    let field = || format!("codecs[{index}]");
    let missing = || RtpMappingError::MissingMediaCodec { field: field() };
    if codec.is_rtx() {
        let payload_type = codec.apt().and_then(|apt| media.payload_type(apt)).ok_or_else(missing)?;
        let rtx = router_rtx(capabilities, payload_type);
        let rtx = rtx.ok_or_else(|| RtpMappingError::UnsupportedRtx { field: field(), payload_type })?;
        return Ok(rtx.preferred_payload_type);
    }
    if codec.mime_type.codec() == Codec::Red {
        resolve_red_blocks(codec, &params.codecs).ok_or_else(missing)?;
    }
    let matched = capabilities.codecs.iter().find(|capability| same_profile(*capability, codec));
    let unsupported =
        || RtpMappingError::UnsupportedCodec { field: field(), mime_type: codec.mime_type.clone() };
    Ok(matched.ok_or_else(unsupported)?.preferred_payload_type)
}

fn router_rtx(capabilities: &RtpCapabilities, payload_type: u8) -> Option<&RtpCodecCapability> {
    capabilities.codecs.iter().find(|codec| {
        codec.mime_type.codec() == Codec::Rtx
            && associated_payload_type(&codec.parameters) == Some(payload_type)
    })
}

fn map_encodings(params: &RtpParameters, ssrc_base: u32) -> Result<Vec<RtpEncodingMapping>, RtpMappingError> {
    let only = [RtpEncodingParameters::default()];
    let encodings = if params.encodings.is_empty() { &only } else { params.encodings.as_slice() };
    let mut mapped = Vec::with_capacity(encodings.len());
    let mut mapped_ssrc = ssrc_base;
    for (i, encoding) in encodings.iter().enumerate() {
        let known_by_mid = params.mid.is_some() && encodings.len() == 1;
        if encoding.ssrc.is_none() && encoding.rid.is_none() && !known_by_mid {
            return Err(RtpMappingError::UnidentifiedEncoding { field: format!("encodings[{i}]") });
        }
        mapped.push(RtpEncodingMapping {
            ssrc: encoding.ssrc,
            rid: encoding.rid.clone(),
            scalability_mode: encoding.scalability_mode.clone(),
            mapped_ssrc,
        });
        mapped_ssrc = mapped_ssrc.wrapping_add(1);
    }
    Ok(mapped)
}

/// Why [`get_consumable_rtp_parameters`] refused. With a mapping made from the same parameters and capabilities, only
/// [`WrongKind`](Self::WrongKind) can happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumableParametersError {
    /// A codec is of the other kind of media.
    #[error("{field}: {mime_type} is not {kind}")]
    WrongKind {
        /// The path of the codec.
        field: String,
        /// What it is.
        mime_type: MimeType,
        /// What it should be.
        kind: MediaKind,
    },
    /// The mapping does not fit the parameters and capabilities.
    #[error("{field}: the mapping does not lead to a codec of the router")]
    Unmapped {
        /// The path of the codec.
        field: String,
    },
}

/// The parameters of a producer as its router names things, which all its consumers start from.
///
/// Codecs have the router's payload types and feedback and the producer's parameters; the router's RTX follows
/// each. RED comes behind them, its blocks renamed, and FlexFEC last, if the router has it. Codecs that the router cannot tell apart become one. Header
/// extensions are those that the router sends; `abs-capture-time` only if the producer sends it.
///
/// # Errors
/// [`ConsumableParametersError`] names the codec at fault.
pub fn get_consumable_rtp_parameters(
    kind: MediaKind,
    params: &RtpParameters,
    capabilities: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<RtpParameters, ConsumableParametersError> {
    Ok(RtpParameters {
        mid: None,
        codecs: consumable_codecs(kind, params, capabilities, mapping)?,
        header_extensions: consumable_header_extensions(kind, params, capabilities),
        encodings: consumable_encodings(params, mapping),
        rtcp: RtcpParameters { cname: params.rtcp.cname.clone(), reduced_size: true, mux: None },
        msid: params.msid.clone(),
        user_parameters: None,
    })
}

fn consumable_codecs(
    kind: MediaKind,
    params: &RtpParameters,
    capabilities: &RtpCapabilities,
    mapping: &RtpMapping,
) -> Result<Vec<RtpCodecParameters>, ConsumableParametersError> {
    let (mut media, mut reds) = (Vec::<RtpCodecParameters>::new(), Vec::<RtpCodecParameters>::new());
    for (i, codec) in params.codecs.iter().enumerate() {
        let field = || format!("codecs[{i}]");
        if codec.kind() != kind {
            let mime_type = codec.mime_type.clone();
            return Err(ConsumableParametersError::WrongKind { field: field(), mime_type, kind });
        }
        // Parity is of the packets of one way only: consumers get their own.
        if codec.is_rtx() || codec.mime_type.codec() == Codec::FlexFec {
            continue;
        }
        let unmapped = || ConsumableParametersError::Unmapped { field: field() };
        let payload_type = mapping.payload_type(codec.payload_type).ok_or_else(unmapped)?;
        let known = capabilities.codecs.iter().find(|known| known.preferred_payload_type == payload_type);
        let known = known.filter(|known| same_profile(*known, codec)).ok_or_else(unmapped)?;
        if media.iter().chain(&reds).any(|codec| codec.payload_type == payload_type) {
            continue;
        }
        if codec.mime_type.codec() == Codec::Red {
            let blocks = mapped_blocks(codec, params, mapping).ok_or_else(unmapped)?;
            reds.push(RtpCodecParameters { parameters: red_parameters(&blocks), ..as_parameters(known) });
        } else {
            media.push(RtpCodecParameters { parameters: codec.parameters.clone(), ..as_parameters(known) });
            media.extend(router_rtx(capabilities, payload_type).map(as_parameters));
        }
    }
    media.append(&mut reds);
    let parity =
        |known: &&RtpCodecCapability| known.kind() == kind && known.mime_type.codec() == Codec::FlexFec;
    media.extend(capabilities.codecs.iter().find(parity).map(as_parameters));
    Ok(media)
}

fn mapped_blocks(
    red: &RtpCodecParameters,
    params: &RtpParameters,
    mapping: &RtpMapping,
) -> Option<RedBlocks> {
    let blocks = resolve_red_blocks(red, &params.codecs)?;
    blocks.iter().map(|payload_type| mapping.payload_type(*payload_type)).collect()
}

fn as_parameters(capability: &RtpCodecCapability) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: capability.mime_type.clone(),
        payload_type: capability.preferred_payload_type,
        clock_rate: capability.clock_rate,
        channels: capability.channels,
        parameters: capability.parameters.clone(),
        rtcp_feedback: capability.rtcp_feedback.clone(),
    }
}

fn consumable_header_extensions(
    kind: MediaKind,
    params: &RtpParameters,
    capabilities: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    let produced = |uri: &HeaderExtensionUri| params.header_extensions.iter().any(|ext| ext.uri == *uri);
    let known = capabilities.header_extensions.iter();
    known
        .filter(|ext| ext.kind == kind && ext.direction.sends())
        .filter(|ext| ext.uri != HeaderExtensionUri::AbsCaptureTime || produced(&ext.uri))
        .map(|ext| RtpHeaderExtensionParameters {
            encrypt: ext.preferred_encrypt,
            ..RtpHeaderExtensionParameters::new(ext.uri.clone(), ext.preferred_id)
        })
        .collect()
}

fn consumable_encodings(params: &RtpParameters, mapping: &RtpMapping) -> Vec<RtpEncodingParameters> {
    let encoding = |(i, mapped): (usize, &RtpEncodingMapping)| RtpEncodingParameters {
        ssrc: Some(mapped.mapped_ssrc),
        rid: None,
        codec_payload_type: None,
        rtx: None,
        fec: None,
        ..params.encodings.get(i).cloned().unwrap_or_default()
    };
    mapping.encodings.iter().enumerate().map(encoding).collect()
}
