//! Payload types and header extensions of a media section, between SDP and dictionaries (RFC 8866 section 6, RFC 4585
//! section 4.2, RFC 8285 section 5). Does not know which of them will be used.

use std::borrow::Cow;
use std::fmt::Write as _;

use tureen_rtp_dictionaries::{
    Codec, HeaderExtensionUri, MAX_PAYLOAD_TYPE, MediaKind, MimeType, ParameterMap, ParameterValue,
    RED_PARAMETER, RtcpFeedback, RtpCodecParameters, RtpHeaderExtensionDirection,
};

use crate::error::{AttributeFault, SdpError};
use crate::lines::{Attribute, Section, syntax};

/// The most feedback messages of one payload type.
const MAX_FEEDBACK: usize = 32;

/// A header extension as an offer has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedExtension {
    /// From 1 to 255; above 14 it needs two-byte headers (RFC 8285 section 4.3).
    pub id: u8,
    /// What it is.
    pub uri: HeaderExtensionUri,
    /// Whether it would be encrypted (RFC 6904).
    pub encrypt: bool,
    /// Which way the offerer would use it, if it says so; else every way that the media goes.
    pub direction: Option<RtpHeaderExtensionDirection>,
}

/// The codecs of the m-line in its order. Payload types without `a=rtpmap` are left out unless RFC 3551 gives them a
/// meaning.
pub(crate) fn codecs(section: &Section<'_>, kind: MediaKind) -> Result<Vec<RtpCodecParameters>, SdpError> {
    let mut codecs = Vec::with_capacity(section.name.formats.len().min(128));
    let mut seen = 0_u128;
    let mut mapped = [None; 128];
    for attribute in section.attributes.iter().filter(|attribute| attribute.key == "rtpmap") {
        let malformed = || attribute.malformed("rtpmap", "<payload type> <name>/<clock rate>[/<channels>]");
        let (payload_type, rest) = payload_type_and_rest(attribute.value).ok_or_else(malformed)?;
        let slot = mapped.get_mut(usize::from(payload_type)).ok_or_else(malformed)?;
        if slot.replace(rest).is_some() {
            return Err(attribute.error("rtpmap", AttributeFault::Duplicate));
        }
        rtpmap(kind, payload_type, rest).ok_or_else(malformed)?;
    }
    for format in &section.name.formats {
        let payload_type = format.parse::<u8>().ok().filter(|pt| *pt <= MAX_PAYLOAD_TYPE);
        let payload_type =
            payload_type.ok_or_else(|| syntax(section.line, "formats are payload types from 0 to 127"))?;
        if seen & 1 << payload_type != 0 {
            return Err(syntax(section.line, "a payload type is there twice"));
        }
        seen |= 1 << payload_type;
        let text = mapped.get(usize::from(payload_type)).copied().flatten();
        let text = text.or_else(|| static_payload_type(payload_type));
        codecs.extend(text.and_then(|text| rtpmap(kind, payload_type, text)));
    }
    for attribute in &section.attributes {
        match attribute.key {
            "fmtp" => fmtp(attribute, &mut codecs)?,
            "rtcp-fb" => rtcp_feedback(attribute, &mut codecs)?,
            _ => {}
        }
    }
    Ok(codecs)
}

fn payload_type_and_rest(value: &str) -> Option<(u8, &str)> {
    let (payload_type, rest) = value.trim().split_once(' ')?;
    let payload_type = payload_type.parse().ok().filter(|pt| *pt <= MAX_PAYLOAD_TYPE)?;
    Some((payload_type, rest.trim()))
}

/// Payload types that need no `a=rtpmap` (RFC 3551 section 6), as one would read.
fn static_payload_type(payload_type: u8) -> Option<&'static str> {
    match payload_type {
        0 => Some("PCMU/8000"),
        8 => Some("PCMA/8000"),
        9 => Some("G722/8000"),
        13 => Some("CN/8000"),
        _ => None,
    }
}

fn rtpmap(kind: MediaKind, payload_type: u8, text: &str) -> Option<RtpCodecParameters> {
    let mut parts = text.split('/');
    let mime_type: MimeType = format!("{kind}/{}", parts.next()?).parse().ok()?;
    let clock_rate = parts.next()?.parse().ok().filter(|rate| *rate > 0)?;
    let mut codec = RtpCodecParameters::new(mime_type, payload_type, clock_rate);
    if let Some(channels) = parts.next()
        && kind == MediaKind::Audio
    {
        codec.channels = Some(channels.parse().ok().filter(|channels| *channels > 0)?);
    }
    Some(codec)
}

fn fmtp(attribute: &Attribute<'_>, codecs: &mut [RtpCodecParameters]) -> Result<(), SdpError> {
    let malformed = || attribute.malformed("fmtp", "<payload type> <parameters>");
    let (payload_type, text) = payload_type_and_rest(attribute.value).ok_or_else(malformed)?;
    let Some(codec) = codecs.iter_mut().find(|codec| codec.payload_type == payload_type) else {
        return Ok(());
    };
    if codec.mime_type.codec() == Codec::Red && !text.contains('=') {
        codec.parameters.insert(RED_PARAMETER, text);
        return Ok(());
    }
    for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, value) = match entry.split_once('=') {
            Some((name, value)) => (name.trim(), parameter_value(name.trim(), value.trim())),
            None => (entry, ParameterValue::Null),
        };
        codec.parameters.insert(name, value);
        if codec.parameters.len() > ParameterMap::MAX_LEN {
            return Err(attribute.error("fmtp", AttributeFault::TooMany(ParameterMap::MAX_LEN)));
        }
    }
    if codec.is_rtx() && codec.apt().is_none() {
        return Err(attribute.malformed("fmtp", "apt=<payload type>"));
    }
    Ok(())
}

/// Decimal digits become a number, as clients that read SDP have it; profile names in hexadecimal stay text.
fn parameter_value(name: &str, value: &str) -> ParameterValue {
    let digits = (value == "0" || !value.starts_with('0')) && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<u64>() {
        Ok(number) if digits && !name.eq_ignore_ascii_case("profile-level-id") => number.into(),
        _ => value.into(),
    }
}

fn rtcp_feedback(attribute: &Attribute<'_>, codecs: &mut [RtpCodecParameters]) -> Result<(), SdpError> {
    let malformed = || attribute.malformed("rtcp-fb", "<payload type or *> <feedback>");
    let (target, feedback) = attribute.value.trim().split_once(' ').ok_or_else(malformed)?;
    let target = match target {
        "*" => None,
        target => Some(target.parse::<u8>().map_err(|_| malformed())?),
    };
    let (kind, parameter) = feedback.trim().split_once(' ').unwrap_or((feedback.trim(), ""));
    let feedback = RtcpFeedback {
        kind: Cow::Owned(kind.to_owned()),
        parameter: Cow::Owned(parameter.trim().to_owned()),
    };
    for codec in codecs.iter_mut().filter(|codec| target.is_none_or(|target| codec.payload_type == target)) {
        // The wildcard means codecs of media, not what repairs them (RFC 4585 section 4.2).
        if target.is_none() && !codec.mime_type.codec().is_media() {
            continue;
        }
        if codec.rtcp_feedback.contains(&feedback) {
            continue;
        }
        if codec.rtcp_feedback.len() == MAX_FEEDBACK {
            return Err(attribute.error("rtcp-fb", AttributeFault::TooMany(MAX_FEEDBACK)));
        }
        codec.rtcp_feedback.push(feedback.clone());
    }
    Ok(())
}

/// The URI that says that the next word is the real one (RFC 6904 section 4).
const ENCRYPT: &str = "urn:ietf:params:rtp-hdrext:encrypt";

/// The header extensions of a section.
pub(crate) fn extensions(section: &Section<'_>) -> Result<Vec<OfferedExtension>, SdpError> {
    let mut extensions = Vec::new();
    let mut seen = [false; 256];
    for attribute in section.attributes.iter().filter(|attribute| attribute.key == "extmap") {
        let malformed = || attribute.malformed("extmap", "<id from 1 to 255>[/<direction>] <URI>");
        let Some(extension) = extension(attribute.value).ok_or_else(malformed)? else { continue };
        let taken = seen.get_mut(usize::from(extension.id)).ok_or_else(malformed)?;
        if std::mem::replace(taken, true) {
            return Err(attribute.error("extmap", AttributeFault::Duplicate));
        }
        extensions.push(extension);
    }
    Ok(extensions)
}

/// `Some(None)` for an id that only a later offer settles (RFC 8285 section 6: 4096 to 4351).
fn extension(value: &str) -> Option<Option<OfferedExtension>> {
    let mut words = value.split_whitespace();
    let head = words.next()?;
    let (id, direction) = match head.split_once('/') {
        Some((id, direction)) => (id, Some(extension_direction(direction)?)),
        None => (head, None),
    };
    let id: u16 = id.parse().ok()?;
    if (4096..=4351).contains(&id) {
        return Some(None);
    }
    let id = u8::try_from(id).ok().filter(|id| *id > 0)?;
    let uri = words.next()?;
    let encrypt = uri == ENCRYPT;
    let uri = if encrypt { words.next()? } else { uri };
    Some(Some(OfferedExtension { id, uri: uri.into(), encrypt, direction }))
}

fn extension_direction(text: &str) -> Option<RtpHeaderExtensionDirection> {
    match text {
        "sendrecv" => Some(RtpHeaderExtensionDirection::SendRecv),
        "sendonly" => Some(RtpHeaderExtensionDirection::SendOnly),
        "recvonly" => Some(RtpHeaderExtensionDirection::RecvOnly),
        "inactive" => Some(RtpHeaderExtensionDirection::Inactive),
        _ => None,
    }
}

/// The value of `a=rtpmap`.
pub(crate) fn rtpmap_value(codec: &RtpCodecParameters) -> String {
    let RtpCodecParameters { mime_type, payload_type, clock_rate, .. } = codec;
    let subtype = mime_type.subtype();
    match codec.channels {
        Some(channels @ 2..) => format!("{payload_type} {subtype}/{clock_rate}/{channels}"),
        _ => format!("{payload_type} {subtype}/{clock_rate}"),
    }
}

/// The value of `a=fmtp`; `None` without parameters.
pub(crate) fn fmtp_value(codec: &RtpCodecParameters) -> Option<String> {
    if codec.parameters.is_empty() {
        return None;
    }
    let mut text = codec.payload_type.to_string();
    for (i, (name, value)) in codec.parameters.iter().enumerate() {
        text.push(if i == 0 { ' ' } else { ';' });
        text.push_str(name);
        if let Some(value) = value.to_text() {
            let equals = if name.is_empty() { "" } else { "=" };
            // Writing to a string does not fail.
            let _ = write!(text, "{equals}{value}");
        }
    }
    Some(text)
}

/// The value of `a=rtcp-fb`.
pub(crate) fn rtcp_feedback_value(payload_type: u8, feedback: &RtcpFeedback) -> String {
    let RtcpFeedback { kind, parameter } = feedback;
    let space = if parameter.is_empty() { "" } else { " " };
    format!("{payload_type} {kind}{space}{parameter}")
}
