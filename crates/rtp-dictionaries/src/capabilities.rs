//! What an endpoint can do with RTP, as dictionaries.

use serde::{Deserialize, Serialize};

use crate::codec::{RouterRtpCodecCapability, RtpCodecCapability};
use crate::header_extension::RtpHeaderExtension;
use crate::json::or_default;

/// The codecs and header extensions that an endpoint or a router supports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// Codecs, best first; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

/// The codecs and header extensions that a router can be given. Payload types are settled only by
/// [`generate_router_rtp_capabilities`](crate::generate_router_rtp_capabilities).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedRtpCapabilities {
    /// Codecs, without `rtx`, which follows each video codec by itself.
    #[serde(default, deserialize_with = "or_default")]
    pub codecs: Vec<RouterRtpCodecCapability>,
    /// Header extensions.
    #[serde(default, deserialize_with = "or_default")]
    pub header_extensions: Vec<RtpHeaderExtension>,
}
