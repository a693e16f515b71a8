//! RTP capabilities and parameters of the ORTC object model, and their negotiation as pure functions.

mod capabilities;
mod codec;
mod h264;
mod h265;
mod header_extension;
mod json;
mod matching;
mod media;
mod ortc;
mod parameter_map;
mod parameters;
mod payload_types;
mod red;
mod scalability_mode;
mod sctp;
mod srtp;
mod supported;
mod validate;

pub use capabilities::{RtpCapabilities, SupportedRtpCapabilities};
pub use codec::{RouterRtpCodecCapability, RtcpFeedback, RtpCodecCapability, RtpCodecParameters};
pub use h264::{H264Level, H264Profile, InvalidProfileLevelId, ProfileLevelId, h264_answer, h264_matches};
pub use h265::{ProfileTierLevel, TransmissionMode, h265_answer_level, h265_matches};
pub use header_extension::{
    HeaderExtensionUri, RtpHeaderExtension, RtpHeaderExtensionDirection, RtpHeaderExtensionParameters,
};
pub use json::{JsonError, from_json, from_json_value};
pub use media::{Codec, InvalidMimeType, MediaKind, MimeType};
pub use ortc::{
    ConsumableParametersError, ConsumerOffer, ConsumerParametersError, RouterCapabilitiesError,
    RtpMappingError, can_consume, generate_router_rtp_capabilities, get_consumable_rtp_parameters,
    get_consumer_rtp_parameters, get_pipe_consumer_rtp_parameters, get_producer_rtp_parameters_mapping,
};
pub use parameter_map::{ParameterMap, ParameterValue};
pub use parameters::{
    ConsumerType, MediaLayers, ProducerType, RtcpParameters, RtpCodecMapping, RtpEncodingMapping,
    RtpEncodingParameters, RtpEncodingRtx, RtpMapping, RtpParameters,
};
pub use red::{MAX_RED_BLOCKS, RED_PARAMETER, RedBlocks, red_blocks, red_parameters, resolve_red_blocks};
pub use scalability_mode::{ScalabilityMode, parse_scalability_mode};
pub use sctp::{
    NumSctpStreams, SctpParameters, SctpStreamParameters, SctpStreamParametersError,
    validate_sctp_stream_parameters,
};
pub use srtp::{CryptoSuite, SrtpParameters, SrtpParametersError};
pub use supported::{DYNAMIC_PAYLOAD_TYPES, supported_rtp_capabilities};
pub use validate::{
    CodecFault, MAX_ENCODINGS, RtpCapabilitiesError, RtpParametersError, validate_rtp_capabilities,
    validate_rtp_parameters,
};

/// The largest payload type (RFC 3550 section 5.1: seven bits).
pub const MAX_PAYLOAD_TYPE: u8 = 127;
