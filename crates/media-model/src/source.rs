//! The fan-out half of a producer: what consumers see of it, on its own shard or mirrored on another.
//!
//! Must not know sockets or how packets came in.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::id::{ProducerId, ShardId};
use crate::options::{ContentHint, KeyFrameCache};
use crate::producer::Producer;
use crate::router::Router;
use crate::sending::LayerRates;
use crate::wanted::WantedLayers;
use smallvec::SmallVec;
use tureen_forwarding::{
    ActiveLayers, ClockOffset, PacketStore, PacketStoreConfig, RunLimits, StreamTargets,
};
use tureen_rtp_dictionaries::{MediaKind, ProducerType, RtpMapping, RtpParameters};
use tureen_rtp_wire::Time;

/// Where a source's packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer of this Core.
    Here(Key<Producer>),
    /// A producer of another shard, relayed.
    Shard {
        /// That shard.
        home: ShardId,
        /// The number of the publication that the mirror was made or confirmed by last.
        subscription: u64,
    },
}

/// A shard that mirrors a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The shard.
    pub shard: ShardId,
    /// The number of the newest publication to it.
    pub subscription: u64,
}

/// What consumers need of one stream.
#[derive(Debug)]
pub struct SourceStream {
    /// Packets for retransmission and for consumers to start from, one copy for all consumers; `None` if the router's codec has no NACK
    /// and no consumer starts from them.
    pub store: Option<PacketStore>,
    /// 0 to 10; 0 while it is silent or was not seen yet. What rests keeps it.
    pub score: u8,
    /// Packets that came.
    pub packets: u64,
    /// What its layers take.
    pub rates: LayerRates,
    /// Whether it is silent since nobody wants it: until its next packet.
    pub resting: bool,
    /// How its clock lies to that of the source's other streams, once a sender report told, see
    /// [`clock_alignment`](tureen_forwarding::clock_alignment).
    pub alignment: Option<u32>,
    /// The layers that it has now, if it said that it has not all of them.
    pub active_layers: Option<ActiveLayers>,
    /// What its dependency descriptors say of decode targets; none before the first.
    pub targets: Option<Box<StreamTargets>>,
}

/// A source of packets for consumers.
#[derive(Debug)]
pub struct Source {
    /// The producer behind it.
    pub producer_id: ProducerId,
    /// The router of both.
    pub router: Key<Router>,
    /// Where packets come from.
    pub origin: Origin,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    pub producer_type: ProducerType,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// What consumers are offered.
    pub consumable: RtpParameters,
    /// How payload types map to the router's.
    pub mapping: RtpMapping,
    /// The id of dependency descriptors in its packets.
    pub dependency_descriptor: Option<u8>,
    /// What is kept of its streams since the last key frame, for consumers to start from.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show.
    pub content_hint: Option<ContentHint>,
    /// Whether its producer is paused.
    pub paused: bool,
    /// Whether it is not forwarded since others are louder.
    pub left_out: bool,
    /// How the wall clock of its sender lies to ours, once a sender report told.
    pub clock: Option<ClockOffset>,
    /// By index of the encoding.
    pub streams: SmallVec<[SourceStream; 3]>,
    /// Who consumes it on this shard.
    pub consumers: Vec<Key<Consumer>>,
    /// The shards that mirror it.
    pub mirrors: SmallVec<[Mirror; 4]>,
    /// What is wanted of it.
    pub(crate) wanted: WantedLayers,
    /// Packets in the stores of its streams that wait for the end of the batch.
    pub(crate) burst: Burst,
}

/// Packets that go to consumers together, in the order in which they came: encoding and extended sequence number of each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Burst {
    packets: [(u8, u64); Self::CAPACITY],
    len: usize,
}

impl Burst {
    /// The most packets of one burst: what a consumer's visit costs is well spread over them, and they stay in the cache.
    pub(crate) const CAPACITY: usize = 16;

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len >= Self::CAPACITY
    }

    /// Appends a packet; there must be room.
    pub(crate) fn push(&mut self, encoding: u8, extended_sequence: u64) {
        if let Some(place) = self.packets.get_mut(self.len) {
            *place = (encoding, extended_sequence);
            self.len += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u64)> {
        self.packets.iter().copied().take(self.len)
    }
}

impl Source {
    /// Bits per second of all that it sends, but for key frames; 0 while it is paused.
    pub(crate) fn bitrate(&self, now: Time) -> u64 {
        let rates = self.streams.iter().map(|stream| stream.rates.up_to(now, u8::MAX, u8::MAX));
        if self.paused { 0 } else { rates.fold(0, u64::saturating_add) }
    }

    /// Scores by encoding.
    pub fn scores(&self) -> impl Iterator<Item = u8> {
        self.streams.iter().map(|stream| stream.score)
    }

    /// The encoding that a consumer of one stream should follow: of those that are alive the highest up to `preferred`, or
    /// else the lowest above it.
    pub fn best_encoding(&self, preferred: Option<u8>) -> Option<u8> {
        let alive = |stream: &&SourceStream| stream.score > 0 && stream.packets > 0 && !stream.resting;
        let limit = preferred.map_or(usize::MAX, usize::from);
        let up_to = self.streams.iter().take(limit.saturating_add(1)).rposition(|stream| alive(&stream));
        let best = up_to.or_else(|| self.streams.iter().position(|stream| alive(&stream)))?;
        u8::try_from(best).ok()
    }
}

/// A store that holds what NACKs ask for, packets of up to 2 s of video or 1 s of audio, and what consumers may start from.
pub(crate) fn new_store(kind: MediaKind, cache: Option<KeyFrameCache>) -> PacketStore {
    let store = PacketStore::new(match kind {
        MediaKind::Video => PacketStoreConfig::VIDEO,
        MediaKind::Audio => PacketStoreConfig::AUDIO,
    });
    match cache {
        Some(KeyFrameCache { max_bytes, max_age }) => store.keeping_runs(RunLimits { max_bytes, max_age }),
        None => store,
    }
}
