//! What listeners are told, one pair of enums for each class: public events and observer events.
//!
//! Public events report what others caused; observer events report everything. Objects in them are weak, so that an
//! event that nobody reads keeps nothing open.

use crate::consumer::WeakConsumer;
use crate::data::{WeakDataConsumer, WeakDataProducer};
use crate::listeners::{Class, ListenerError};
use crate::producer::WeakProducer;
use crate::router::WeakRouter;
use crate::rtp_observer::WeakRtpObserver;
use crate::transport::{TransportTuple, WeakTransport};
use crate::webrtc_server::WeakWebRtcServer;
use crate::worker::WeakWorker;
use bytes::Bytes;
use tureen_media_model::{
    AnnouncedDataChannel, ConsumerScore, ConsumerTrace, DataMessage, ProducerId, ProducerScore,
    ProducerTrace, TransportId, TransportTrace, VideoOrientation,
};
use tureen_rtp_dictionaries::{DtlsState, IceState, MediaLayers, SctpState};

/// Writes event enums, and how a stream that is not read treats each variant.
#[doc(hidden)]
#[macro_export]
macro_rules! events {
    ($(
        $(#[$doc:meta])*
        $Event:ident {
            $($(#[$variant_doc:meta])* $Variant:ident $(($payload:ty))? = $name:literal, $class:expr;)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum $Event {
            $($(#[$variant_doc])* $Variant $(($payload))?,)*
            /// The stream was not read in time: so many traces or packets are missing here.
            Lagged(u64),
        }

        impl $crate::signals::Signal for $Event {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$Variant { .. } => $name,)*
                    Self::Lagged(_) => "lagged",
                }
            }

            fn class(&self) -> $crate::signals::Class {
                match self {
                    $(Self::$Variant { .. } => $class,)*
                    Self::Lagged(_) => $crate::signals::Class::Lifecycle,
                }
            }

            fn lagged(count: u64) -> Self {
                Self::Lagged(count)
            }
        }
    )*};
}

const SCORE: Class = Class::Newest(0);
const LAYERS: Class = Class::Newest(1);
const ORIENTATION: Class = Class::Newest(2);
const TUPLE: Class = Class::Newest(3);
const RTCP_TUPLE: Class = Class::Newest(4);
const PAUSE: Class = Class::Switch(5);
const SELECTED_TUPLE: Class = Class::Newest(6);
const VOLUMES: Class = Class::Newest(7);
const SPEAKER: Class = Class::Newest(8);
const WANTED: Class = Class::Newest(9);

/// How loud a producer was.
#[derive(Clone, Debug)]
pub struct AudioLevelVolume {
    /// The producer.
    pub producer: WeakProducer,
    /// Its average level in dBov, -127 to 0.
    pub volume: i8,
}

events! {
    /// News of a [`WorkerManager`](crate::WorkerManager).
    WorkerManagerEvent {
        /// A Worker was made.
        NewWorker(WeakWorker) = "newworker", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// News of a [`Worker`](crate::Worker).
    WorkerEvent {
        /// One of its shards ended unasked; the text says why. The Worker is closed.
        Died(String) = "died", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`Worker`](crate::Worker).
    WorkerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// A Router was made on it.
        NewRouter(WeakRouter) = "newrouter", Class::Lifecycle;
        /// A WebRtcServer was made on it.
        NewWebRtcServer(WeakWebRtcServer) = "newwebrtcserver", Class::Lifecycle;
    }
    /// News of a [`WebRtcServer`](crate::WebRtcServer).
    WebRtcServerEvent {
        /// Its Worker closed or died, and it with it.
        WorkerClose = "workerclose", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`WebRtcServer`](crate::WebRtcServer).
    WebRtcServerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// A transport was made on it.
        WebRtcTransportHandled(WeakTransport) = "webrtctransporthandled", Class::Lifecycle;
        /// A transport on it closed.
        WebRtcTransportUnhandled(TransportId) = "webrtctransportunhandled", Class::Lifecycle;
    }
    /// News of a [`Router`](crate::Router).
    RouterEvent {
        /// Its Worker closed or died, and it with it.
        WorkerClose = "workerclose", Class::Lifecycle;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`Router`](crate::Router).
    RouterObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// A transport was made on it.
        NewTransport(WeakTransport) = "newtransport", Class::Lifecycle;
        /// An RTP observer was made on it.
        NewRtpObserver(WeakRtpObserver) = "newrtpobserver", Class::Lifecycle;
    }
    /// News of a transport.
    TransportEvent {
        /// Its router closed, and it with it.
        RouterClose = "routerclose", Class::Lifecycle;
        /// A trace that [`enable_trace_event`](crate::Transport::enable_trace_event) asked for.
        Trace(TransportTrace) = "trace", Class::Sample;
        /// Plain transports with comedia: the remote address of RTP became known.
        Tuple(TransportTuple) = "tuple", TUPLE;
        /// Plain transports with comedia and without RTCP multiplexing: the remote address of RTCP became known.
        RtcpTuple(TransportTuple) = "rtcptuple", RTCP_TUPLE;
        /// WebRTC transports: its WebRtcServer closed, and it with it.
        ListenServerClose = "listenserverclose", Class::Lifecycle;
        /// WebRTC transports: ICE came further, or consent was lost.
        IceStateChange(IceState) = "icestatechange", Class::Lifecycle;
        /// WebRTC transports: packets go over another pair of addresses now, or over none.
        IceSelectedTupleChange(Option<TransportTuple>) = "iceselectedtuplechange", SELECTED_TUPLE;
        /// WebRTC transports: DTLS came further, failed or ended.
        DtlsStateChange(DtlsState) = "dtlsstatechange", Class::Lifecycle;
        /// The SCTP association came further, or is over.
        SctpStateChange(SctpState) = "sctpstatechange", Class::Lifecycle;
        /// The remote opened a data channel in the band (RFC 8832).
        DataChannel(AnnouncedDataChannel) = "datachannel", Class::Sample;
        /// Direct transports: an RTCP packet for the program.
        Rtcp(Bytes) = "rtcp", Class::Sample;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a transport.
    TransportObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// A producer was made on it.
        NewProducer(WeakProducer) = "newproducer", Class::Lifecycle;
        /// A consumer was made on it.
        NewConsumer(WeakConsumer) = "newconsumer", Class::Lifecycle;
        /// As [`TransportEvent::Trace`].
        Trace(TransportTrace) = "trace", Class::Sample;
        /// As [`TransportEvent::Tuple`].
        Tuple(TransportTuple) = "tuple", TUPLE;
        /// As [`TransportEvent::RtcpTuple`].
        RtcpTuple(TransportTuple) = "rtcptuple", RTCP_TUPLE;
        /// As [`TransportEvent::IceStateChange`].
        IceStateChange(IceState) = "icestatechange", Class::Lifecycle;
        /// As [`TransportEvent::IceSelectedTupleChange`].
        IceSelectedTupleChange(Option<TransportTuple>) = "iceselectedtuplechange", SELECTED_TUPLE;
        /// As [`TransportEvent::DtlsStateChange`].
        DtlsStateChange(DtlsState) = "dtlsstatechange", Class::Lifecycle;
        /// A data producer was made on it.
        NewDataProducer(WeakDataProducer) = "newdataproducer", Class::Lifecycle;
        /// A data consumer was made on it.
        NewDataConsumer(WeakDataConsumer) = "newdataconsumer", Class::Lifecycle;
        /// As [`TransportEvent::SctpStateChange`].
        SctpStateChange(SctpState) = "sctpstatechange", Class::Lifecycle;
        /// As [`TransportEvent::Rtcp`].
        Rtcp(Bytes) = "rtcp", Class::Sample;
    }
    /// News of a [`Producer`](crate::Producer).
    ProducerEvent {
        /// Its transport closed, and it with it.
        TransportClose = "transportclose", Class::Lifecycle;
        /// The score of one of its streams changed; all are told.
        Score(Vec<ProducerScore>) = "score", SCORE;
        /// The source was turned (RFC 7742 section 4).
        VideoOrientationChange(VideoOrientation) = "videoorientationchange", ORIENTATION;
        /// The highest layers that anybody wants are others than before; `None` if nobody wants any.
        WantedLayersChange(Option<MediaLayers>) = "wantedlayerschange", WANTED;
        /// A trace that [`enable_trace_event`](crate::Producer::enable_trace_event) asked for.
        Trace(ProducerTrace) = "trace", Class::Sample;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`Producer`](crate::Producer).
    ProducerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// It was paused.
        Pause = "pause", PAUSE;
        /// It was resumed.
        Resume = "resume", PAUSE;
        /// As [`ProducerEvent::Score`].
        Score(Vec<ProducerScore>) = "score", SCORE;
        /// As [`ProducerEvent::VideoOrientationChange`].
        VideoOrientationChange(VideoOrientation) = "videoorientationchange", ORIENTATION;
        /// As [`ProducerEvent::WantedLayersChange`].
        WantedLayersChange(Option<MediaLayers>) = "wantedlayerschange", WANTED;
        /// As [`ProducerEvent::Trace`].
        Trace(ProducerTrace) = "trace", Class::Sample;
    }
    /// News of a [`Consumer`](crate::Consumer).
    ConsumerEvent {
        /// Its transport closed, and it with it.
        TransportClose = "transportclose", Class::Lifecycle;
        /// Its producer closed, and it with it.
        ProducerClose = "producerclose", Class::Lifecycle;
        /// Its producer was paused, whether or not the consumer itself is.
        ProducerPause = "producerpause", PAUSE;
        /// Its producer was resumed, whether or not the consumer itself is paused.
        ProducerResume = "producerresume", PAUSE;
        /// A score that concerns it changed.
        Score(ConsumerScore) = "score", SCORE;
        /// Other layers are being forwarded; `None` for none.
        LayersChange(Option<MediaLayers>) = "layerschange", LAYERS;
        /// A trace that [`enable_trace_event`](crate::Consumer::enable_trace_event) asked for.
        Trace(ConsumerTrace) = "trace", Class::Sample;
        /// On a direct transport: an RTP packet for the program.
        Rtp(Bytes) = "rtp", Class::Sample;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`Consumer`](crate::Consumer).
    ConsumerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// Media stopped: it or its producer was paused, and neither was before.
        Pause = "pause", PAUSE;
        /// Media may flow again: neither it nor its producer is paused, and one was before.
        Resume = "resume", PAUSE;
        /// As [`ConsumerEvent::Score`].
        Score(ConsumerScore) = "score", SCORE;
        /// As [`ConsumerEvent::LayersChange`].
        LayersChange(Option<MediaLayers>) = "layerschange", LAYERS;
        /// As [`ConsumerEvent::Trace`].
        Trace(ConsumerTrace) = "trace", Class::Sample;
    }
    /// News of an [`RtpObserver`](crate::RtpObserver).
    RtpObserverEvent {
        /// Its router closed, and it with it.
        RouterClose = "routerclose", Class::Lifecycle;
        /// Audio level observers: who was heard in the last interval, the loudest first.
        Volumes(Vec<AudioLevelVolume>) = "volumes", VOLUMES;
        /// Audio level observers: nobody was heard, while somebody was before.
        Silence = "silence", VOLUMES;
        /// Active speaker observers: somebody else speaks now.
        DominantSpeaker(WeakProducer) = "dominantspeaker", SPEAKER;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to an [`RtpObserver`](crate::RtpObserver).
    RtpObserverObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// It was paused.
        Pause = "pause", PAUSE;
        /// It was resumed.
        Resume = "resume", PAUSE;
        /// It listens to a producer.
        AddProducer(WeakProducer) = "addproducer", Class::Sample;
        /// It listens to a producer no more, which may have closed.
        RemoveProducer(ProducerId) = "removeproducer", Class::Sample;
        /// As [`RtpObserverEvent::Volumes`].
        Volumes(Vec<AudioLevelVolume>) = "volumes", VOLUMES;
        /// As [`RtpObserverEvent::Silence`].
        Silence = "silence", VOLUMES;
        /// As [`RtpObserverEvent::DominantSpeaker`].
        DominantSpeaker(WeakProducer) = "dominantspeaker", SPEAKER;
    }
    /// News of a [`DataProducer`](crate::DataProducer).
    DataProducerEvent {
        /// Its transport closed, and it with it.
        TransportClose = "transportclose", Class::Lifecycle;
        /// Messages beyond what its transport may bring went no further; how many so far.
        MessagesLimited(u64) = "messageslimited", Class::Sample;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`DataProducer`](crate::DataProducer).
    DataProducerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// It was paused.
        Pause = "pause", PAUSE;
        /// It was resumed.
        Resume = "resume", PAUSE;
    }
    /// News of a [`DataConsumer`](crate::DataConsumer).
    DataConsumerEvent {
        /// Its transport closed, and it with it.
        TransportClose = "transportclose", Class::Lifecycle;
        /// Its data producer closed, and it with it.
        DataProducerClose = "dataproducerclose", Class::Lifecycle;
        /// Its data producer was paused, whether or not the data consumer itself is.
        DataProducerPause = "dataproducerpause", PAUSE;
        /// Its data producer was resumed, whether or not the data consumer itself is paused.
        DataProducerResume = "dataproducerresume", PAUSE;
        /// On a direct transport: a message for the program.
        Message(DataMessage) = "message", Class::Sample;
        /// A message found no room and is lost to it; told once until there is room again.
        SctpSendBufferFull = "sctpsendbufferfull", Class::Sample;
        /// What waits fell to its threshold or below; the bytes that wait.
        BufferedAmountLow(u32) = "bufferedamountlow", Class::Sample;
        /// A listener panicked.
        ListenerError(ListenerError) = "listenererror", Class::Sample;
    }
    /// Everything that happens to a [`DataConsumer`](crate::DataConsumer).
    DataConsumerObserverEvent {
        /// It closed.
        Close = "close", Class::Lifecycle;
        /// Messages stopped: it or its data producer was paused, and neither was before.
        Pause = "pause", PAUSE;
        /// Messages flow again: neither it nor its data producer is paused, and one was before.
        Resume = "resume", PAUSE;
    }
}

macro_rules! from_listener_error {
    ($($Event:ident),*) => {$(
        impl From<ListenerError> for $Event {
            fn from(error: ListenerError) -> Self {
                Self::ListenerError(error)
            }
        }
    )*};
}

from_listener_error!(
    WorkerManagerEvent,
    WorkerEvent,
    WebRtcServerEvent,
    RouterEvent,
    TransportEvent,
    ProducerEvent,
    ConsumerEvent,
    RtpObserverEvent,
    DataProducerEvent,
    DataConsumerEvent
);
