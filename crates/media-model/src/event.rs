//! What a Core tells the control plane unasked.
//!
//! Lifecycle events are never dropped; scores and pauses are coalesced to the newest, so what waits here is bounded by the
//! number of objects; messages and traces are bounded and lost beyond. Must not know who listens.

use crate::arena::Key;
use crate::consumer::Consumer;
use crate::data::AnnouncedDataChannel;
use crate::id::{
    ConsumerId, DataConsumerId, DataProducerId, ProducerId, RouterId, RtpObserverId, TransportId,
};
use crate::notes::{Note, NoteTopic, NoteTopics, Notes};
use crate::observers::RtpObserver;
use crate::producer::Producer;
use crate::source::Source;
use crate::trace::{ConsumerTrace, ProducerTrace, TransportTrace};
use bytes::Bytes;
use serde::Serialize;
use std::collections::VecDeque;
use tureen_data::Ppid;
use tureen_rtp_dictionaries::{MediaLayers, SctpState};
use tureen_rtp_wire::Time;
use tureen_transport::PathEvent;

/// Why an object was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCause {
    /// Its own `close`, or the drop of its last handle.
    Requested,
    /// Its producer closed.
    ProducerClosed,
    /// Its transport closed.
    TransportClosed,
    /// Its router closed.
    RouterClosed,
    /// The sockets that its transport shared were closed.
    ListenServerClosed,
    /// Its Worker closed or died.
    WorkerClosed,
}

/// The score of one stream of a producer, 0 (worst) to 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerScore {
    /// Index of the stream's encoding in `rtpParameters.encodings`.
    pub encoding_idx: u8,
    /// Its SSRC.
    pub ssrc: u32,
    /// Its RID, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The score.
    pub score: u8,
}

/// The scores that concern a consumer, 0 (worst) to 10.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerScore {
    /// Of the stream towards the consumer's endpoint.
    pub score: u8,
    /// Of the producer's stream in use.
    pub producer_score: u8,
    /// Of all the producer's streams, in the order of its encodings.
    pub producer_scores: Vec<u8>,
}

/// How a video source is held (RFC 7742 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoOrientation {
    /// Whether the source is a camera that faces away from its user.
    pub camera: bool,
    /// Whether it is mirrored.
    pub flip: bool,
    /// Degrees: 0, 90, 180 or 270.
    pub rotation: u16,
}

/// News of a router.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RouterEvent {
    /// It closed.
    Closed(CloseCause),
}

/// News of a transport.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// It closed.
    Closed(CloseCause),
    /// Its SCTP association came further, or is over.
    SctpState(SctpState),
    /// The remote opened a data channel in the band.
    DataChannel(AnnouncedDataChannel),
    /// A remote address became known.
    Path(PathEvent),
    /// A trace that was asked for.
    Trace(TransportTrace),
}

/// News of a producer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ProducerEvent {
    /// It closed.
    Closed(CloseCause),
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// The score of one of its streams changed.
    Score(Vec<ProducerScore>),
    /// The source was turned.
    VideoOrientation(VideoOrientation),
    /// The highest layers that anybody wants are others than before; `None` if nobody wants any. Upwards at once, downwards after
    /// [`UNWANTED_LAYERS_DELAY`](crate::UNWANTED_LAYERS_DELAY); video only.
    WantedLayers(Option<MediaLayers>),
    /// A trace that was asked for.
    Trace(ProducerTrace),
}

/// News of a consumer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// It closed.
    Closed(CloseCause),
    /// It was paused by its own `pause`; with `effective` nothing but this stops its media.
    Paused {
        /// Whether media flowed until now.
        effective: bool,
    },
    /// It was resumed by its own `resume`; with `effective` media flows again.
    Resumed {
        /// Whether media flows from now on.
        effective: bool,
    },
    /// Its producer was paused.
    ProducerPaused {
        /// Whether media flowed until now.
        effective: bool,
    },
    /// Its producer was resumed.
    ProducerResumed {
        /// Whether media flows from now on.
        effective: bool,
    },
    /// A score that concerns it changed.
    Score(ConsumerScore),
    /// Other layers are being forwarded, or none.
    Layers(Option<MediaLayers>),
    /// A trace that was asked for.
    Trace(ConsumerTrace),
}

/// How loud a producer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioLevelVolume {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its average level in dBov, -127 to 0.
    pub volume: i8,
}

/// News of an RTP observer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RtpObserverEvent {
    /// It closed.
    Closed(CloseCause),
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// It listens to a producer.
    ProducerAdded(ProducerId),
    /// It listens to a producer no more, which may have closed.
    ProducerRemoved(ProducerId),
    /// Audio levels: who was heard in the last interval, the loudest first.
    Volumes(Vec<AudioLevelVolume>),
    /// Audio levels: nobody was heard any more.
    Silence,
    /// Active speaker: this one speaks now.
    DominantSpeaker(ProducerId),
}

/// News of a data producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataProducerEvent {
    /// It closed.
    Closed(CloseCause),
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// Messages beyond what its transport may bring went no further: so many by now. Told once a second while there are more.
    MessagesLimited(u64),
}

/// News of a data consumer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DataConsumerEvent {
    /// It closed.
    Closed(CloseCause),
    /// It was paused by its own `pause`; with `effective` nothing but this stops its messages.
    Paused {
        /// Whether messages flowed until now.
        effective: bool,
    },
    /// It was resumed by its own `resume`; with `effective` messages flow again.
    Resumed {
        /// Whether messages flow from now on.
        effective: bool,
    },
    /// Its data producer was paused.
    DataProducerPaused {
        /// Whether messages flowed until now.
        effective: bool,
    },
    /// Its data producer was resumed.
    DataProducerResumed {
        /// Whether messages flow from now on.
        effective: bool,
    },
    /// On a direct transport: a message for the program.
    Message {
        /// What it is.
        ppid: Ppid,
        /// Its bytes.
        payload: Bytes,
    },
    /// A message found no room and is lost to it; told once until there is room again.
    SendBufferFull,
    /// What waits fell to its threshold or below; the bytes that wait.
    BufferedAmountLow(u32),
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// To a router.
    Router(RouterId, RouterEvent),
    /// To a transport.
    Transport(TransportId, TransportEvent),
    /// To a producer.
    Producer(ProducerId, ProducerEvent),
    /// To a consumer.
    Consumer(ConsumerId, ConsumerEvent),
    /// To an RTP observer.
    RtpObserver(RtpObserverId, RtpObserverEvent),
    /// To a data producer.
    DataProducer(DataProducerId, DataProducerEvent),
    /// To a data consumer.
    DataConsumer(DataConsumerId, DataConsumerEvent),
    /// Something for a log, while it is asked for ([`AskForNotes`](crate::AskForNotes)).
    Note {
        /// What.
        note: Note,
        /// Notes of its topic that were left out before it.
        left_out: u64,
    },
}

/// What waits to be told: an event, or the promise to describe the newest state when asked.
#[derive(Debug)]
pub(crate) enum Pending {
    Ready(Event),
    ProducerScore(Key<Producer>),
    ProducerOrientation(Key<Producer>),
    WantedLayers(Key<Source>),
    ConsumerScore(Key<Consumer>),
    ConsumerLayers(Key<Consumer>),
    Finding(Key<RtpObserver>),
}

/// The most traces that wait; more are dropped and counted.
const MAX_TRACES: usize = 1024;

/// The most messages, and news about them, that wait; more are lost.
const MAX_MESSAGES: usize = 1024;
/// The most bytes of those, unless nothing else waits.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    pending: VecDeque<Pending>,
    messages: VecDeque<(Event, usize)>,
    message_bytes: usize,
    traces: VecDeque<Event>,
    lost_traces: u64,
    notes: Notes,
}

impl EventQueue {
    pub(crate) fn push(&mut self, event: Event) {
        self.pending.push_back(Pending::Ready(event));
    }

    /// The caller makes sure that one promise for one object waits at most once.
    pub(crate) fn promise(&mut self, pending: Pending) {
        self.pending.push_back(pending);
    }

    pub(crate) fn trace(&mut self, event: Event) {
        if self.traces.len() < MAX_TRACES {
            self.traces.push_back(event);
        } else {
            self.lost_traces += 1;
        }
    }

    pub(crate) fn ask_for_notes(&mut self, topics: NoteTopics) -> NoteTopics {
        self.notes.ask_for(topics)
    }

    pub(crate) fn wants_notes(&self, topic: NoteTopic) -> bool {
        self.notes.wants(topic)
    }

    /// Tells a note, if its topic is asked for and not told of too often.
    pub(crate) fn note(&mut self, now: Time, note: Note) {
        if let Some(left_out) = self.notes.admit(now, note.topic()) {
            self.trace(Event::Note { note, left_out });
        }
    }

    /// Takes a message of `bytes` bytes for the program, or news about one, if there is room.
    pub(crate) fn message(&mut self, event: Event, bytes: usize) -> bool {
        let fits = self.message_bytes == 0 || self.message_bytes + bytes <= MAX_MESSAGE_BYTES;
        let room = self.messages.len() < MAX_MESSAGES && fits;
        if room {
            self.message_bytes += bytes;
            self.messages.push_back((event, bytes));
        }
        room
    }

    fn pop_message(&mut self) -> Option<Pending> {
        let (event, bytes) = self.messages.pop_front()?;
        self.message_bytes -= bytes;
        Some(Pending::Ready(event))
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        let next = self.pending.pop_front().or_else(|| self.pop_message());
        next.or_else(|| self.traces.pop_front().map(Pending::Ready))
    }

    pub(crate) fn lost_traces(&self) -> u64 {
        self.lost_traces
    }
}
