//! Checks of dictionaries that came from outside, and the defaults of their members. What serde accepted is well
//! typed; here it is made sense of.

use std::collections::BTreeSet;

use crate::capabilities::RtpCapabilities;
use crate::codec::{RtpCodecParameters, associated_payload_type, default_channels};
use crate::header_extension::HeaderExtensionUri;
use crate::media::{Codec, MimeType};
use crate::parameter_map::ParameterMap;
use crate::parameters::{RtpEncodingParameters, RtpParameters};
use crate::payload_types::{PayloadTypes, Refused};
use crate::red::resolve_red_blocks;

/// How many encodings RTP parameters may have.
pub const MAX_ENCODINGS: usize = 32;

/// What is wrong with a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecFault {
    /// The payload type has more than seven bits (RFC 3550 section 5.1).
    #[error("payload type {0} is above 127")]
    PayloadTypeOutOfRange(u8),
    /// Another codec of the list has this payload type.
    #[error("payload type {0} is there twice")]
    DuplicatePayloadType(u8),
    /// The clock rate is 0.
    #[error("a clock rate is above 0 Hz")]
    ZeroClockRate,
    /// The number of channels is 0.
    #[error("audio has a channel at least")]
    ZeroChannels,
    /// An `apt` that is no payload type, or none on an RTX codec (RFC 4588 section 8).
    #[error("apt is a payload type from 0 to 127")]
    InvalidApt,
    /// An RTX codec for a payload type that no media codec of the list has.
    #[error("no media codec has the payload type of apt")]
    DanglingApt,
    /// A RED codec with blocks that no media codec of the list has (RFC 2198 section 5).
    #[error("no media codec has the payload types of these blocks")]
    DanglingRedBlocks,
}

/// Why [`validate_rtp_capabilities`] refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpCapabilitiesError {
    /// A codec is not valid.
    #[error("{field}: {fault}")]
    Codec {
        /// The path of the member, such as `codecs[1].parameters.apt`.
        field: String,
        /// What is wrong with it.
        fault: CodecFault,
    },
    /// A header extension has an empty URI.
    #[error("{field}: a header extension has a URI")]
    EmptyUri {
        /// The path of the member.
        field: String,
    },
    /// A header extension has id 0 (RFC 8285 section 4.2).
    #[error("{field}: ids of header extensions go from 1 to 255")]
    ZeroExtensionId {
        /// The path of the member.
        field: String,
    },
}

/// Why [`validate_rtp_parameters`] refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpParametersError {
    /// A codec is not valid.
    #[error("{field}: {fault}")]
    Codec {
        /// The path of the member, such as `codecs[1].parameters.apt`.
        field: String,
        /// What is wrong with it.
        fault: CodecFault,
    },
    /// A header extension has an empty URI.
    #[error("{field}: a header extension has a URI")]
    EmptyUri {
        /// The path of the member.
        field: String,
    },
    /// A header extension has id 0 (RFC 8285 section 4.2).
    #[error("{field}: ids of header extensions go from 1 to 255")]
    ZeroExtensionId {
        /// The path of the member.
        field: String,
    },
    /// Two header extensions have the same id.
    #[error("{field}: header extension id {id} is there twice")]
    DuplicateExtensionId {
        /// The path of the second of them.
        field: String,
        /// The id.
        id: u8,
    },
    /// There are more than [`MAX_ENCODINGS`].
    #[error("encodings: {0} are more than {MAX_ENCODINGS}")]
    TooManyEncodings(usize),
    /// Two streams have the same SSRC.
    #[error("{field}: ssrc {ssrc} is there twice")]
    DuplicateSsrc {
        /// The path of the second of them.
        field: String,
        /// The SSRC.
        ssrc: u32,
    },
    /// Two encodings have the same RTP stream id.
    #[error("{field}: the rid is there twice")]
    DuplicateRid {
        /// The path of the second of them.
        field: String,
    },
    /// An encoding names a payload type that no media codec has.
    #[error("{field}: no media codec has payload type {payload_type}")]
    UnknownPayloadType {
        /// The path of the member.
        field: String,
        /// The payload type.
        payload_type: u8,
    },
}

/// Checks capabilities and fills in defaults: one channel for audio, none for video.
///
/// # Errors
/// [`RtpCapabilitiesError`] names the member at fault.
pub fn validate_rtp_capabilities(capabilities: &mut RtpCapabilities) -> Result<(), RtpCapabilitiesError> {
    let mut taken = PayloadTypes::default();
    for (i, codec) in capabilities.codecs.iter_mut().enumerate() {
        let payload_type = Some(("preferredPayloadType", codec.preferred_payload_type));
        let checked = Checked {
            mime_type: &codec.mime_type,
            payload_type,
            clock_rate: codec.clock_rate,
            channels: &mut codec.channels,
            parameters: &codec.parameters,
        };
        check_codec(checked, &mut taken).map_err(|(member, fault)| RtpCapabilitiesError::Codec {
            field: format!("codecs[{i}].{member}"),
            fault,
        })?;
    }
    for (i, extension) in capabilities.header_extensions.iter().enumerate() {
        if extension.uri.as_str().is_empty() {
            return Err(RtpCapabilitiesError::EmptyUri { field: format!("headerExtensions[{i}].uri") });
        }
        if extension.preferred_id == 0 {
            let field = format!("headerExtensions[{i}].preferredId");
            return Err(RtpCapabilitiesError::ZeroExtensionId { field });
        }
    }
    Ok(())
}

/// Checks parameters and fills in defaults: one channel for audio, none for video; an empty `mid`, `msid`, `rid`,
/// `cname` or `scalabilityMode` is as good as none.
///
/// Every RTX codec must repair a media codec of the list, and every RED codec hold blocks of some.
///
/// # Errors
/// [`RtpParametersError`] names the member at fault.
pub fn validate_rtp_parameters(params: &mut RtpParameters) -> Result<(), RtpParametersError> {
    let mut taken = PayloadTypes::default();
    for (i, codec) in params.codecs.iter_mut().enumerate() {
        let checked = Checked {
            mime_type: &codec.mime_type,
            payload_type: Some(("payloadType", codec.payload_type)),
            clock_rate: codec.clock_rate,
            channels: &mut codec.channels,
            parameters: &codec.parameters,
        };
        check_codec(checked, &mut taken).map_err(|(member, fault)| RtpParametersError::Codec {
            field: format!("codecs[{i}].{member}"),
            fault,
        })?;
    }
    check_associations(&params.codecs)?;
    check_header_extensions(params)?;
    check_encodings(params)?;
    for text in [&mut params.mid, &mut params.msid, &mut params.rtcp.cname] {
        drop_empty(text);
    }
    Ok(())
}

/// The members of any codec dictionary that are checked.
pub(crate) struct Checked<'a> {
    pub(crate) mime_type: &'a MimeType,
    /// The name of the member and its value.
    pub(crate) payload_type: Option<(&'static str, u8)>,
    pub(crate) clock_rate: u32,
    pub(crate) channels: &'a mut Option<u8>,
    pub(crate) parameters: &'a ParameterMap,
}

/// Checks a codec by itself and settles its channels. The error has the member at fault.
pub(crate) fn check_codec(
    codec: Checked<'_>,
    taken: &mut PayloadTypes,
) -> Result<(), (&'static str, CodecFault)> {
    if let Some((member, payload_type)) = codec.payload_type {
        taken.take(payload_type).map_err(|refused| match refused {
            Refused::OutOfRange => (member, CodecFault::PayloadTypeOutOfRange(payload_type)),
            Refused::Duplicate => (member, CodecFault::DuplicatePayloadType(payload_type)),
        })?;
    }
    if codec.clock_rate == 0 {
        return Err(("clockRate", CodecFault::ZeroClockRate));
    }
    match default_channels(codec.mime_type) {
        None => *codec.channels = None,
        Some(_) if *codec.channels == Some(0) => return Err(("channels", CodecFault::ZeroChannels)),
        Some(default) => {
            codec.channels.get_or_insert(default);
        }
    }
    let has_apt = codec.parameters.get("apt").is_some() || codec.mime_type.codec() == Codec::Rtx;
    if has_apt && associated_payload_type(codec.parameters).is_none() {
        return Err(("parameters.apt", CodecFault::InvalidApt));
    }
    Ok(())
}

fn check_associations(codecs: &[RtpCodecParameters]) -> Result<(), RtpParametersError> {
    for (i, codec) in codecs.iter().enumerate() {
        let fault = match codec.mime_type.codec() {
            Codec::Rtx if !is_media(codecs, codec.apt()) => ("parameters.apt", CodecFault::DanglingApt),
            Codec::Red if resolve_red_blocks(codec, codecs).is_none() => {
                ("parameters", CodecFault::DanglingRedBlocks)
            }
            _ => continue,
        };
        return Err(RtpParametersError::Codec { field: format!("codecs[{i}].{}", fault.0), fault: fault.1 });
    }
    Ok(())
}

fn is_media(codecs: &[RtpCodecParameters], payload_type: Option<u8>) -> bool {
    let mut media = codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
    media.any(|codec| Some(codec.payload_type) == payload_type)
}

fn check_header_extensions(params: &RtpParameters) -> Result<(), RtpParametersError> {
    let mut ids = BTreeSet::new();
    for (i, extension) in params.header_extensions.iter().enumerate() {
        let (uri, id): (&HeaderExtensionUri, u8) = (&extension.uri, extension.id);
        if uri.as_str().is_empty() {
            return Err(RtpParametersError::EmptyUri { field: format!("headerExtensions[{i}].uri") });
        }
        let field = || format!("headerExtensions[{i}].id");
        if id == 0 {
            return Err(RtpParametersError::ZeroExtensionId { field: field() });
        }
        if !ids.insert(id) {
            return Err(RtpParametersError::DuplicateExtensionId { field: field(), id });
        }
    }
    Ok(())
}

fn check_encodings(params: &mut RtpParameters) -> Result<(), RtpParametersError> {
    let RtpParameters { codecs, encodings, .. } = params;
    if encodings.len() > MAX_ENCODINGS {
        return Err(RtpParametersError::TooManyEncodings(encodings.len()));
    }
    let mut ssrcs = BTreeSet::new();
    for (i, encoding) in encodings.iter_mut().enumerate() {
        drop_empty(&mut encoding.rid);
        drop_empty(&mut encoding.scalability_mode);
        for (member, ssrc) in [("ssrc", encoding.ssrc), ("rtx.ssrc", encoding.rtx.map(|rtx| rtx.ssrc))] {
            let Some(ssrc) = ssrc else { continue };
            if !ssrcs.insert(ssrc) {
                return Err(RtpParametersError::DuplicateSsrc {
                    field: format!("encodings[{i}].{member}"),
                    ssrc,
                });
            }
        }
        if let Some(payload_type) = encoding.codec_payload_type
            && !is_media(codecs, Some(payload_type))
        {
            let field = format!("encodings[{i}].codecPayloadType");
            return Err(RtpParametersError::UnknownPayloadType { field, payload_type });
        }
    }
    check_rids(encodings)
}

fn check_rids(encodings: &[RtpEncodingParameters]) -> Result<(), RtpParametersError> {
    let mut rids = BTreeSet::new();
    for (i, encoding) in encodings.iter().enumerate() {
        let Some(rid) = &encoding.rid else { continue };
        if !rids.insert(rid) {
            return Err(RtpParametersError::DuplicateRid { field: format!("encodings[{i}].rid") });
        }
    }
    Ok(())
}

fn drop_empty(text: &mut Option<String>) {
    if text.as_deref() == Some("") {
        *text = None;
    }
}
