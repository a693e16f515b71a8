//! RTP capabilities and parameters of the ORTC object model, and their negotiation as pure functions.
//!
//! The dictionaries have the JSON that mediasoup v3 and mediasoup-client exchange. The negotiation has four steps, each
//! a function of its arguments alone; random numbers are arguments.
//!
//! 1. [`generate_router_rtp_capabilities`]: what a router can do, from the codecs that it shall support.
//! 2. [`get_producer_rtp_parameters_mapping`] and [`get_consumable_rtp_parameters`]: what a producer sends, as the
//!    router names it.
//! 3. [`can_consume`]: whether a receiver can take it.
//! 4. [`get_consumer_rtp_parameters`], or [`get_pipe_consumer_rtp_parameters`] towards another router: what it gets.
//!
//! What strangers send is read with [`from_json`] and checked with [`validate_rtp_parameters`] or
//! [`validate_rtp_capabilities`]. Errors name the member at fault, as in `codecs[1].parameters.apt`. The
//! negotiation does not panic on dictionaries that nobody validated, but what comes out is only as good.
//!
//! ```
//! use tureen_rtp_dictionaries::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vp8 = r#"{"mimeType": "video/VP8", "clockRate": 90000}"#;
//! let codecs: Vec<RouterRtpCodecCapability> = from_json(&format!("[{vp8}]"))?;
//! let router = generate_router_rtp_capabilities(&codecs)?;
//!
//! let mut sent: RtpParameters = from_json(
//!     r#"{
//!         "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000}],
//!         "encodings": [{"rid": "q"}, {"rid": "h"}, {"rid": "f"}]
//!     }"#,
//! )?;
//! validate_rtp_parameters(&mut sent)?;
//! let mapping = get_producer_rtp_parameters_mapping(&sent, &router, 123_456_789)?;
//! let consumable = get_consumable_rtp_parameters(MediaKind::Video, &sent, &router, &mapping)?;
//!
//! // A receiver that can do all that the router can.
//! let received = get_consumer_rtp_parameters(ConsumerOffer {
//!     consumable: &consumable,
//!     remote_rtp_capabilities: &router,
//!     pipe: false,
//!     enable_rtx: true,
//!     ssrc_base: 234_567_891,
//!     rtx_ssrc_base: 345_678_912,
//! })?;
//! assert_eq!(received.codecs[0].payload_type, 100);
//! assert_eq!(received.encodings[0].scalability_mode.as_deref(), Some("L3T1"));
//! # Ok(())
//! # }
//! ```
//!
//! # RED
//! `audio/red` (RFC 2198) can be given to a router beside `audio/opus`. Its format parameters name payload types, which
//! differ on each leg: the router renames them. See [`red_parameters`] for how they are written; a receiver
//! without RED still gets the Opus codec, and whoever forwards has to take the primary block out. The headers of the blocks
//! name payload types as well, which have to be renamed on each leg like those of the parameters.

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
mod webrtc;

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
    ConsumableParametersError, ConsumerOffer, ConsumerParametersError, ReceiverParameters,
    RouterCapabilitiesError, RtpMappingError, align_header_extension_ids, can_consume,
    generate_router_rtp_capabilities, get_consumable_rtp_parameters, get_consumer_rtp_parameters,
    get_pipe_consumer_rtp_parameters, get_producer_rtp_parameters_mapping,
    get_receiver_consumer_rtp_parameters, keep_one_bandwidth_estimation, matched_capability, matched_rtx,
    remap_consumer_parameters,
};
pub use parameter_map::{ParameterMap, ParameterValue};
pub use parameters::{
    ConsumerType, FecMechanism, MediaLayers, ProducerType, RtcpParameters, RtpCodecMapping, RtpEncodingFec,
    RtpEncodingMapping, RtpEncodingParameters, RtpEncodingRtx, RtpMapping, RtpParameters, UserParameters,
};
pub use red::{MAX_RED_BLOCKS, RED_PARAMETER, RedBlocks, red_blocks, red_parameters, resolve_red_blocks};
pub use scalability_mode::{ScalabilityMode, parse_scalability_mode};
pub use sctp::{
    NumSctpStreams, SctpParameters, SctpState, SctpStreamParameters, SctpStreamParametersError,
    validate_sctp_stream_parameters,
};
pub use srtp::{CryptoSuite, SrtpParameters, SrtpParametersError};
pub use supported::{DYNAMIC_PAYLOAD_TYPES, supported_rtp_capabilities};
pub use validate::{
    CodecFault, MAX_ENCODINGS, RtpCapabilitiesError, RtpParametersError, validate_rtp_capabilities,
    validate_rtp_parameters,
};

pub use webrtc::{
    DtlsFingerprint, DtlsParameters, DtlsRole, DtlsState, FingerprintAlgorithm, IceCandidate,
    IceCandidateTcpType, IceCandidateType, IceParameters, IceRole, IceState, InvalidFingerprint,
    TransportProtocol,
};

/// The largest payload type (RFC 3550 section 5.1: seven bits).
pub const MAX_PAYLOAD_TYPE: u8 = 127;
