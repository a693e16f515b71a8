//! From what a router forwards to what one receiver gets.

use crate::capabilities::RtpCapabilities;
use crate::codec::{RtcpFeedback, RtpCodecCapability, RtpCodecParameters, associated_payload_type};
use crate::header_extension::{HeaderExtensionUri, RtpHeaderExtensionParameters};
use crate::matching::same_profile;
use crate::media::{Codec, MediaKind};
use crate::parameters::{FecMechanism, RtpEncodingFec, RtpEncodingParameters, RtpEncodingRtx, RtpParameters};
use crate::red::red_blocks;
use crate::scalability_mode::parse_scalability_mode;
use crate::supported::DEPENDENCY_DESCRIPTOR_ID;

/// Why [`get_consumer_rtp_parameters`] refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerParametersError {
    /// The capabilities have none of the producer's media codecs.
    #[error("codecs: the capabilities have no media codec of the producer")]
    NoCompatibleMediaCodecs,
}

/// What the parameters of a consumer are made from.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerOffer<'a> {
    /// From [`get_consumable_rtp_parameters`](crate::get_consumable_rtp_parameters).
    pub consumable: &'a RtpParameters,
    /// What the receiver can do. Directions are the receiver's.
    pub remote_rtp_capabilities: &'a RtpCapabilities,
    /// Whether every encoding is carried, instead of one that stands for all.
    pub pipe: bool,
    /// Whether lost packets are sent again.
    pub enable_rtx: bool,
    /// A random number, from 100000000 to 999999999 by custom: the SSRC of the first encoding. Without `pipe` that of FlexFEC is
    /// `ssrc_base + 2`.
    pub ssrc_base: u32,
    /// Another one: with `pipe`, the SSRC of the first RTX stream. Else that is `ssrc_base + 1`.
    pub rtx_ssrc_base: u32,
}

/// True if the receiver can take at least one media codec of a producer, with matching profile.
pub fn can_consume(consumable: &RtpParameters, capabilities: &RtpCapabilities) -> bool {
    consumable
        .codecs
        .iter()
        .any(|codec| codec.mime_type.codec().is_media() && matched_capability(codec, capabilities).is_some())
}

/// The parameters of a consumer: what the producer has and the receiver can take. The transport sets `mid`.
///
/// - A media codec stays if the receiver has it, an RTX codec if the receiver has RTX for that codec (and
///   `enable_rtx`), a RED codec if the receiver has it and the codecs of all its blocks stay, FlexFEC if the receiver has it, but not
///   with `pipe`. Feedback is the receiver's.
/// - A header extension stays if the receiver receives it, under the same id.
/// - Bandwidth is estimated in one way: by feedback on streams (RFC 8888) if the router and the receiver have it, else by
///   transport-wide feedback if its extension stays, else by REMB if absolute send times do, else not at all. Feedback of the other
///   ways goes, and with the first the transport-wide extension.
///
/// # Errors
/// [`ConsumerParametersError::NoCompatibleMediaCodecs`] exactly if [`can_consume`] is false.
pub fn get_consumer_rtp_parameters(
    offer: ConsumerOffer<'_>,
) -> Result<RtpParameters, ConsumerParametersError> {
    let ConsumerOffer { consumable, remote_rtp_capabilities: capabilities, .. } = offer;
    if !can_consume(consumable, capabilities) {
        return Err(ConsumerParametersError::NoCompatibleMediaCodecs);
    }
    let mut codecs = consumer_codecs(&offer);
    let mut header_extensions = consumer_header_extensions(consumable, capabilities);
    keep_one_bandwidth_estimation(&mut codecs, &mut header_extensions);
    let with_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    let encodings = if offer.pipe {
        every_encoding(consumable, with_rtx, offer.ssrc_base, offer.rtx_ssrc_base)
    } else {
        let has_parity = codecs.iter().any(|codec| codec.mime_type.codec() == Codec::FlexFec);
        vec![single_encoding(consumable, with_rtx, has_parity, offer.ssrc_base)]
    };
    Ok(RtpParameters {
        mid: None,
        codecs,
        header_extensions,
        encodings,
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
        user_parameters: None,
    })
}

/// The parameters of a consumer that hands a producer to another router: all codecs with their payload types,
/// all encodings, no feedback and extensions for bandwidth estimation, no `mid`. The dependency descriptor goes
/// along with video. RTX and NACK are there with `enable_rtx` only.
///
/// `ssrc_base` and `rtx_ssrc_base` are two random numbers, from 100000000 to 999999999 by custom.
pub fn get_pipe_consumer_rtp_parameters(
    consumable: &RtpParameters,
    enable_rtx: bool,
    ssrc_base: u32,
    rtx_ssrc_base: u32,
) -> RtpParameters {
    let mut codecs: Vec<_> =
        consumable.codecs.iter().filter(|codec| enable_rtx || !codec.is_rtx()).cloned().collect();
    codecs.retain(|codec| codec.mime_type.codec() != Codec::FlexFec);
    for codec in &mut codecs {
        codec.rtcp_feedback.retain(|feedback| {
            *feedback == RtcpFeedback::NACK_PLI
                || *feedback == RtcpFeedback::CCM_FIR
                || (enable_rtx && *feedback == RtcpFeedback::NACK)
        });
    }
    let with_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    RtpParameters {
        mid: None,
        codecs,
        header_extensions: pipe_header_extensions(consumable),
        encodings: every_encoding(consumable, with_rtx, ssrc_base, rtx_ssrc_base),
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
        user_parameters: None,
    }
}

/// The first capability with which a receiver takes a codec: the same format, and for codecs with profiles one that one stream satisfies
/// (H.264 and its packetization mode among them). RTX and RED match whatever they are about.
pub fn matched_capability<'a>(
    codec: &RtpCodecParameters,
    capabilities: &'a RtpCapabilities,
) -> Option<&'a RtpCodecCapability> {
    capabilities.codecs.iter().find(|capability| same_profile(*capability, codec))
}

/// The receiver's RTX (RFC 4588) for a codec, under whichever of its matching codecs it has one.
pub fn matched_rtx<'a>(
    codec: &RtpCodecParameters,
    capabilities: &'a RtpCapabilities,
) -> Option<&'a RtpCodecCapability> {
    let matches = |payload_type: u8| {
        let mut known = capabilities.codecs.iter();
        known.any(|known| known.preferred_payload_type == payload_type && same_profile(known, codec))
    };
    capabilities.codecs.iter().find(|rtx| {
        rtx.mime_type.codec() == Codec::Rtx
            && rtx.kind() == codec.kind()
            && rtx.clock_rate == codec.clock_rate
            && associated_payload_type(&rtx.parameters).is_some_and(matches)
    })
}

fn consumer_codecs(offer: &ConsumerOffer<'_>) -> Vec<RtpCodecParameters> {
    let ConsumerOffer { consumable, remote_rtp_capabilities: capabilities, pipe, enable_rtx, .. } = *offer;
    let stays = |payload_type: u8| {
        consumable.codecs.iter().any(|codec| {
            codec.payload_type == payload_type
                && codec.mime_type.codec().is_media()
                && matched_capability(codec, capabilities).is_some()
        })
    };
    let mut codecs = Vec::new();
    for codec in &consumable.codecs {
        let capability = match codec.mime_type.codec() {
            Codec::Rtx => enable_rtx
                .then(|| codec.apt().filter(|apt| stays(*apt)))
                .flatten()
                .and_then(|apt| consumable.codecs.iter().find(|media| media.payload_type == apt))
                .and_then(|media| matched_rtx(media, capabilities)),
            Codec::Red => red_blocks(&codec.parameters)
                .filter(|blocks| blocks.iter().all(|payload_type| stays(*payload_type)))
                .and_then(|_| matched_capability(codec, capabilities)),
            Codec::FlexFec if !pipe => matched_capability(codec, capabilities),
            Codec::FlexFec | Codec::Fec => None,
            _ => matched_capability(codec, capabilities),
        };
        let Some(capability) = capability else { continue };
        let mut rtcp_feedback = capability.rtcp_feedback.clone();
        rtcp_feedback.retain(|feedback| enable_rtx || *feedback != RtcpFeedback::NACK);
        let by_stream = codec.rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB);
        rtcp_feedback.retain(|feedback| by_stream || *feedback != RtcpFeedback::ACK_CCFB);
        codecs.push(RtpCodecParameters { rtcp_feedback, ..codec.clone() });
    }
    codecs
}

fn consumer_header_extensions(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    let kind = kind(consumable);
    let received = |ext: &&RtpHeaderExtensionParameters| {
        capabilities.header_extensions.iter().any(|known| {
            known.preferred_id == ext.id
                && known.uri == ext.uri
                && Some(known.kind) == kind
                && known.direction.receives()
        })
    };
    consumable.header_extensions.iter().filter(received).cloned().collect()
}

fn kind(params: &RtpParameters) -> Option<MediaKind> {
    params.codecs.first().map(RtpCodecParameters::kind)
}

/// Leaves the feedback of one bandwidth estimation to codecs: that on streams (RFC 8888) if all codecs of media have it, and then the
/// transport-wide extension goes; else `transport-cc` if its header extension is there, else `goog-remb` if absolute send times are,
/// else none.
pub fn keep_one_bandwidth_estimation(
    codecs: &mut [RtpCodecParameters],
    header_extensions: &mut Vec<RtpHeaderExtensionParameters>,
) {
    let mut media = codecs.iter().filter(|codec| codec.mime_type.codec().is_media()).peekable();
    let by_stream =
        media.peek().is_some() && media.all(|codec| codec.rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB));
    header_extensions.retain(|ext| !by_stream || ext.uri != HeaderExtensionUri::TransportWideCc);
    let has = |uri: HeaderExtensionUri| header_extensions.iter().any(|ext| ext.uri == uri);
    let transport_cc = has(HeaderExtensionUri::TransportWideCc);
    let remb = !by_stream && !transport_cc && has(HeaderExtensionUri::AbsSendTime);
    for codec in codecs {
        codec.rtcp_feedback.retain(|feedback| match (&*feedback.kind, &*feedback.parameter) {
            ("ack", "ccfb") => by_stream,
            ("transport-cc", _) => transport_cc,
            ("goog-remb", _) => remb,
            _ => true,
        });
    }
}

/// One encoding that stands for all: simulcast becomes spatial layers, and the highest bitrate counts.
fn single_encoding(
    consumable: &RtpParameters,
    with_rtx: bool,
    has_parity: bool,
    ssrc: u32,
) -> RtpEncodingParameters {
    let encodings = &consumable.encodings;
    let mode = encodings.iter().find_map(|encoding| encoding.scalability_mode.as_deref());
    let scalability_mode = if encodings.len() > 1 {
        let temporal_layers = parse_scalability_mode(mode.unwrap_or_default()).temporal_layers;
        Some(format!("L{}T{temporal_layers}", encodings.len()))
    } else {
        mode.map(str::to_owned)
    };
    RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: with_rtx.then(|| RtpEncodingRtx { ssrc: ssrc.wrapping_add(1) }),
        fec: has_parity
            .then(|| RtpEncodingFec { mechanism: FecMechanism::FlexFec, ssrc: ssrc.wrapping_add(2) }),
        scalability_mode,
        max_bitrate: encodings
            .iter()
            .filter_map(|encoding| encoding.max_bitrate)
            .max()
            .filter(|max| *max > 0),
        ..RtpEncodingParameters::default()
    }
}

/// Every encoding under SSRCs of its own: one row from each base. A row that would run into the other moves behind it.
fn every_encoding(
    consumable: &RtpParameters,
    with_rtx: bool,
    ssrc_base: u32,
    rtx_ssrc_base: u32,
) -> Vec<RtpEncodingParameters> {
    let count = u32::try_from(consumable.encodings.len()).unwrap_or(u32::MAX);
    let rtx_is_ahead = rtx_ssrc_base.wrapping_sub(ssrc_base) < count;
    let rtx_is_behind = ssrc_base.wrapping_sub(rtx_ssrc_base) < count;
    let overlap = rtx_is_ahead || rtx_is_behind;
    let rtx_ssrc_base = if overlap { ssrc_base.wrapping_add(count) } else { rtx_ssrc_base };
    let encoding = |(encoding, i): (&RtpEncodingParameters, u32)| RtpEncodingParameters {
        ssrc: Some(ssrc_base.wrapping_add(i)),
        rtx: with_rtx.then(|| RtpEncodingRtx { ssrc: rtx_ssrc_base.wrapping_add(i) }),
        ..encoding.clone()
    };
    consumable.encodings.iter().zip(0..).map(encoding).collect()
}

fn pipe_header_extensions(consumable: &RtpParameters) -> Vec<RtpHeaderExtensionParameters> {
    use HeaderExtensionUri::{AbsSendTime, DependencyDescriptor, Mid, TransportWideCc};
    let mut extensions = consumable.header_extensions.clone();
    extensions.retain(|ext| !matches!(ext.uri, Mid | AbsSendTime | TransportWideCc));
    let is_there =
        extensions.iter().any(|ext| ext.uri == DependencyDescriptor || ext.id == DEPENDENCY_DESCRIPTOR_ID);
    if kind(consumable) == Some(MediaKind::Video) && !is_there {
        extensions.push(RtpHeaderExtensionParameters::new(DependencyDescriptor, DEPENDENCY_DESCRIPTOR_ID));
    }
    extensions.sort_by_key(|ext| ext.id);
    extensions
}
