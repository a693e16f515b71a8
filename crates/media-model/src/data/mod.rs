//! Data producers and data consumers: messages instead of media, over SCTP or from and to the program itself.
//!
//! | part | where |
//! |---|---|
//! | what they are made with, and what is said of them | [`options`], [`description`], [`error`] |
//! | making, pausing, closing | [`produce`], [`consume`], [`closing`] |
//! | associations and messages | [`flow`], [`rate`], [`delivery`], [`pipe_frame`] |
//! | other shards | [`sources`], [`relaying`] |
//!
//! Nothing of RTP is known here. Messages allocate; packets of media pass none of this.

mod closing;
mod consume;
mod delivery;
mod description;
mod error;
mod flow;
mod options;
mod pipe_frame;
mod produce;
mod rate;
mod relaying;
mod reporting;
mod sources;

pub use description::*;
pub use error::*;
pub use options::*;
pub use pipe_frame::PIPE_FRAME_ROOM;

use crate::arena::{Arena, Key};
use crate::consumer::PauseState;
use crate::id::{DataConsumerId, DataProducerId, ShardId};
use crate::router::Router;
use crate::source::Mirror;
use crate::timers::Armed;
use crate::transport_state::TransportTag;
use bytes::Bytes;
use rate::MessageRate;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use tureen_data::{Association, Ppid, Reliability};
use tureen_rtp_dictionaries::{SctpState, SctpStreamParameters};
use tureen_rtp_wire::Time;

/// All of a Core that is about messages.
#[derive(Debug, Default)]
pub(crate) struct DataModel {
    pub(crate) producers: Arena<DataProducer>,
    pub(crate) sources: Arena<DataSource>,
    pub(crate) consumers: Arena<DataConsumer>,
    /// Of transports that carry messages.
    pub(crate) transports: BTreeMap<Key<TransportTag>, TransportData>,
    pub(crate) producer_ids: FxHashMap<DataProducerId, Key<DataProducer>>,
    pub(crate) source_ids: FxHashMap<DataProducerId, Key<DataSource>>,
    pub(crate) consumer_ids: FxHashMap<DataConsumerId, Key<DataConsumer>>,
    /// Messages that found no room on the way to a shard, of which that is still to be told.
    pub(crate) refused: BTreeMap<ShardId, BTreeMap<DataProducerId, u64>>,
}

/// What a transport has for messages.
#[derive(Debug)]
pub(crate) struct TransportData {
    /// `None` on a direct transport.
    pub(crate) sctp: Option<SctpOptions>,
    /// The largest message in bytes.
    pub(crate) max_message_size: u32,
    /// Whether it leads to another router.
    pub(crate) is_pipe: bool,
    /// How many messages may still come in.
    pub(crate) rate: MessageRate,
    /// From when the path is open.
    pub(crate) association: Option<Association>,
    /// Whether the path has closed for good.
    pub(crate) over: bool,
    /// The last state that was told.
    pub(crate) state: SctpState,
    /// Its data producers, oldest first.
    pub(crate) producers: Vec<Key<DataProducer>>,
    /// Its data consumers, oldest first.
    pub(crate) consumers: Vec<Key<DataConsumer>>,
    /// Data producers by the stream that they come in on.
    pub(crate) incoming: BTreeMap<u16, Key<DataProducer>>,
    /// Data consumers by the stream that they go out on.
    pub(crate) outgoing: BTreeMap<u16, Key<DataConsumer>>,
    /// Where the search for a free stream begins.
    pub(crate) next_stream: u16,
    /// Messages of no data producer, openings that do not parse, and on a pipe messages that are not framed as such.
    pub(crate) unclaimed: u64,
    /// The association's deadline.
    pub(crate) timer: Armed,
}

impl TransportData {
    pub(crate) fn new(sctp: Option<SctpOptions>, max_message_size: u32, is_pipe: bool) -> Self {
        Self {
            sctp,
            max_message_size,
            is_pipe,
            rate: MessageRate::new(sctp.map_or(0, |sctp| sctp.max_messages_per_second)),
            association: None,
            over: false,
            state: SctpState::New,
            producers: Vec::new(),
            consumers: Vec::new(),
            incoming: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            next_stream: 0,
            unclaimed: 0,
            timer: Armed::default(),
        }
    }

    /// A stream that nothing of this transport uses: they are taken in turn, so that one that is being closed rests.
    fn draw_stream(&mut self) -> Option<u16> {
        let streams = self.sctp?.association.outgoing_streams;
        let first = self.next_stream;
        let mut turn = (first..streams).chain(0..first);
        let free =
            turn.find(|stream| !self.outgoing.contains_key(stream) && !self.incoming.contains_key(stream))?;
        self.next_stream = (free + 1) % streams;
        Some(free)
    }
}

/// A source of messages.
#[derive(Debug)]
pub(crate) struct DataProducer {
    pub(crate) id: DataProducerId,
    pub(crate) transport: Key<TransportTag>,
    pub(crate) source: Key<DataSource>,
    /// `None` on a direct transport.
    pub(crate) stream: Option<SctpStreamParameters>,
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) paused: bool,
    pub(crate) messages_received: u64,
    pub(crate) bytes_received: u64,
    /// Messages beyond what its transport may bring, which went no further.
    pub(crate) messages_limited: u64,
    /// When that was last told.
    pub(crate) told_limited: Option<Time>,
}

/// Where the messages of a [`DataSource`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataOrigin {
    /// A data producer of this Core.
    Here,
    /// A data producer of another shard, relayed.
    Shard {
        home: ShardId,
        /// The number of the publication that the mirror was made or confirmed by last.
        subscription: u64,
    },
}

/// The fan-out half of a data producer: what data consumers see of it, on its own shard or mirrored on another.
#[derive(Debug)]
pub(crate) struct DataSource {
    pub(crate) producer_id: DataProducerId,
    pub(crate) router: Key<Router>,
    pub(crate) origin: DataOrigin,
    /// `None` on a direct transport.
    pub(crate) stream: Option<SctpStreamParameters>,
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) paused: bool,
    /// Who consumes it on this shard, oldest first.
    pub(crate) consumers: Vec<Key<DataConsumer>>,
    /// The shards that mirror it.
    pub(crate) mirrors: Vec<Mirror>,
}

/// A data producer's messages on their way to one endpoint.
#[derive(Debug)]
pub(crate) struct DataConsumer {
    pub(crate) id: DataConsumerId,
    pub(crate) transport: Key<TransportTag>,
    pub(crate) source: Key<DataSource>,
    pub(crate) producer_id: DataProducerId,
    /// `None` on a direct transport.
    pub(crate) stream: Option<SctpStreamParameters>,
    /// Whether its endpoint is another router.
    pub(crate) is_pipe: bool,
    pub(crate) reliability: Reliability,
    pub(crate) label: String,
    pub(crate) protocol: String,
    pub(crate) pause: PauseState,
    pub(crate) subchannels: BTreeSet<u16>,
    pub(crate) messages_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_dropped: u64,
    /// Whether a full buffer was told of, and nothing has fitted in since.
    pub(crate) told_full: bool,
    /// From what number of waiting bytes downwards it is told that there is room, if at all.
    pub(crate) low_threshold: Option<u32>,
}

impl DataConsumer {
    /// Whether a message is for it: it has the required subchannel, has not the ignored one, and shares one with the
    /// message's, if that has any. Over a pipe all go where it has none, and the far router judges what is ignored.
    fn wants(&self, message: &DataMessage) -> bool {
        let has = |subchannel: &u16| self.subchannels.contains(subchannel);
        let carries_all = self.is_pipe && self.subchannels.is_empty();
        let is_ignored = !self.is_pipe && message.ignored_subchannel.as_ref().is_some_and(has);
        let is_wanted = message.required_subchannel.as_ref().is_none_or(has)
            && (message.subchannels.is_empty() || message.subchannels.iter().any(has));
        carries_all || (is_wanted && !is_ignored)
    }

    /// A message as its endpoint gets it; `None` if that cannot be said.
    fn on_wire(&self, message: &DataMessage) -> Option<(Ppid, Bytes)> {
        if self.is_pipe {
            Some((Ppid::Binary, pipe_frame::write(message)?))
        } else {
            Some((message.ppid, message.payload.clone()))
        }
    }
}
