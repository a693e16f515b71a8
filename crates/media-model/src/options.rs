//! What objects are made with. Identifiers come from outside, so that a Core draws none.

use crate::id::{ConsumerId, ProducerId};
use std::time::Duration;
use tureen_rtp_dictionaries::{
    MediaKind, MediaLayers, RouterRtpCodecCapability, RtpCapabilities, RtpParameters,
};

/// How a router is made.
#[derive(Clone, Debug, Default)]
pub struct RouterOptions {
    /// The codecs that may be produced. Default none.
    pub media_codecs: Vec<RouterRtpCodecCapability>,
}

/// What a Core needs to know of a transport beside its adapter.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransportOptions {
    /// Whether media on it is exchanged with the program itself.
    pub direct: bool,
}

/// How a producer is made.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// The least time between two key-frame requests towards the source. Default 0.
    pub key_frame_request_delay: Duration,
}

/// Whose payload types and header-extension ids a consumer's packets carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsumerNumbering {
    /// The router's, which the endpoint takes from the consumer's parameters.
    #[default]
    Router,
    /// Those that the endpoint's capabilities prefer: an SDP offer has fixed them already (RFC 3264 section 6.1).
    Receiver,
}

/// How a consumer is made.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// Its id.
    pub id: ConsumerId,
    /// What it consumes.
    pub producer_id: ProducerId,
    /// What its endpoint can receive.
    pub rtp_capabilities: RtpCapabilities,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// Its MID, 1 to 16 bytes; default the transport's next number.
    pub mid: Option<String>,
    /// The layers wanted of a simulcast or SVC source; default the best.
    pub preferred_layers: Option<MediaLayers>,
    /// Whether lost packets are sent again in a stream of their own (RFC 4588). Default `true` for video.
    pub enable_rtx: Option<bool>,
    /// Whether packets of Opus without sound are left out. Default `false`.
    pub ignore_dtx: bool,
    /// Whether every encoding is carried, each as a stream of its own. Default `false`.
    pub pipe: bool,
    /// Whose numbers its packets carry. Default the router's.
    pub numbering: ConsumerNumbering,
}
