//! A selective forwarding unit to program against: async handles to Workers, Routers, transports, producers and consumers.

mod app_data;
mod cascade;
mod children;
mod consumer;
mod dispatch;
mod error;
mod event;
mod index;
mod link;
mod listeners;
mod liveness;
mod log;
mod manager;
mod options;
mod producer;
mod resource_usage;
mod router;
mod stream;
mod switch;
mod transport;
mod typed;
mod worker;

pub use app_data::AppData;
pub use consumer::{Consumer, ConsumerObserver, WeakConsumer};
pub use error::{
    CanConsumeError, ConnectError, ConsumeError, CreateRouterError, CreateTransportError, CreateWorkerError,
    ProduceError, RequestError, ResourceUsageError, SendError, SetPriorityError, UpdateMediaCodecsError,
};
pub use event::{
    ConsumerEvent, ConsumerObserverEvent, ProducerEvent, ProducerObserverEvent, RouterEvent,
    RouterObserverEvent, TransportEvent, TransportObserverEvent, WorkerEvent, WorkerManagerEvent,
    WorkerObserverEvent,
};
pub use listeners::{HandlerId, ListenerError};
pub use log::{LogFilter, LogLevel, LogTag};
pub use manager::WorkerManager;
pub use options::{
    ConsumerOptions, DirectTransportOptions, ListenInfo, PlainConnectOptions, PlainTransportOptions,
    PortRange, ProducerOptions, RouterOptions, SocketFlags, WorkerSettings, WorkerUpdateSettings,
};
pub use producer::{Producer, ProducerObserver, WeakProducer};
pub use resource_usage::ResourceUsage;
pub use router::{Router, RouterObserver, WeakRouter};
pub use stream::EventStream;
pub use transport::{
    AnyTransport, DirectTransport, PlainTransport, PlainTransportDump, PlainTransportStats, Transport,
    TransportDump, TransportObserver, TransportProtocol, TransportStats, TransportTuple, TransportType,
    WeakDirectTransport, WeakPlainTransport, WeakTransport,
};
pub use worker::{WeakWorker, Worker, WorkerDump, WorkerObserver};

/// The objects' own words below the handles: ids, what they are described by, why they refuse.
pub use tureen_media_model as model;
pub use tureen_media_model::{ConsumerId, ProducerId, RouterId, TransportId, WorkerId};
/// RTP capabilities and parameters, and their negotiation.
pub use tureen_rtp_dictionaries as dictionaries;
pub use tureen_rtp_dictionaries::{parse_scalability_mode, supported_rtp_capabilities};
/// What shards are started with, and what they count.
pub use tureen_runtime as runtime;

/// The version of this crate.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
