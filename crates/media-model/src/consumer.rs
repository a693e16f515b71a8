//! A consumer: what one endpoint receives of a source, as streams of its own. Must not know how packets are written.

use crate::arena::Key;
use crate::event::ConsumerScore;
use crate::extensions::ExtensionPlan;
use crate::id::ConsumerId;
use crate::source::Source;
use crate::switches::SwitchLog;
use crate::timers::Armed;
use crate::trace::ConsumerTraceFlags;
use crate::transport_state::TransportTag;
use smallvec::SmallVec;
use std::cmp::Ordering;
use tureen_forwarding::{DropCounters, DropReason, PacketMeta, SelectedLayers, Selector, SendStream};
use tureen_rtp_dictionaries::{ConsumerType, MediaKind, MediaLayers, RtpCodecMapping, RtpParameters};
use tureen_rtp_wire::Time;

/// One stream towards the endpoint.
#[derive(Debug)]
pub struct ConsumerStream {
    /// Its SSRC.
    pub ssrc: u32,
    /// The encoding that it carries now.
    pub encoding: Option<u8>,
    /// Counters, reports, and what was sent, for NACKs.
    pub send: SendStream,
    pub(crate) told_score: u8,
}

/// What a consumer was made with.
#[derive(Debug)]
pub struct ConsumerDefinition {
    /// Its id.
    pub id: ConsumerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What kind of layers it has.
    pub consumer_type: ConsumerType,
    /// What its endpoint receives.
    pub rtp_parameters: RtpParameters,
    /// Whether each encoding is a stream of its own.
    pub pipe: bool,
    /// Whether its SSRC was given: another one with it may go on from here.
    pub keeps_ssrc: bool,
}

/// A set of payload types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PayloadTypes(u128);

impl PayloadTypes {
    /// The set with `payload_type` in it.
    pub fn with(self, payload_type: u8) -> Self {
        Self(self.0 | 1 << (payload_type & 0x7f))
    }

    /// Whether `payload_type` is in it.
    pub fn contains(self, payload_type: u8) -> bool {
        payload_type < 128 && self.0 >> payload_type & 1 == 1
    }

    /// What is in it, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..128).filter(move |&payload_type| self.contains(payload_type))
    }
}

impl FromIterator<u8> for PayloadTypes {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        numbers.into_iter().fold(Self::default(), Self::with)
    }
}

/// What a consumer calls the router's payload types; nothing for those that keep their number.
#[derive(Clone, Debug, Default)]
pub struct Renumbering(Option<Box<[u8; 128]>>);

impl Renumbering {
    /// Each codec's router payload type becomes the mapped one.
    pub fn new(codecs: &[RtpCodecMapping]) -> Self {
        let mut table = std::array::from_fn(|number| number as u8);
        for codec in codecs {
            if let Some(entry) = table.get_mut(usize::from(codec.payload_type)) {
                *entry = codec.mapped_payload_type;
            }
        }
        Self(Some(Box::new(table)))
    }

    /// The number on the wire for one of the router's.
    #[inline]
    pub fn apply(&self, payload_type: u8) -> u8 {
        let table = self.0.as_ref();
        table.and_then(|table| table.get(usize::from(payload_type))).copied().unwrap_or(payload_type)
    }
}

/// How far a consumer is that starts from what came since the last key frame of an encoding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    pub(crate) encoding: u8,
    /// The extended sequence number to send next; `None` if it has not begun.
    pub(crate) next: Option<u64>,
    /// How many more times the next packet may find no room in the egress.
    pub(crate) patience: u8,
    /// When it is due, until the timer is armed for it.
    pub(crate) due: Option<Time>,
    pub(crate) timer: Armed,
}

impl Replay {
    /// Whether a packet, which is in the store, will be sent by it: nothing overtakes what comes before.
    #[inline]
    pub(crate) fn comes_to(&self, meta: &PacketMeta) -> bool {
        self.encoding == meta.encoding && self.next.is_none_or(|next| meta.extended_sequence >= next)
    }
}

/// What keeps a consumer's media from flowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseState {
    /// By its own `pause`.
    pub own: bool,
    /// By its producer's.
    pub producer: bool,
    /// By others that are louder, where only so many are forwarded. Clients are told of no pause.
    pub left_out: bool,
    /// By a path that does not carry even its lowest layer. Clients are told that no layers flow.
    pub starved: bool,
}

impl PauseState {
    /// Whether media flows.
    pub fn flows(self) -> bool {
        !self.own && !self.producer && !self.left_out && !self.starved
    }

    /// Why packets are dropped while it does not flow.
    fn drop_reason(self) -> DropReason {
        if self.own || self.producer {
            DropReason::Paused
        } else if self.left_out {
            DropReason::LastN
        } else {
            DropReason::Congestion
        }
    }
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    /// What it was made with; elsewhere, since packets do not need it.
    pub definition: Box<ConsumerDefinition>,
    /// The transport that it goes out on.
    pub transport: Key<TransportTag>,
    /// What it consumes.
    pub source: Key<Source>,
    /// What keeps it from flowing.
    pub pause: PauseState,
    /// Header extensions of its packets.
    pub extensions: ExtensionPlan,
    /// Payload types, of the router, that it takes.
    pub payload_types: PayloadTypes,
    /// What its packets call them.
    pub renumbering: Renumbering,
    /// What is forwarded, and renumbered how.
    pub selector: Selector,
    /// One, or with `pipe` one per encoding.
    pub streams: SmallVec<[ConsumerStream; 1]>,
    /// Packets dropped, by reason.
    pub drops: DropCounters,
    /// 1 to 255.
    pub priority: u8,
    /// The layers wanted.
    pub preferred_layers: Option<MediaLayers>,
    /// The layers that the path has room for, where somebody says.
    pub granted_layers: Option<MediaLayers>,
    /// Whether these are less than it wants.
    pub is_limited: bool,
    /// Which traces are asked for.
    pub trace: ConsumerTraceFlags,
    /// Apart from what packets need, since few have it.
    pub(crate) replay: Option<Box<Replay>>,
    pub(crate) score_promised: bool,
    pub(crate) layers_promised: bool,
    pub(crate) told_layers: Option<MediaLayers>,
    /// Elsewhere, since packets do not need it.
    pub(crate) switches: Box<SwitchLog>,
}

impl Consumer {
    /// The canonical name that its packets go under.
    pub(crate) fn cname(&self) -> Option<&str> {
        self.definition.rtp_parameters.rtcp.cname.as_deref()
    }

    /// The sequence number that would come next, of each SSRC.
    pub(crate) fn next_sequence_numbers(&self) -> impl Iterator<Item = (u32, u16)> {
        self.streams.iter().enumerate().flat_map(|(index, stream)| {
            let media = self.selector.next_sequence_number(index).map(|next| (stream.ssrc, next));
            let repairs = stream.send.rtx().map(|rtx| (rtx.config().ssrc, rtx.next_sequence_number()));
            let parity = stream.send.parity().map(|fec| (fec.config().ssrc, fec.next_sequence_number()));
            [media, repairs, parity].into_iter().flatten()
        })
    }

    /// The index of the stream that carries an encoding.
    #[inline]
    pub(crate) fn stream_of(&self, encoding: u8) -> Option<usize> {
        match self.selector {
            Selector::Pipe(_) => {
                return Some(usize::from(encoding)).filter(|index| *index < self.streams.len());
            }
            // It knows which one it sends, and says so.
            Selector::Simulcast(_) => return Some(0),
            _ => {}
        }
        self.streams.first().filter(|stream| stream.encoding == Some(encoding)).map(|_| 0)
    }

    /// The index of the stream that a packet belongs in, before its selector is asked.
    ///
    /// # Errors
    /// Why the consumer does not take the packet.
    #[inline]
    pub fn route(&self, payload_type: u8, meta: &PacketMeta) -> Result<usize, DropReason> {
        if !self.pause.flows() {
            return Err(self.pause.drop_reason());
        }
        if !self.payload_types.contains(payload_type) {
            return Err(DropReason::UnsupportedPayloadType);
        }
        self.stream_of(meta.encoding).ok_or(DropReason::UnknownEncoding)
    }

    /// The encodings whose key frames it waits for.
    pub fn awaited_encodings(&self) -> impl Iterator<Item = u8> {
        let flows = self.pause.flows();
        let wanted = self.wanted_encodings();
        wanted.filter(move |encoding| flows && self.selector.needs_key_frame(*encoding))
    }

    /// The encodings that it sends, or is about to.
    pub fn wanted_encodings(&self) -> impl Iterator<Item = u8> {
        let target = match &self.selector {
            Selector::Simulcast(selector) => selector.target().map(|layers| layers.encoding),
            _ => None,
        };
        let sent = self.streams.iter().filter_map(|stream| stream.encoding);
        let other = target.filter(|target| self.streams.first().and_then(|it| it.encoding) != Some(*target));
        sent.chain(other)
    }

    /// The encodings that a key frame is needed of for the stream of `ssrc`, or for all it sends: of a pipe that stream's own.
    pub(crate) fn encodings_behind(&self, ssrc: Option<u32>) -> impl Iterator<Item = u8> {
        let ssrc = ssrc.filter(|_| self.definition.pipe);
        let stream = self.streams.iter().find(|stream| Some(stream.ssrc) == ssrc);
        let only = stream.and_then(|stream| stream.encoding);
        self.wanted_encodings().filter(move |encoding| only.is_none_or(|only| only == *encoding))
    }

    /// The layers that its selector lets pass, where it chooses.
    #[inline]
    pub(crate) fn selected(&self) -> Option<SelectedLayers> {
        match &self.selector {
            Selector::Simulcast(selector) => selector.current(),
            _ => None,
        }
    }

    /// The highest spatial layer wanted within an encoding, and the highest temporal layer; [`u8::MAX`] for all there are: sources need
    /// not say how many they have.
    pub(crate) fn wanted_layers(&self) -> (u8, u8) {
        let Some(preferred) = self.allowed_layers() else { return (u8::MAX, u8::MAX) };
        let below = |layer: Option<u8>, top: u8| layer.filter(|layer| *layer < top).unwrap_or(u8::MAX);
        let (top_spatial, top_temporal) = self.top_layers();
        // In simulcast, a spatial layer is an encoding.
        let within =
            Some(preferred.spatial_layer).filter(|_| self.definition.consumer_type == ConsumerType::Svc);
        (below(within, top_spatial), below(preferred.temporal_layer, top_temporal))
    }

    /// The layers that are preferred, as far as the path has room for them.
    pub(crate) fn allowed_layers(&self) -> Option<MediaLayers> {
        let (Some(preferred), Some(granted)) = (self.preferred_layers, self.granted_layers) else {
            return self.preferred_layers.or(self.granted_layers);
        };
        Some(match granted.spatial_layer.cmp(&preferred.spatial_layer) {
            Ordering::Less => granted,
            Ordering::Greater => preferred,
            Ordering::Equal => MediaLayers {
                // `None` is all there are.
                temporal_layer: match (preferred.temporal_layer, granted.temporal_layer) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                },
                ..granted
            },
        })
    }

    pub(crate) fn top_layers(&self) -> (u8, u8) {
        let mode = self.definition.rtp_parameters.encodings.first().map(|encoding| encoding.layers());
        mode.map_or((0, 0), |mode| {
            (mode.spatial_layers.saturating_sub(1), mode.temporal_layers.saturating_sub(1))
        })
    }

    /// Its scores, given those of its source by encoding. With `pipe` they are those of the worst streams that are alive.
    pub fn score(&self, producer_scores: Vec<u8>) -> ConsumerScore {
        let of_source = |stream: &ConsumerStream| {
            let encoding = stream.encoding.map(usize::from);
            encoding.and_then(|encoding| producer_scores.get(encoding)).copied().unwrap_or(0)
        };
        let alive = || self.streams.iter().filter(|stream| of_source(stream) > 0);
        let first = self.streams.first().map_or(0, |stream| stream.send.score());
        let score = alive().map(|stream| stream.send.score()).min().unwrap_or(first);
        let producer_score = alive().map(of_source).min().unwrap_or(0);
        ConsumerScore { score, producer_score, producer_scores }
    }

    /// Bits per second of parity for what is sent.
    pub(crate) fn parity_bitrate(&self, now: Time) -> u64 {
        self.streams.iter().filter_map(|stream| stream.send.parity()).map(|parity| parity.bitrate(now)).sum()
    }

    /// Whether its source has layers to choose from.
    pub fn is_layered(&self) -> bool {
        matches!(self.definition.consumer_type, ConsumerType::Simulcast | ConsumerType::Svc)
    }

    /// The layers that it goes for, or sends already, for a consumer of a source that has such.
    pub fn target_layers(&self) -> Option<MediaLayers> {
        match &self.selector {
            Selector::Simulcast(selector) if self.is_layered() => Some(self.media_layers(selector.target()?)),
            _ => None,
        }
    }

    /// What a selector chose, in the terms of its source.
    pub(crate) fn media_layers(&self, selected: SelectedLayers) -> MediaLayers {
        let SelectedLayers { encoding, spatial_layer, temporal_layer } = selected;
        let (top_spatial, top_temporal) = self.top_layers();
        let svc = self.definition.consumer_type == ConsumerType::Svc;
        MediaLayers {
            spatial_layer: if svc { spatial_layer.min(top_spatial) } else { encoding },
            temporal_layer: Some(temporal_layer.min(top_temporal)),
        }
    }

    /// The layers that flow now, for a consumer of a source that has such.
    pub fn current_layers(&self) -> Option<MediaLayers> {
        let stream = self.streams.first().filter(|_| self.is_layered() && self.pause.flows())?;
        if let Selector::Simulcast(selector) = &self.selector {
            return Some(self.media_layers(selector.current()?));
        }
        let encoding = stream.encoding.filter(|encoding| !self.selector.needs_key_frame(*encoding))?;
        Some(MediaLayers { spatial_layer: encoding, temporal_layer: None })
    }
}
