//! Trace events: single packets and RTCP messages, told only while somebody asked for them.

use serde::Serialize;

/// Which way a traced packet went, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceDirection {
    /// Towards us.
    In,
    /// Away from us.
    Out,
}

/// A traced RTP packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpPacketTrace {
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence_number: u16,
    /// RTP timestamp, in units of the codec's clock.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// SSRC.
    pub ssrc: u32,
    /// Whether it starts a key frame.
    pub is_key_frame: bool,
    /// Bytes of the whole packet.
    pub size: usize,
    /// Bytes of its payload.
    pub payload_size: usize,
    /// Spatial layer, 0 the lowest.
    pub spatial_layer: u8,
    /// Temporal layer, 0 the lowest.
    pub temporal_layer: u8,
    /// Whether it came in a stream of retransmissions.
    pub is_rtx: bool,
}

/// How the path of a transport is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BweType {
    /// By us, from reports of what arrived.
    TransportCc,
    /// By the remote.
    Remb,
}

/// What a transport may send, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BweTrace {
    /// Who estimates.
    pub bwe_type: BweType,
    /// What would be sent if there were room for everything.
    pub desired_bitrate: u32,
    /// The part of that which is sent.
    pub effective_desired_bitrate: u32,
    /// The least that the estimate can be.
    pub min_bitrate: u32,
    /// The most; 0 for no bound.
    pub max_bitrate: u32,
    /// Where it began.
    pub start_bitrate: u32,
    /// The rate of padding for probes at the most: what is desired and not granted.
    pub max_padding_bitrate: u32,
    /// The estimate.
    pub available_bitrate: u32,
}

/// What a trace is about. The JSON has it as `type` and `info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "info", rename_all = "lowercase")]
#[non_exhaustive]
pub enum TraceInfo {
    /// An RTP packet.
    Rtp(RtpPacketTrace),
    /// The first packet of a key frame.
    KeyFrame(RtpPacketTrace),
    /// A generic NACK (RFC 4585 section 6.2.1).
    Nack,
    /// A picture loss indication (RFC 4585 section 6.3.1).
    Pli {
        /// The stream it is about.
        ssrc: u32,
    },
    /// A full intra request (RFC 5104 section 4.3.1).
    Fir {
        /// The stream it is about.
        ssrc: u32,
    },
    /// Packets of a probe that carry nothing new.
    #[serde(rename_all = "camelCase")]
    Probation {
        /// The transport-wide sequence number of the first.
        wide_sequence_number: u16,
        /// Their bytes.
        size: u64,
    },
    /// What a transport may send changed.
    Bwe(BweTrace),
    /// A sender report (RFC 3550 section 6.4.1).
    #[serde(rename_all = "camelCase")]
    Sr {
        /// The stream it is about.
        ssrc: u32,
        /// NTP timestamp, seconds.
        ntp_sec: u32,
        /// NTP timestamp, fraction.
        ntp_frac: u32,
        /// RTP timestamp of the same moment.
        rtp_ts: u32,
        /// Packets sent.
        packet_count: u32,
        /// Payload bytes sent.
        octet_count: u32,
    },
}

/// A trace event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// What it is about.
    #[serde(flatten)]
    pub info: TraceInfo,
    /// When, in milliseconds of the driver's monotonic clock.
    pub timestamp: u64,
    /// Which way.
    pub direction: TraceDirection,
}

/// A trace event of a producer.
pub type ProducerTrace = Trace;
/// A trace event of a consumer.
pub type ConsumerTrace = Trace;
/// A trace event of a transport.
pub type TransportTrace = Trace;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: bool),* }

        impl $name {
            /// The flags whose names are listed; unknown names are left out.
            pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
                let mut flags = Self::default();
                for name in names {
                    match name {
                        $($text => flags.$field = true,)*
                        _ => {}
                    }
                }
                flags
            }

            /// The names of the flags that are set.
            pub fn names(self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field { names.push($text); })*
                names
            }
        }
    )*};
}

flags! {
    /// Trace events of a producer.
    ProducerTraceFlags {
        /// Every RTP packet.
        rtp = "rtp",
        /// First packets of key frames.
        key_frame = "keyframe",
        /// NACKs sent.
        nack = "nack",
        /// PLIs sent.
        pli = "pli",
        /// FIRs sent.
        fir = "fir",
        /// Sender reports received.
        sr = "sr",
    }
    /// Trace events of a consumer.
    ConsumerTraceFlags {
        /// Every RTP packet.
        rtp = "rtp",
        /// First packets of key frames.
        key_frame = "keyframe",
        /// NACKs received.
        nack = "nack",
        /// PLIs received.
        pli = "pli",
        /// FIRs received.
        fir = "fir",
    }
    /// Trace events of a transport.
    TransportTraceFlags {
        /// Probing packets.
        probation = "probation",
        /// Changes of the bandwidth estimate.
        bwe = "bwe",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_are_left_out() {
        let flags = ProducerTraceFlags::from_names(["rtp", "nonsense", "sr"]);
        assert_eq!(flags.names(), ["rtp", "sr"]);
    }

    #[test]
    fn a_trace_serialises_as_type_timestamp_direction_info() {
        let trace = Trace { info: TraceInfo::Pli { ssrc: 7 }, timestamp: 5, direction: TraceDirection::Out };
        let json = serde_json::to_value(&trace).expect("a trace serialises");
        assert_eq!(
            json,
            serde_json::json!({"type": "pli", "info": {"ssrc": 7}, "timestamp": 5, "direction": "out"})
        );
    }
}
