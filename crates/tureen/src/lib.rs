//! A selective forwarding unit to program against: async handles to Workers, Routers, transports, producers and consumers.
//!
//! A [`Worker`] is a set of shards, each a thread with its own sockets; a [`Router`] spans them and forwards what comes in
//! on one of its transports, as a [`Producer`], to any number of others, each with a [`Consumer`]. A [`PlainTransport`]
//! carries RTP over UDP, a [`PipeTransport`] leads to another Router, a [`DirectTransport`] exchanges it with this program:
//!
//! ```
//! use tureen::dictionaries::{MediaKind, from_json};
//! use tureen::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! let manager = WorkerManager::new()?;
//! let worker = manager.create_worker(WorkerSettings::with_shards(2)).await?;
//! let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
//! let router = worker.create_router(RouterOptions::new(from_json(opus)?)).await?;
//!
//! // One direct transport to put RTP in ...
//! let source = router.create_direct_transport(DirectTransportOptions::default()).await?;
//! let sent = from_json(
//!     r#"{
//!         "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
//!         "encodings": [{"ssrc": 1000}]
//!     }"#,
//! )?;
//! let producer = source.produce(ProducerOptions::new(MediaKind::Audio, sent)).await?;
//!
//! // ... and another, on another shard, to take it out.
//! let sink = router.create_direct_transport(DirectTransportOptions::default()).await?;
//! let consumer = sink.consume(ConsumerOptions::new(producer.id(), router.rtp_capabilities())).await?;
//! let mut events = consumer.events();
//!
//! let header = rtp::header::Header { version: 2, payload_type: 111, ssrc: 1000, ..Default::default() };
//! producer.send_packet(&rtp::packet::Packet { header, payload: "sound".into() })?;
//! while let Some(event) = events.next().await {
//!     if let ConsumerEvent::Rtp(packet) = event {
//!         assert!(packet.ends_with(b"sound"));
//!         break;
//!     }
//! }
//!
//! producer.close();
//! assert!(consumer.closed());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Handles are `Clone`; an object closes with `close` or when its last handle goes. Children keep their parents open, not
//! the other way round. Listeners (`on_…`, `events`, `observer`) are told on one thread of the [`WorkerManager`]. The futures
//! run on any executor. `docs/CLOSING.md` says who closes whom and what each is told.

mod app_data;
mod cascade;
mod children;
#[cfg(test)]
mod closing_matrix;
mod consumer;
mod data;
mod dispatch;
mod error;
mod event;
mod index;
mod link;
mod listeners;
mod liveness;
mod log;
mod manager;
mod note;
mod options;
mod pipe;
mod producer;
mod resource_usage;
mod router;
mod rtp_observer;
mod stream;
mod switch;
mod transport;
mod typed;
mod webrtc_server;
mod worker;

pub use app_data::AppData;
pub use consumer::{Consumer, ConsumerObserver, WeakConsumer};
pub use data::{
    DataConsumer, DataConsumerObserver, DataConsumerOptions, DataProducer, DataProducerObserver,
    DataProducerOptions, WeakDataConsumer, WeakDataProducer,
};
pub use error::{
    AddProducerError, CanConsumeError, ConnectError, ConsumeDataError, ConsumeError, CreateRouterError,
    CreateRtpObserverError, CreateTransportError, CreateWebRtcServerError, CreateWorkerError,
    PipeDataProducerToRouterError, PipeError, PipeProducerToRouterError, ProduceDataError, ProduceError,
    RemoveProducerError, RequestError, ResourceUsageError, SendDataError, SendError, SetOutgoingBitrateError,
    SetPriorityError, UpdateMediaCodecsError,
};
pub use event::{
    AudioLevelVolume, ConsumerEvent, ConsumerObserverEvent, DataConsumerEvent, DataConsumerObserverEvent,
    DataProducerEvent, DataProducerObserverEvent, ProducerEvent, ProducerObserverEvent, RouterEvent,
    RouterObserverEvent, RtpObserverEvent, RtpObserverObserverEvent, TransportEvent, TransportObserverEvent,
    WebRtcServerEvent, WebRtcServerObserverEvent, WorkerEvent, WorkerManagerEvent, WorkerObserverEvent,
};
pub use listeners::{HandlerId, ListenerError};
pub use log::{LogFilter, LogLevel, LogTag};
pub use manager::WorkerManager;
pub use options::{
    ActiveSpeakerObserverOptions, AudioLevelObserverOptions, ConsumerOptions, DirectTransportOptions,
    DtlsFiles, LastNAudioOptions, ListenInfo, PlainConnectOptions, PlainTransportOptions, PortRange,
    ProducerOptions, RouterOptions, SctpTransportOptions, SocketFlags, WebRtcListen, WebRtcServerOptions,
    WebRtcTransportOptions, WorkerSettings, WorkerUpdateSettings,
};
pub use pipe::{
    PipeConnectOptions, PipeToRouterOptions, PipeTransportOptions, PipedDataProducer, PipedDataProducerPair,
    PipedProducer, PipedProducerPair,
};
pub use producer::{Producer, ProducerObserver, WeakProducer};
pub use resource_usage::ResourceUsage;
pub use router::{Router, RouterObserver, WeakRouter};
pub use rtp_observer::{
    ActiveSpeakerObserver, AnyRtpObserver, AudioLevelObserver, LastNAudio, RtpObserver, RtpObserverObserver,
    RtpObserverType, WeakActiveSpeakerObserver, WeakAudioLevelObserver, WeakLastNAudio, WeakRtpObserver,
};
pub use stream::EventStream;
pub use transport::{
    AnyTransport, DataTransport, DirectTransport, IceTransportStats, PipeTransport, PipeTransportDump,
    PipeTransportStats, PlainTransport, PlainTransportDump, PlainTransportStats, Transport, TransportDump,
    TransportObserver, TransportStats, TransportTuple, TransportType, WeakDirectTransport, WeakPipeTransport,
    WeakPlainTransport, WeakTransport, WeakWebRtcTransport, WebRtcTransport, WebRtcTransportDump,
};
pub use tureen_rtp_dictionaries::TransportProtocol;
pub use tureen_transport_webrtc::WebRtcDetails;
pub use webrtc_server::{
    WeakWebRtcServer, WebRtcServer, WebRtcServerDump, WebRtcServerId, WebRtcServerObserver,
    WebRtcServerSocket,
};
pub use worker::{WeakWorker, Worker, WorkerDump, WorkerObserver};

/// What events are made of, for layers on top that have objects and listeners of their own; [`WorkerManager::run`] tells them in order.
pub mod signals {
    pub use crate::listeners::{Audience, Class, Emitter, Signal};
}
/// SCTP as the messages of programs see it: what a message is, and why it is not sent.
pub use tureen_data as data_channels;
/// The objects' own words below the handles: ids, what they are described by, why they refuse.
pub use tureen_media_model as model;
pub use tureen_media_model::{
    AnnouncedDataChannel, ConsumerId, ConsumerIdentity, ConsumerNumbering, ContentHint, DataConsumerId,
    DataMessage, DataProducerId, DataType, KeyFrameCache, ProducerId, RouterId, RtpObserverId, TransportId,
    WorkerId,
};
/// RTP capabilities and parameters, and their negotiation.
pub use tureen_rtp_dictionaries as dictionaries;
pub use tureen_rtp_dictionaries::{parse_scalability_mode, supported_rtp_capabilities};
/// What shards are started with, and what they count.
pub use tureen_runtime as runtime;

/// The version of this crate.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
