//! Consumers under the numbers of their receiver: an SDP offer fixes payload types and extension ids for what the offerer
//! receives (RFC 3264 section 6.1), whereas the other functions here have receivers take the router's.

use crate::capabilities::RtpCapabilities;
use crate::codec::{RtpCodecCapability, RtpCodecParameters, associated_payload_type};
use crate::matching::same_profile;
use crate::media::Codec;
use crate::ortc::consumer::{ConsumerOffer, ConsumerParametersError, get_consumer_rtp_parameters};
use crate::parameters::{RtpCodecMapping, RtpParameters};
use crate::red::{RedBlocks, red_blocks, red_parameters};

/// The parameters of a consumer under its receiver's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiverParameters {
    /// What is on the wire.
    pub parameters: RtpParameters,
    /// For each codec of `parameters`, the router's payload type and the receiver's.
    pub codecs: Vec<RtpCodecMapping>,
}

impl ReceiverParameters {
    /// The receiver's payload type for one of the router's.
    pub fn payload_type(&self, router: u8) -> Option<u8> {
        let entry = self.codecs.iter().find(|entry| entry.payload_type == router)?;
        Some(entry.mapped_payload_type)
    }
}

/// As [`get_consumer_rtp_parameters`], with the payload types and extension ids that the receiver's capabilities prefer.
/// Header extensions are found by their URI alone.
///
/// # Errors
/// [`ConsumerParametersError::NoCompatibleMediaCodecs`] exactly if [`can_consume`](crate::can_consume) is false.
pub fn get_receiver_consumer_rtp_parameters(
    offer: ConsumerOffer<'_>,
) -> Result<ReceiverParameters, ConsumerParametersError> {
    let capabilities = offer.remote_rtp_capabilities;
    let mut aligned = capabilities.clone();
    align_header_extension_ids(&mut aligned, offer.consumable);
    let consumer = get_consumer_rtp_parameters(ConsumerOffer { remote_rtp_capabilities: &aligned, ..offer })?;
    remap_consumer_parameters(consumer, capabilities).ok_or(ConsumerParametersError::NoCompatibleMediaCodecs)
}

/// Gives header extensions the ids that a router has for the same URI, as [`get_consumer_rtp_parameters`] wants them.
pub fn align_header_extension_ids(capabilities: &mut RtpCapabilities, consumable: &RtpParameters) {
    for known in &mut capabilities.header_extensions {
        let same = consumable.header_extensions.iter().find(|extension| extension.uri == known.uri);
        known.preferred_id = same.map_or(known.preferred_id, |extension| extension.id);
    }
}

/// Renames the payload types and extension ids of a consumer to those that the receiver's capabilities prefer.
///
/// A codec goes under the first payload type of the receiver with a matching profile that is not in use yet, rather
/// one with RTX if the consumer has RTX for it. What the receiver has no number for goes. `None` if no media codec is
/// left.
pub fn remap_consumer_parameters(
    mut parameters: RtpParameters,
    capabilities: &RtpCapabilities,
) -> Option<ReceiverParameters> {
    let mut codecs: Vec<RtpCodecMapping> = Vec::with_capacity(parameters.codecs.len());
    for codec in parameters.codecs.iter().filter(|codec| codec.mime_type.codec().is_media()) {
        let with_rtx = parameters.codecs.iter().any(|rtx| rtx.apt() == Some(codec.payload_type));
        let free = |known: &&RtpCodecCapability| {
            let number = known.preferred_payload_type;
            same_profile(*known, codec) && codecs.iter().all(|other| other.mapped_payload_type != number)
        };
        let mut matching = capabilities.codecs.iter().filter(free);
        let repaired = matching
            .clone()
            .find(|known| with_rtx && rtx_number(known.preferred_payload_type, capabilities).is_some());
        if let Some(known) = repaired.or_else(|| matching.next()) {
            let mapped_payload_type = known.preferred_payload_type;
            codecs.push(RtpCodecMapping { payload_type: codec.payload_type, mapped_payload_type });
        }
    }
    if codecs.is_empty() {
        return None;
    }
    let media = ReceiverParameters { parameters: RtpParameters::default(), codecs: codecs.clone() };
    parameters.codecs.retain_mut(|codec| {
        let router = codec.payload_type;
        let renamed = rename(codec, &media, capabilities).is_some();
        let known = codecs.iter().any(|entry| entry.payload_type == router);
        if renamed && !known {
            codecs.push(RtpCodecMapping { payload_type: router, mapped_payload_type: codec.payload_type });
        }
        renamed
    });
    let with_rtx = parameters.codecs.iter().any(RtpCodecParameters::is_rtx);
    let has_parity = parameters.codecs.iter().any(|codec| codec.mime_type.codec() == Codec::FlexFec);
    for encoding in &mut parameters.encodings {
        encoding.codec_payload_type = encoding.codec_payload_type.and_then(|pt| media.payload_type(pt));
        encoding.rtx = encoding.rtx.filter(|_| with_rtx);
        encoding.fec = encoding.fec.filter(|_| has_parity);
    }
    remap_header_extensions(&mut parameters, capabilities);
    Some(ReceiverParameters { parameters, codecs })
}

/// Gives a codec its number, and renames those in its parameters; `None` if there is no number for it.
fn rename(
    codec: &mut RtpCodecParameters,
    media: &ReceiverParameters,
    capabilities: &RtpCapabilities,
) -> Option<()> {
    match codec.mime_type.codec() {
        Codec::Rtx => {
            let apt = media.payload_type(codec.apt()?)?;
            codec.payload_type = rtx_number(apt, capabilities)?;
            codec.parameters.insert("apt", u64::from(apt));
        }
        Codec::FlexFec => {
            let known = capabilities.codecs.iter().find(|known| same_profile(*known, &*codec))?;
            codec.payload_type = known.preferred_payload_type;
        }
        Codec::Red => {
            let known = capabilities.codecs.iter().find(|known| same_profile(*known, &*codec))?;
            let blocks = red_blocks(&codec.parameters)?;
            let blocks: Option<RedBlocks> =
                blocks.iter().map(|payload_type| media.payload_type(*payload_type)).collect();
            codec.payload_type = known.preferred_payload_type;
            codec.parameters = red_parameters(&blocks?);
        }
        _ => codec.payload_type = media.payload_type(codec.payload_type)?,
    }
    Some(())
}

/// The receiver's payload type of RTX for one of its payload types.
fn rtx_number(payload_type: u8, capabilities: &RtpCapabilities) -> Option<u8> {
    let mut rtx = capabilities.codecs.iter().filter(|codec| codec.mime_type.codec() == Codec::Rtx);
    let found = rtx.find(|rtx| associated_payload_type(&rtx.parameters) == Some(payload_type))?;
    Some(found.preferred_payload_type)
}

fn remap_header_extensions(parameters: &mut RtpParameters, capabilities: &RtpCapabilities) {
    let kind = parameters.codecs.first().map(RtpCodecParameters::kind);
    parameters.header_extensions.retain_mut(|extension| {
        let known = capabilities.header_extensions.iter().find(|known| {
            known.uri == extension.uri && Some(known.kind) == kind && known.direction.receives()
        });
        if let Some(known) = known {
            extension.id = known.preferred_id;
        }
        known.is_some()
    });
}
