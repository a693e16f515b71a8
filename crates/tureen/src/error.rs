//! One error enum for each operation; what a lower layer refuses keeps its own words and names its own field.

use tureen_media_model as model;
use tureen_runtime::{
    AddDirectTransportError, AddListeningTransportError, AnyConnectError, CallError, ConnectTransportError,
    SendPacketError,
};

/// Why a request did not get its answer, whatever it was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The object, or one that it hangs on, is closed.
    #[error("it is closed")]
    Closed,
    /// The Worker died.
    #[error("the worker died")]
    WorkerDied,
    /// The Worker has too many requests waiting; this one was not carried out.
    #[error("the worker is busy")]
    Busy,
}

impl From<CallError> for RequestError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Busy => Self::Busy,
            CallError::ShardDied => Self::WorkerDied,
            _ => Self::Closed,
        }
    }
}

impl From<model::NotFoundError> for RequestError {
    /// The Core forgets what was closed.
    fn from(_: model::NotFoundError) -> Self {
        Self::Closed
    }
}

/// Why a Worker could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateWorkerError {
    /// `rtc_port_range` is empty or starts at 0.
    #[error("rtc_port_range {min} to {max} is no range of ports from 1 to 65535")]
    RtcPortRange {
        /// The lowest port.
        min: u16,
        /// The highest port.
        max: u16,
    },
    /// A file of `dtls_files` cannot be read.
    #[error("dtls_files: cannot read {}: {source}", path.display())]
    DtlsFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate of `dtls_files` is refused, or none could be made.
    #[error("dtls_files: {0}")]
    Certificate(#[source] tureen_transport_webrtc::CertificateError),
    /// The shards could not be started.
    #[error(transparent)]
    Start(#[from] tureen_runtime::StartError),
}

/// Why a Router could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRouterError {
    /// There is no answer; [`RequestError::Closed`]: the Worker is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An option is refused.
    #[error(transparent)]
    Refused(#[from] model::CreateRouterError),
}

/// Why a Router's codecs could not be exchanged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateMediaCodecsError {
    /// There is no answer; [`RequestError::Closed`]: the Router is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `media_codecs` is refused.
    #[error(transparent)]
    Refused(model::UpdateMediaCodecsError),
}

impl From<model::UpdateMediaCodecsError> for UpdateMediaCodecsError {
    fn from(error: model::UpdateMediaCodecsError) -> Self {
        match error {
            model::UpdateMediaCodecsError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why [`Router::can_consume`](crate::Router::can_consume) cannot tell.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CanConsumeError {
    /// The Router is closed.
    #[error("the router is closed")]
    Closed,
    /// The Router has no such producer.
    #[error("producer {0} not found")]
    ProducerNotFound(model::ProducerId),
    /// `rtp_capabilities` is malformed.
    #[error(transparent)]
    RtpCapabilities(#[from] tureen_rtp_dictionaries::RtpCapabilitiesError),
}

/// Why a transport could not be made. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateTransportError {
    /// There is no answer; [`RequestError::Closed`]: the Router is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `shard` names none of the Worker's.
    #[error("shard {0} does not exist")]
    ShardNotFound(u8),
    /// `rtcp_listen_info` is given though RTCP shares the RTP port.
    #[error("rtcpListenInfo must not be given with rtcpMux")]
    RtcpListenInfo,
    /// A plain transport is to listen for TCP.
    #[error("listenInfo.protocol must be udp")]
    Protocol,
    /// There is no place to listen: `listen_infos` is empty, or none of them is of an enabled protocol.
    #[error("listenInfos must name a place of an enabled protocol")]
    NoListenInfo,
    /// The WebRtcServer belongs to another Worker.
    #[error("webRtcServer belongs to another worker")]
    ForeignWebRtcServer,
    /// The WebRtcServer is closed.
    #[error("webRtcServer is closed")]
    WebRtcServerClosed,
    /// Its sockets could not be bound.
    #[error(transparent)]
    Bind(#[from] tureen_runtime::BindError),
    /// Its key could not be drawn.
    #[error(transparent)]
    Entropy(#[from] tureen_runtime::EntropyError),
    /// The shard cannot wait for its sockets.
    #[error("cannot wait for a socket: {0}")]
    Register(#[source] std::io::Error),
    /// The shard refused it.
    #[error(transparent)]
    Refused(model::AddTransportError),
}

impl From<model::AddTransportError> for CreateTransportError {
    fn from(error: model::AddTransportError) -> Self {
        match error {
            model::AddTransportError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

impl From<AddListeningTransportError> for CreateTransportError {
    fn from(error: AddListeningTransportError) -> Self {
        match error {
            AddListeningTransportError::Bind(error) => Self::Bind(error),
            AddListeningTransportError::Entropy(error) => Self::Entropy(error),
            AddListeningTransportError::Register(error) => Self::Register(error),
            AddListeningTransportError::Refused(error) => error.into(),
            AddListeningTransportError::Call(error) => Self::Request(error.into()),
            // Not known here: at any rate there is no transport.
            _ => Self::Request(RequestError::Closed),
        }
    }
}

impl From<AddDirectTransportError> for CreateTransportError {
    fn from(error: AddDirectTransportError) -> Self {
        match error {
            AddDirectTransportError::Refused(error) => error.into(),
            AddDirectTransportError::Call(error) => Self::Request(error.into()),
            // Not known here: at any rate there is no transport.
            _ => Self::Request(RequestError::Closed),
        }
    }
}

/// Why a WebRtcServer could not be made. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateWebRtcServerError {
    /// There is no answer; [`RequestError::Closed`]: the Worker is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `listen_infos` is empty.
    #[error("listenInfos must name a place")]
    NoListenInfo,
    /// Above a port there are fewer ports than shards.
    #[error("listenInfos: each shard takes a port of its own from port on, and there are not enough")]
    PortRange,
    /// A socket could not be opened.
    #[error(transparent)]
    Listen(AddListeningTransportError),
}

impl From<AddListeningTransportError> for CreateWebRtcServerError {
    fn from(error: AddListeningTransportError) -> Self {
        match error {
            AddListeningTransportError::Call(error) => Self::Request(error.into()),
            refused => Self::Listen(refused),
        }
    }
}

/// Why a transport did not connect. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An option is refused, or it was connected before.
    #[error(transparent)]
    Refused(AnyConnectError),
    /// A pipe transport is given a key of another suite.
    #[error("srtpParameters.cryptoSuite must be AEAD_AES_256_GCM")]
    CryptoSuite,
    /// Its key could not be drawn.
    #[error(transparent)]
    Entropy(#[from] tureen_runtime::EntropyError),
}

impl From<ConnectTransportError> for ConnectError {
    fn from(error: ConnectTransportError) -> Self {
        match error {
            ConnectTransportError::NotFound(gone) => Self::Request(gone.into()),
            ConnectTransportError::Refused(error) => Self::Refused(error),
            ConnectTransportError::Entropy(error) => Self::Entropy(error),
            ConnectTransportError::Call(error) => Self::Request(error.into()),
            // Not known here: at any rate it is not connected.
            _ => Self::Request(RequestError::Closed),
        }
    }
}

/// Why a producer could not be made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An option is refused.
    #[error(transparent)]
    Refused(model::ProduceError),
}

impl From<model::ProduceError> for ProduceError {
    fn from(error: model::ProduceError) -> Self {
        match error {
            model::ProduceError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why a consumer could not be made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The transport's Router has no such producer, or no longer.
    #[error("producer {0} not found")]
    ProducerNotFound(model::ProducerId),
    /// An option is refused.
    #[error(transparent)]
    Refused(model::ConsumeError),
}

/// Why a data producer could not be made. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceDataError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// An option is refused.
    #[error(transparent)]
    Refused(model::ProduceDataError),
}

impl From<model::ProduceDataError> for ProduceDataError {
    fn from(error: model::ProduceDataError) -> Self {
        match error {
            model::ProduceDataError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why a data consumer could not be made. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeDataError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The transport's Router has no such data producer, or no longer.
    #[error("data producer {0} not found")]
    DataProducerNotFound(model::DataProducerId),
    /// An option is refused.
    #[error(transparent)]
    Refused(model::ConsumeDataError),
}

impl From<model::ConsumeDataError> for ConsumeDataError {
    fn from(error: model::ConsumeDataError) -> Self {
        match error {
            model::ConsumeDataError::NotFound(model::NotFoundError::DataProducer(id)) => {
                Self::DataProducerNotFound(id)
            }
            model::ConsumeDataError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why there is no pipe between two Routers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// `router` is the one that the producer is on.
    #[error("router must be another one")]
    SameRouter,
    /// `keep_id` is set, and both Routers are on one Worker, where an id is given once.
    #[error("keepId must be false for routers of the same worker")]
    SameWorker,
    /// A pipe transport could not be made.
    #[error(transparent)]
    Transport(#[from] CreateTransportError),
    /// A pipe transport could not be connected to the other.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Why a producer was not piped to another Router. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeProducerToRouterError {
    /// The Router has no such producer, or no longer.
    #[error("producer {0} not found")]
    ProducerNotFound(model::ProducerId),
    /// There is no pipe to the other Router.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// It could not be consumed.
    #[error(transparent)]
    Consume(ConsumeError),
    /// It could not be produced on the other Router, which may have the id or lack the codec.
    #[error(transparent)]
    Produce(#[from] ProduceError),
}

impl From<ConsumeError> for PipeProducerToRouterError {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::ProducerNotFound(id) => Self::ProducerNotFound(id),
            refused => Self::Consume(refused),
        }
    }
}

/// Why a data producer was not piped to another Router. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeDataProducerToRouterError {
    /// The Router has no such data producer, or no longer.
    #[error("data producer {0} not found")]
    DataProducerNotFound(model::DataProducerId),
    /// There is no pipe to the other Router.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// It could not be consumed: the pipe may be without SCTP, or on another shard.
    #[error(transparent)]
    Consume(ConsumeDataError),
    /// It could not be produced on the other Router, which may have the id.
    #[error(transparent)]
    Produce(#[from] ProduceDataError),
}

impl From<ConsumeDataError> for PipeDataProducerToRouterError {
    fn from(error: ConsumeDataError) -> Self {
        match error {
            ConsumeDataError::DataProducerNotFound(id) => Self::DataProducerNotFound(id),
            refused => Self::Consume(refused),
        }
    }
}

/// Why a message of the program was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendDataError {
    /// There is no answer; [`RequestError::Closed`]: the object is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The message is refused, or there is no room for it.
    #[error(transparent)]
    Refused(model::SendDataError),
}

impl From<model::SendDataError> for SendDataError {
    fn from(error: model::SendDataError) -> Self {
        match error {
            model::SendDataError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why a bound of the outgoing bitrate could not be set. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetOutgoingBitrateError {
    /// There is no answer; [`RequestError::Closed`]: the transport is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The bound is refused.
    #[error(transparent)]
    Refused(model::OutgoingBitrateError),
}

impl From<model::OutgoingBitrateError> for SetOutgoingBitrateError {
    fn from(error: model::OutgoingBitrateError) -> Self {
        match error {
            model::OutgoingBitrateError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why a priority could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetPriorityError {
    /// There is no answer; [`RequestError::Closed`]: the consumer is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `priority` is 0.
    #[error("priority must be 1 to 255")]
    Zero,
}

impl From<model::PriorityError> for SetPriorityError {
    fn from(error: model::PriorityError) -> Self {
        match error {
            model::PriorityError::NotFound(gone) => Self::Request(gone.into()),
            _ => Self::Zero,
        }
    }
}

/// Why an RTP observer could not be made. Nothing of it is left then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRtpObserverError {
    /// There is no answer; [`RequestError::Closed`]: the Router is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// `shard` names none of the Worker's.
    #[error("shard {0} does not exist")]
    ShardNotFound(u8),
    /// An option is refused.
    #[error(transparent)]
    Refused(model::CreateRtpObserverError),
}

impl From<model::CreateRtpObserverError> for CreateRtpObserverError {
    fn from(error: model::CreateRtpObserverError) -> Self {
        match error {
            model::CreateRtpObserverError::NotFound(gone) => Self::Request(gone.into()),
            refused => Self::Refused(refused),
        }
    }
}

/// Why an RTP observer cannot listen to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddProducerError {
    /// There is no answer; [`RequestError::Closed`]: the observer is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The observer's Router has no such producer, or no longer.
    #[error("producer {0} not found")]
    ProducerNotFound(model::ProducerId),
    /// The producer is of video.
    #[error("producer {0} must be of audio")]
    Kind(model::ProducerId),
    /// It listens to the producer already.
    #[error("producer {0} was added before")]
    AlreadyAdded(model::ProducerId),
}

impl From<model::ObserveProducerError> for AddProducerError {
    fn from(error: model::ObserveProducerError) -> Self {
        match error {
            model::ObserveProducerError::NotFound(model::NotFoundError::Producer(id)) => {
                Self::ProducerNotFound(id)
            }
            model::ObserveProducerError::NotFound(gone) => Self::Request(gone.into()),
            model::ObserveProducerError::Kind(id) => Self::Kind(id),
            model::ObserveProducerError::AlreadyObserved(id) => Self::AlreadyAdded(id),
            // Not known here: at any rate it does not listen.
            _ => Self::Request(RequestError::Closed),
        }
    }
}

/// Why an RTP observer cannot stop listening to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveProducerError {
    /// There is no answer; [`RequestError::Closed`]: the observer is closed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It does not listen to the producer, which may have closed.
    #[error("producer {0} was not added")]
    NotAdded(model::ProducerId),
}

impl From<model::UnobserveProducerError> for RemoveProducerError {
    fn from(error: model::UnobserveProducerError) -> Self {
        match error {
            model::UnobserveProducerError::NotObserved(id) => Self::NotAdded(id),
            model::UnobserveProducerError::NotFound(gone) => Self::Request(gone.into()),
            // Not known here: at any rate it does not listen.
            _ => Self::Request(RequestError::Closed),
        }
    }
}

/// Why a packet of the program was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The object, or one that it hangs on, is closed.
    #[error("it is closed")]
    Closed,
    /// The producer's transport is not a direct one.
    #[error("only producers of a direct transport take packets of the program")]
    NotDirect,
    /// Too many packets wait for the shard; this one was dropped.
    #[error("too many packets wait; this one was dropped")]
    Full,
    /// The packet is longer than a datagram can be.
    #[error("{0} bytes are more than the 65507 of a datagram")]
    TooLong(usize),
    /// By its first two bytes it is not what the call is for: RTP, or RTCP (RFC 5761 section 4).
    #[error("not an {0} packet")]
    WrongKind(&'static str),
    /// What was given does not serialise to a packet.
    #[error("the packet does not serialise")]
    Malformed,
}

impl From<SendPacketError> for SendError {
    fn from(error: SendPacketError) -> Self {
        match error {
            SendPacketError::WrongKind(kind) => Self::WrongKind(kind),
            SendPacketError::TooLong(bytes) => Self::TooLong(bytes),
            SendPacketError::Full => Self::Full,
            _ => Self::Closed,
        }
    }
}

/// Why the system's account of resources could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceUsageError {
    /// The Worker is closed.
    #[error("the worker is closed")]
    Closed,
    /// The operating system refused.
    #[error("getrusage: {0}")]
    System(std::io::Error),
}
