//! How objects describe themselves: on creation, in dumps, and across shards.

use crate::data::TransportDataDump;
use crate::id::{
    ConsumerId, DataConsumerId, DataProducerId, ProducerId, RouterId, RtpObserverId, ShardId, TransportId,
};
use crate::options::{ContentHint, KeyFrameCache};
use serde::Serialize;
use std::collections::BTreeMap;
use tureen_rtp_dictionaries::{
    ConsumerType, MediaKind, MediaLayers, ProducerType, RtpEncodingParameters, RtpMapping, RtpParameters,
};

/// A producer as it was made.
#[derive(Clone, Debug)]
pub struct ProducerInfo {
    /// Its id.
    pub id: ProducerId,
    /// What kind of layers it has.
    pub producer_type: ProducerType,
    /// What the endpoint sends, defaults filled in.
    pub rtp_parameters: RtpParameters,
    /// What consumers are offered.
    pub consumable_rtp_parameters: RtpParameters,
}

/// A consumer as it was made.
#[derive(Clone, Debug)]
pub struct ConsumerInfo {
    /// Its id.
    pub id: ConsumerId,
    /// Its producer.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What its endpoint is to receive.
    pub rtp_parameters: RtpParameters,
    /// What kind of layers it has.
    pub consumer_type: ConsumerType,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its producer is paused.
    pub producer_paused: bool,
    /// Scores of the producer's streams.
    pub producer_scores: Vec<u8>,
    /// Layers wanted, clamped to those there are.
    pub preferred_layers: Option<MediaLayers>,
}

/// What another shard needs to know to mirror a source. Plain data.
#[derive(Clone, Debug)]
pub struct SourceDescription {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its router, which spans the shards.
    pub router_id: RouterId,
    /// The shard it lives on.
    pub home: ShardId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    pub producer_type: ProducerType,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// What consumers are offered.
    pub consumable_rtp_parameters: RtpParameters,
    /// How payload types and SSRCs map to the router's.
    pub mapping: RtpMapping,
    /// What is kept since the last key frame, for consumers to start from.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show.
    pub content_hint: Option<ContentHint>,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it is not forwarded since others are louder.
    pub left_out: bool,
    /// Scores of its streams.
    pub scores: Vec<u8>,
    /// Which publication this is; no two have the same number, whatever the producer and the shard.
    pub subscription: u64,
}

/// A router's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterDump {
    /// Its id.
    pub id: RouterId,
    /// Its transports.
    pub transport_ids: Vec<TransportId>,
    /// Producers and their consumers.
    pub map_producer_id_consumer_ids: BTreeMap<ProducerId, Vec<ConsumerId>>,
    /// Consumers and their producer.
    pub map_consumer_id_producer_id: BTreeMap<ConsumerId, ProducerId>,
    /// Data producers and their data consumers.
    pub map_data_producer_id_data_consumer_ids: BTreeMap<DataProducerId, Vec<DataConsumerId>>,
    /// Data consumers and their data producer.
    pub map_data_consumer_id_data_producer_id: BTreeMap<DataConsumerId, DataProducerId>,
    /// Its RTP observers.
    pub rtp_observer_ids: Vec<RtpObserverId>,
    /// Producers and the RTP observers that listen to them.
    pub map_producer_id_observer_ids: BTreeMap<ProducerId, Vec<RtpObserverId>>,
}

/// What an RTP observer listens for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum RtpObserverKind {
    /// How loud each producer is.
    AudioLevel {
        /// The most producers that one event tells of.
        max_entries: u16,
        /// The level in dBov from which on a producer is told of.
        threshold: i8,
    },
    /// Who speaks.
    ActiveSpeaker {
        /// Who does now, or did last.
        dominant_producer_id: Option<ProducerId>,
    },
    /// Who is to be forwarded.
    LastN {
        /// How many at most.
        n: u8,
        /// Who is not.
        left_out_producer_ids: Vec<ProducerId>,
    },
}

/// An RTP observer's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpObserverDump {
    /// Its id.
    pub id: RtpObserverId,
    /// What it listens for.
    #[serde(flatten)]
    pub kind: RtpObserverKind,
    /// Whether it is paused.
    pub paused: bool,
    /// The time between two judgements, in milliseconds.
    pub interval: u64,
    /// The producers that it listens to.
    pub producer_ids: Vec<ProducerId>,
}

/// A transport's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportDump {
    /// Its id.
    pub id: TransportId,
    /// Whether it is a direct transport.
    pub direct: bool,
    /// Its producers.
    pub producer_ids: Vec<ProducerId>,
    /// Its consumers.
    pub consumer_ids: Vec<ConsumerId>,
    /// Consumers by SSRC.
    pub map_ssrc_consumer_id: BTreeMap<u32, ConsumerId>,
    /// Consumers by SSRC of retransmissions.
    pub map_rtx_ssrc_consumer_id: BTreeMap<u32, ConsumerId>,
    /// Header extension ids of what comes in, by short name.
    pub recv_rtp_header_extensions: BTreeMap<&'static str, u8>,
    /// How incoming packets find their producer.
    pub rtp_listener: RtpListenerDump,
    /// What it has for messages.
    #[serde(flatten)]
    pub data: TransportDataDump,
    /// Names of the trace events asked for.
    pub trace_event_types: Vec<&'static str>,
}

/// How incoming packets find their producer.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpListenerDump {
    /// By SSRC.
    pub ssrc_table: BTreeMap<u32, ProducerId>,
    /// By MID.
    pub mid_table: BTreeMap<String, ProducerId>,
    /// By RID.
    pub rid_table: BTreeMap<String, ProducerId>,
}

/// One RTP stream's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpStreamDump {
    /// Index of its encoding.
    pub encoding_idx: u8,
    /// Its SSRC.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
    /// Its codec.
    pub mime_type: String,
    /// Ticks a second of its timestamps.
    pub clock_rate: u32,
    /// Its RID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Its CNAME.
    pub cname: String,
    /// SSRC of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// Payload type of its retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_payload_type: Option<u8>,
    /// Whether NACKs are in use.
    pub use_nack: bool,
    /// Whether PLIs are in use.
    pub use_pli: bool,
    /// Whether FIRs are in use.
    pub use_fir: bool,
    /// Whether Opus in-band FEC is in use.
    pub use_in_band_fec: bool,
    /// Whether Opus DTX is in use.
    pub use_dtx: bool,
    /// Spatial layers.
    pub spatial_layers: u8,
    /// Temporal layers.
    pub temporal_layers: u8,
    /// 0 (worst) to 10.
    pub score: u8,
}

/// A producer's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerDump {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    #[serde(rename = "type")]
    pub producer_type: ProducerType,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// How payload types and SSRCs are mapped to the router's.
    pub rtp_mapping: RtpMapping,
    /// Streams seen.
    pub rtp_streams: Vec<RtpStreamDump>,
    /// Names of the trace events asked for.
    pub trace_event_types: Vec<&'static str>,
    /// What is kept since the last key frame, for consumers to start from; `None` if nothing is.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show, if that was said.
    pub content_hint: Option<ContentHint>,
    /// Whether it is paused.
    pub paused: bool,
}

/// A consumer's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerDump {
    /// Its id.
    pub id: ConsumerId,
    /// Its producer.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    #[serde(rename = "type")]
    pub consumer_type: ConsumerType,
    /// What its endpoint receives.
    pub rtp_parameters: RtpParameters,
    /// Encodings of the source.
    pub consumable_rtp_encodings: Vec<RtpEncodingParameters>,
    /// Payload types that it takes.
    pub supported_codec_payload_types: Vec<u8>,
    /// Names of the trace events asked for.
    pub trace_event_types: Vec<&'static str>,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its producer is paused.
    pub producer_paused: bool,
    /// 1 to 255.
    pub priority: u8,
    /// Its streams.
    pub rtp_streams: Vec<RtpStreamDump>,
    /// Packets dropped, by reason.
    pub packets_dropped: BTreeMap<&'static str, u64>,
}
