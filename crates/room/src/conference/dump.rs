//! What objects of a conference tell of their insides, for debugging. Must not know how they work.

use serde::Serialize;
use std::collections::BTreeMap;
use tureen::TransportDump;
use tureen::dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen::model::ProducerStats;

/// A Server's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServerDump {
    /// Its Workers that live.
    pub workers: Vec<WorkerRoomsDump>,
}

/// A Worker of a Server.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkerRoomsDump {
    /// Eight characters that are the Server's, `#`, and its number from 1.
    pub worker_id: String,
    /// The rooms on it.
    pub rooms: Vec<RoomDump>,
}

/// A room's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RoomDump {
    /// Its id.
    pub room_id: u32,
    /// What endpoints may send to it and receive from it.
    pub capabilities: RtpCapabilities,
    /// Who is in it.
    pub peers: Vec<PeerDump>,
    /// The senders of each receiver.
    pub map_rtp_receiver_rtp_senders: BTreeMap<u32, Vec<u32>>,
    /// The receiver of each sender.
    pub map_rtp_sender_rtp_receiver: BTreeMap<u32, u32>,
}

/// A peer's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PeerDump {
    /// Its id.
    pub peer_id: u32,
    /// Its name.
    pub peer_name: String,
    /// What it can do within the room, once set.
    pub capabilities: Option<RtpCapabilities>,
    /// Its transports.
    pub transports: Vec<ConferenceTransportDump>,
    /// What it sends.
    pub rtp_receivers: Vec<RtpReceiverDump>,
    /// What it gets.
    pub rtp_senders: Vec<RtpSenderDump>,
}

/// A transport's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConferenceTransportDump {
    /// Its id.
    pub transport_id: u32,
    /// The transport below.
    #[serde(flatten)]
    pub transport: TransportDump,
}

/// A receiver's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RtpReceiverDump {
    /// Its id.
    pub rtp_receiver_id: u32,
    /// Audio or video.
    pub kind: MediaKind,
    /// What its endpoint sends, once said.
    pub rtp_parameters: Option<RtpParameters>,
    /// Whether it has a transport.
    pub has_transport: bool,
    /// Whether somebody listens to its packets as they came.
    pub rtp_raw_event_enabled: bool,
    /// Whether somebody listens to its packets taken apart.
    pub rtp_object_event_enabled: bool,
    /// Statistics of each stream seen.
    pub rtp_streams: Vec<ProducerStats>,
}

/// A sender's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RtpSenderDump {
    /// Its id.
    pub rtp_sender_id: u32,
    /// Audio or video.
    pub kind: MediaKind,
    /// What its peer is to receive.
    pub rtp_parameters: RtpParameters,
    /// Whether it has a transport.
    pub has_transport: bool,
    /// Whether its peer can take the media.
    pub available: bool,
    /// The payload types that it lets through, RTX included.
    pub supported_payload_types: Vec<u8>,
    /// Whether it sends what comes in.
    pub active: bool,
}
