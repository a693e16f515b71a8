//! What a consumer says of itself when somebody asks why its viewer sees what it sees. Plain data, see
//! [`ExplainConsumer`](crate::ExplainConsumer).

use crate::id::{ConsumerId, ProducerId};
use crate::switches::{LayerSwitch, SwitchCause};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use tureen_forwarding::DropCounters;
use tureen_rtp_dictionaries::{ConsumerType, MediaKind, MediaLayers};

/// Why a consumer does not send, or does not send the layers that are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Obstacle {
    /// It is paused.
    Paused,
    /// Its producer is paused.
    ProducerPaused,
    /// Others are louder, and only so many are forwarded.
    LastN,
    /// Its transport is not connected yet, or no longer.
    NotConnected,
    /// Nothing has come of its source yet.
    NothingCame,
    /// All encodings of its source are silent.
    SourceSilent,
    /// The preferred encoding is silent, or was never seen; another one is sent instead.
    EncodingSilent {
        /// The encoding, as `spatialLayer` of simulcast.
        spatial_layer: u8,
    },
    /// The publisher says that it does not send the preferred layers now.
    LayersInactive {
        /// The highest spatial layer that it has.
        spatial_layer: u8,
        /// The highest temporal layer that it has.
        temporal_layer: u8,
    },
    /// The path has no room for more.
    Bandwidth {
        /// Bits per second that may be sent on its transport.
        available_bitrate: u32,
    },
    /// What it is about to send starts at a key frame, which has not come yet.
    WaitingForKeyFrame {
        /// Index of the encoding.
        encoding_idx: u8,
    },
    /// The layers that it is about to send can be entered at some frames only, and none of these has come yet.
    WaitingForSwitchPoint,
}

impl Obstacle {
    /// The names of all, as [`name`](Self::name) gives them.
    pub const NAMES: [&'static str; 11] = [
        "paused",
        "producer_paused",
        "last_n",
        "not_connected",
        "nothing_came",
        "source_silent",
        "encoding_silent",
        "layers_inactive",
        "waiting_for_key_frame",
        "waiting_for_switch_point",
        "bandwidth",
    ];

    /// Its place in [`NAMES`](Self::NAMES).
    pub const fn index(self) -> usize {
        match self {
            Self::Paused => 0,
            Self::ProducerPaused => 1,
            Self::LastN => 2,
            Self::NotConnected => 3,
            Self::NothingCame => 4,
            Self::SourceSilent => 5,
            Self::EncodingSilent { .. } => 6,
            Self::LayersInactive { .. } => 7,
            Self::WaitingForKeyFrame { .. } => 8,
            Self::WaitingForSwitchPoint => 9,
            Self::Bandwidth { .. } => 10,
        }
    }

    /// Its name in statistics: lower case, underscores.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self.index()).copied().unwrap_or_default()
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("it is paused"),
            Self::ProducerPaused => f.write_str("its producer is paused"),
            Self::LastN => f.write_str("others are louder, and only so many are forwarded"),
            Self::NotConnected => f.write_str("its transport is not connected"),
            Self::NothingCame => f.write_str("nothing has come from the publisher yet"),
            Self::SourceSilent => f.write_str("the publisher sends nothing"),
            Self::EncodingSilent { spatial_layer } => {
                write!(f, "the publisher does not send encoding {spatial_layer} now")
            }
            Self::LayersInactive { spatial_layer, temporal_layer } => {
                write!(f, "the publisher sends layers up to S{spatial_layer} T{temporal_layer} now")
            }
            Self::WaitingForKeyFrame { encoding_idx } => {
                write!(f, "a key frame of encoding {encoding_idx} is waited for")
            }
            Self::Bandwidth { available_bitrate } => {
                write!(f, "its path carries {} kbit/s", available_bitrate / 1000)
            }
            Self::WaitingForSwitchPoint => {
                f.write_str("a frame that lets the layers be entered is waited for")
            }
        }
    }
}

/// What a consumer knows of one encoding of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncodingState {
    /// Index in the producer's `rtpParameters.encodings`.
    pub encoding_idx: u8,
    /// 0 (silent) to 10.
    pub score: u8,
    /// Packets that came.
    pub packet_count: u64,
    /// Whether it is silent since nobody wants it.
    pub resting: bool,
    /// The highest layers that it has now, where the publisher said that it has not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_layers: Option<MediaLayers>,
}

/// What is known of the path that a consumer's packets take. Rates are bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathEstimate {
    /// What may be sent on the transport for long.
    pub available_bitrate: u32,
    /// What arrived over the last half second; `None` until enough was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_bitrate: Option<u32>,
    /// What is sent.
    pub send_bitrate: u32,
    /// What all that share the transport have been given.
    pub granted_bitrate: u32,
    /// What bears on the estimate: `start`, `delay`, `loss`, and so on.
    pub reason: &'static str,
    /// How long the last packet that was reported queued, in milliseconds.
    pub queue: f64,
    /// From a packet to the report on it, in milliseconds.
    pub round_trip_time: f64,
    /// The share of packets lost over the last second, 0 to 1.
    pub loss: f64,
    /// Bytes that wait to be sent, by the time that it takes to send them, in milliseconds.
    pub backlog: f64,
}

/// What was asked for of a consumer's packets once more (NACK), all its streams together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repairs {
    /// Packets asked for, each as often as that happened.
    pub asked: u64,
    /// Packets sent again.
    pub sent: u64,
    /// Packets of parity (FlexFEC) sent, each for several of media.
    pub parity: u64,
    /// Packets not sent again, by reason; reasons without packets are left out.
    pub refused: BTreeMap<&'static str, u64>,
}

/// What a consumer sends, what it should send, what keeps it from that, and how it came about. Times are milliseconds of the
/// driver's monotonic clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerExplanation {
    /// Its id.
    pub consumer_id: ConsumerId,
    /// Its producer.
    pub producer_id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    #[serde(rename = "type")]
    pub consumer_type: ConsumerType,
    /// When this was said.
    pub timestamp: u64,
    /// The layers asked for; `None` for all that there are.
    pub preferred_layers: Option<MediaLayers>,
    /// The layers that it goes for: of what there is the nearest to those asked for. `None` without layers, or with nothing to go for.
    pub target_layers: Option<MediaLayers>,
    /// The layers that it sends; `None` without layers, or if it sends nothing.
    pub current_layers: Option<MediaLayers>,
    /// Why it does not send, or not the layers asked for; `None` if it does.
    pub obstacle: Option<Obstacle>,
    /// The layers that its path has room for, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_layers: Option<MediaLayers>,
    /// What is known of its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathEstimate>,
    /// The encodings of its source.
    pub encodings: Vec<EncodingState>,
    /// Packets sent, retransmissions aside.
    pub packets_sent: u64,
    /// Packets not sent, by reason; reasons without packets are left out.
    pub packets_dropped: BTreeMap<&'static str, u64>,
    /// What was lost on its way, and what was done about it.
    pub repairs: Repairs,
    /// The last changes of its layers, the newest first, at most [`SWITCHES_REMEMBERED`](crate::SWITCHES_REMEMBERED).
    pub switches: Vec<LayerSwitch>,
    /// How many changes there were.
    pub switch_count: u64,
}

/// What the consumers of a Core have done and wait for, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerFigures {
    /// Packets that they did not send, by reason, those of consumers that are gone included.
    pub drops: DropCounters,
    /// How often they came to send other layers, by the [`index`](SwitchCause::index) of the cause.
    pub switches: [u64; SwitchCause::COUNT],
    /// How many do not send what is preferred now, by the [`index`](Obstacle::index) of the reason.
    pub obstacles: [u64; Obstacle::NAMES.len()],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_are_named_as_their_json_is() {
        let all = [
            Obstacle::Paused,
            Obstacle::ProducerPaused,
            Obstacle::LastN,
            Obstacle::NotConnected,
            Obstacle::NothingCame,
            Obstacle::SourceSilent,
            Obstacle::EncodingSilent { spatial_layer: 2 },
            Obstacle::LayersInactive { spatial_layer: 1, temporal_layer: 0 },
            Obstacle::WaitingForKeyFrame { encoding_idx: 1 },
            Obstacle::WaitingForSwitchPoint,
            Obstacle::Bandwidth { available_bitrate: 300_000 },
        ];
        for (index, obstacle) in all.into_iter().enumerate() {
            assert_eq!(obstacle.index(), index);
            let json = serde_json::to_value(obstacle).unwrap();
            let flat = |name: &str| name.replace('_', "").to_lowercase();
            assert_eq!(flat(json["reason"].as_str().unwrap()), flat(obstacle.name()));
            assert!(!obstacle.to_string().is_empty());
        }
        assert_eq!(serde_json::to_value(all[6]).unwrap()["spatialLayer"], 2);
    }
}
