//! How data producers and data consumers describe themselves: on creation, in statistics, in dumps.

use crate::id::{DataConsumerId, DataProducerId, RouterId, ShardId};
use serde::Serialize;
use std::collections::BTreeMap;
use tureen_rtp_dictionaries::{SctpParameters, SctpState, SctpStreamParameters};

/// What carries the messages of a data producer or data consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// A stream of an SCTP association.
    Sctp,
    /// The program itself, on a direct transport.
    Direct,
}

/// A data producer as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataProducerInfo {
    /// Its id.
    pub id: DataProducerId,
    /// What carries its messages.
    pub data_type: DataType,
    /// Its stream, defaults filled in; `None` on a direct transport.
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
}

/// What another shard needs to know to mirror a data producer. Plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSourceDescription {
    /// The data producer.
    pub data_producer_id: DataProducerId,
    /// Its router, which spans the shards.
    pub router_id: RouterId,
    /// The shard it lives on.
    pub home: ShardId,
    /// Its stream; `None` on a direct transport.
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Which publication this is; no two have the same number, whatever the data producer and the shard.
    pub subscription: u64,
}

/// What a Core has done with messages, for metrics. Bytes are those of payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataCounters {
    /// Messages that came to data producers.
    pub messages_received: u64,
    /// Bytes of those.
    pub bytes_received: u64,
    /// Messages that data consumers sent.
    pub messages_sent: u64,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// Messages that data consumers had no association or no room for.
    pub messages_dropped: u64,
    /// Messages relayed to other shards.
    pub messages_relayed: u64,
    /// Messages beyond what their transports may bring, which went no further.
    pub messages_limited: u64,
}

/// A data consumer as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConsumerInfo {
    /// Its id.
    pub id: DataConsumerId,
    /// Its data producer.
    pub data_producer_id: DataProducerId,
    /// What carries its messages.
    pub data_type: DataType,
    /// The stream that its endpoint is to take; `None` on a direct transport.
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// The data producer's.
    pub label: String,
    /// The data producer's.
    pub protocol: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its data producer is paused.
    pub data_producer_paused: bool,
    /// Its subchannels, in order, each once.
    pub subchannels: Vec<u16>,
}

/// Statistics of a data producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataProducerStats {
    /// `data-producer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When these figures were read, in milliseconds of the driver's clock.
    pub timestamp: u64,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
    /// Messages received.
    pub messages_received: u64,
    /// Bytes of those.
    pub bytes_received: u64,
    /// Messages beyond what its transport may bring, which went no further and are not among those received.
    pub messages_limited: u64,
}

/// Statistics of a data consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataConsumerStats {
    /// `data-consumer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When these figures were read, in milliseconds of the driver's clock.
    pub timestamp: u64,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
    /// Messages sent.
    pub messages_sent: u64,
    /// Bytes of those.
    pub bytes_sent: u64,
    /// Bytes that wait to be sent or acknowledged.
    pub buffered_amount: u32,
}

/// A data producer's internals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataProducerDump {
    /// Its id.
    pub id: DataProducerId,
    /// What carries its messages.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
    /// Whether it is paused.
    pub paused: bool,
}

/// A data consumer's internals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataConsumerDump {
    /// Its id.
    pub id: DataConsumerId,
    /// Its data producer.
    pub data_producer_id: DataProducerId,
    /// What carries its messages.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Its stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_stream_parameters: Option<SctpStreamParameters>,
    /// Its label.
    pub label: String,
    /// Its protocol.
    pub protocol: String,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its data producer is paused.
    pub data_producer_paused: bool,
    /// Its subchannels.
    pub subchannels: Vec<u16>,
    /// Messages for it that found no association or no room.
    pub messages_dropped: u64,
}

/// What a transport has for messages.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportDataDump {
    /// Its data producers.
    pub data_producer_ids: Vec<DataProducerId>,
    /// Its data consumers.
    pub data_consumer_ids: Vec<DataConsumerId>,
    /// What the remote must know of its association.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_parameters: Option<SctpParameters>,
    /// How far the association has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_state: Option<SctpState>,
    /// How messages that come in find their data producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_listener: Option<SctpListenerDump>,
    /// Messages of no data producer, openings of channels that do not parse, and on a pipe messages without its framing.
    pub messages_unclaimed: u64,
}

/// How messages that come in find their data producer.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SctpListenerDump {
    /// By stream.
    pub stream_id_table: BTreeMap<u16, DataProducerId>,
}
