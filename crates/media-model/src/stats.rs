//! Statistics as RTC statistics name them. Times are milliseconds of the driver's monotonic clock, rates bits per second.

use crate::id::TransportId;
use serde::Serialize;
use std::collections::BTreeMap;
use tureen_rtp_dictionaries::{MediaKind, SctpState};

/// What inbound and outbound streams have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpStreamStats {
    /// When these figures were read.
    pub timestamp: u64,
    /// The stream.
    pub ssrc: u32,
    /// Its stream of retransmissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_ssrc: Option<u32>,
    /// Its RID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Audio or video.
    pub kind: MediaKind,
    /// Its codec.
    pub mime_type: String,
    /// Packets lost; negative with duplicates (RFC 3550 section 6.4.1).
    pub packets_lost: i64,
    /// Fraction lost in the last interval, in 256ths.
    pub fraction_lost: u8,
    /// Interarrival jitter, in units of the codec's clock.
    pub jitter: u32,
    /// Packets that came too late or twice.
    pub packets_discarded: u64,
    /// Packets sent again.
    pub packets_retransmitted: u64,
    /// Packets that a retransmission replaced.
    pub packets_repaired: u64,
    /// NACK messages.
    pub nack_count: u64,
    /// Packets that NACKs asked for.
    pub nack_packet_count: u64,
    /// PLI messages.
    pub pli_count: u64,
    /// FIR messages.
    pub fir_count: u64,
    /// Round trip, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_time: Option<f64>,
    /// Retransmissions that nobody needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtx_packets_discarded: Option<u64>,
    /// 0 (worst) to 10.
    pub score: u8,
}

/// One stream that comes in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboundRtpStats {
    /// `inbound-rtp`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What all streams have.
    #[serde(flatten)]
    pub stream: RtpStreamStats,
    /// Packets received.
    pub packet_count: u64,
    /// Bytes received, headers included.
    pub byte_count: u64,
    /// Bitrate now.
    pub bitrate: u32,
    /// Bitrate of each layer, by `spatial.temporal`.
    pub bitrate_by_layer: BTreeMap<String, u32>,
}

/// One stream that goes out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboundRtpStats {
    /// `outbound-rtp`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What all streams have.
    #[serde(flatten)]
    pub stream: RtpStreamStats,
    /// Packets sent.
    pub packet_count: u64,
    /// Bytes sent, headers included.
    pub byte_count: u64,
    /// Bitrate now.
    pub bitrate: u32,
    /// Its parity, where the endpoint takes it.
    #[serde(flatten)]
    pub fec: Option<FecStats>,
    /// Packets that NACKs asked for and that were not sent again, by reason; reasons without packets are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub retransmissions_refused: BTreeMap<&'static str, u64>,
}

/// The stream of parity (FlexFEC) beside one that goes out; under the names of the W3C's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FecStats {
    /// SSRC.
    #[serde(rename = "fecSsrc")]
    pub ssrc: u32,
    /// Packets sent.
    #[serde(rename = "fecPacketsSent")]
    pub packets_sent: u64,
    /// Bytes sent, headers included.
    #[serde(rename = "fecBytesSent")]
    pub bytes_sent: u64,
}

/// Statistics of a producer: one entry per stream that was seen.
pub type ProducerStats = InboundRtpStats;

/// Statistics of a consumer. As JSON: an array of its streams, then the producer's stream in use.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerStats {
    /// Towards the endpoint; several for a consumer that pipes every encoding.
    pub outbound: Vec<OutboundRtpStats>,
    /// From the source, where it is on the same shard and was seen.
    pub inbound: Option<InboundRtpStats>,
}

impl Serialize for ConsumerStats {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut entries = serializer.serialize_seq(None)?;
        for outbound in &self.outbound {
            entries.serialize_element(outbound)?;
        }
        if let Some(inbound) = &self.inbound {
            entries.serialize_element(inbound)?;
        }
        entries.end()
    }
}

/// What is known of the path from a transport to its remote, among the statistics of the transport.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutgoingPathStats {
    /// Bytes of probes that carried nothing new.
    pub probation_bytes_sent: u64,
    /// Bits per second of that.
    pub probation_send_bitrate: u32,
    /// Bits per second that the path to the remote is believed to carry, where somebody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_outgoing_bitrate: Option<u32>,
    /// The most that it is taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_outgoing_bitrate: Option<u32>,
    /// The least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_outgoing_bitrate: Option<u32>,
}

/// Statistics of a transport.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportStats {
    /// The transport.
    pub transport_id: TransportId,
    /// When these figures were read.
    pub timestamp: u64,
    /// How far its SCTP association has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp_state: Option<SctpState>,
    /// Bytes of datagrams received.
    pub bytes_received: u64,
    /// Bits per second received.
    pub recv_bitrate: u32,
    /// Bytes of datagrams sent.
    pub bytes_sent: u64,
    /// Bits per second sent.
    pub send_bitrate: u32,
    /// Bytes of RTP received, retransmissions aside.
    pub rtp_bytes_received: u64,
    /// Bits per second of that.
    pub rtp_recv_bitrate: u32,
    /// Bytes of RTP sent, retransmissions aside.
    pub rtp_bytes_sent: u64,
    /// Bits per second of that.
    pub rtp_send_bitrate: u32,
    /// Bytes of retransmissions received.
    pub rtx_bytes_received: u64,
    /// Bits per second of that.
    pub rtx_recv_bitrate: u32,
    /// Bytes of retransmissions sent.
    pub rtx_bytes_sent: u64,
    /// Bits per second of that.
    pub rtx_send_bitrate: u32,
    /// What the path to the remote is believed to carry.
    #[serde(flatten)]
    pub outgoing: OutgoingPathStats,
    /// Bits per second that the path from the remote is believed to carry: known where we estimate (REMB), not where the
    /// remote does (transport-wide feedback).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_incoming_bitrate: Option<u32>,
    /// The limit that the remote is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_incoming_bitrate: Option<u32>,
    /// Datagrams dropped, by reason.
    pub datagrams_rejected: BTreeMap<&'static str, u64>,
    /// Round trip to the remote in milliseconds, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_time: Option<f64>,
}
