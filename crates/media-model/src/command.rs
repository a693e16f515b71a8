//! What the control plane asks of a Core: one table of requests, each with its reply.
//!
//! Requests are data: a list of (time, request or datagram) and a seed determine all that a Core does.

use crate::core::Core;
use crate::data::{
    ConsumeDataError, DataConsumerDump, DataConsumerInfo, DataConsumerOptions, DataConsumerStats,
    DataMessage, DataProducerDump, DataProducerInfo, DataProducerOptions, DataProducerStats,
    DataSourceDescription, ProduceDataError, SendDataError,
};
use crate::description::{
    ConsumerDump, ConsumerInfo, ProducerDump, ProducerInfo, RouterDump, RtpObserverDump, SourceDescription,
    TransportDump,
};
use crate::error::{
    AddTransportError, CloseError, ConsumeError, CreateRouterError, CreateRtpObserverError, NotFoundError,
    ObserveProducerError, OutgoingBitrateError, PriorityError, ProduceError, UnobserveProducerError,
    UpdateMediaCodecsError,
};
use crate::explanation::ConsumerExplanation;
use crate::id::{
    ConsumerId, DataConsumerId, DataProducerId, ProducerId, RouterId, RtpObserverId, ShardId, TransportId,
};
use crate::notes::NoteTopics;
use crate::options::{
    ActiveSpeakerObserverOptions, AudioLevelObserverOptions, ConsumerOptions, LastNAudioOptions,
    ProducerOptions, RouterOptions, TransportOptions,
};
use crate::stats::{ConsumerStats, ProducerStats, TransportStats};
use crate::trace::{ConsumerTraceFlags, ProducerTraceFlags, TransportTraceFlags};
use tureen_rtp_dictionaries::{MediaLayers, RtpCapabilities};
use tureen_rtp_wire::Time;
use tureen_transport::Transport;

/// A request whose answer has a type.
pub trait Request<T: Transport>: Into<Command<T>> {
    /// The answer.
    type Reply;
    /// The answer out of what [`Core::handle_command`] returned for this request, `None` for that of any other.
    fn reply(reply: Reply<T>) -> Option<Self::Reply>;
}

/// What a Core answers to [`AddTransport`].
pub type AddTransportReply = Result<(), AddTransportError>;
/// What a Core answers to [`ConnectTransport`].
pub type ConnectTransportReply<T> =
    Result<Result<<T as Transport>::Details, <T as Transport>::ConnectError>, NotFoundError>;
/// What a Core answers to [`DescribeTransport`].
pub type DescribeTransportReply<T> = Result<<T as Transport>::Details, NotFoundError>;

/// Adds a transport, already bound, to a router.
#[derive(Debug)]
pub struct AddTransport<T> {
    /// The router.
    pub router: RouterId,
    /// The new transport's id.
    pub id: TransportId,
    /// The adapter.
    pub transport: T,
    /// What the Core needs to know of it.
    pub options: TransportOptions,
}

/// Gives a transport its remote's parameters.
#[derive(Debug)]
pub struct ConnectTransport<O> {
    /// The transport.
    pub id: TransportId,
    /// The parameters.
    pub options: O,
}

/// Asks what a transport tells of itself.
#[derive(Clone, Copy, Debug)]
pub struct DescribeTransport {
    /// The transport.
    pub id: TransportId,
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? } => $method:ident -> $reply:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type),* }

            impl<T: Transport> From<$name> for Command<T> {
                fn from(request: $name) -> Self {
                    Self::$name(request)
                }
            }

            impl<T: Transport> Request<T> for $name {
                type Reply = $reply;

                fn reply(reply: Reply<T>) -> Option<$reply> {
                    match reply {
                        Reply::$name(reply) => Some(reply),
                        _ => None,
                    }
                }
            }
        )*

        /// A request to a Core.
        #[allow(missing_docs, reason = "each variant carries the request of its name, which says what it is")]
        #[allow(clippy::large_enum_variant, reason = "requests are rare, and live as long as one call")]
        pub enum Command<T: Transport> {
            AddTransport(AddTransport<T>),
            ConnectTransport(ConnectTransport<T::ConnectOptions>),
            DescribeTransport(DescribeTransport),
            $($name($name),)*
        }

        /// The answer to the [`Command`] of the same name.
        #[allow(missing_docs, reason = "each variant carries the reply to the request of its name")]
        #[allow(clippy::large_enum_variant, reason = "replies are rare, and live as long as one call")]
        pub enum Reply<T: Transport> {
            AddTransport(AddTransportReply),
            ConnectTransport(ConnectTransportReply<T>),
            DescribeTransport(DescribeTransportReply<T>),
            $($name($reply),)*
        }

        impl<T: Transport> Core<T> {
            /// Carries out one request.
            pub fn handle_command(&mut self, now: Time, command: Command<T>) -> Reply<T> {
                match command {
                    Command::AddTransport(request) => Reply::AddTransport(self.add_transport(now, request)),
                    Command::ConnectTransport(request) => Reply::ConnectTransport(self.connect_transport(now, request)),
                    Command::DescribeTransport(request) => Reply::DescribeTransport(self.describe_transport(request)),
                    $(Command::$name(request) => Reply::$name(self.$method(now, request)),)*
                }
            }
        }
    };
}

requests! {
    /// Asks for notes of some topics from now on, and no others; answers with the topics before.
    AskForNotes {
        /// Which.
        topics: NoteTopics,
    } => ask_for_notes -> NoteTopics;
    /// Makes a router.
    CreateRouter {
        /// Its id.
        id: RouterId,
        /// Its options.
        options: RouterOptions,
    } => create_router -> Result<RtpCapabilities, CreateRouterError>;
    /// Exchanges a router's codecs; what exists already stays as it is.
    UpdateMediaCodecs {
        /// The router.
        id: RouterId,
        /// Its new options.
        options: RouterOptions,
    } => update_media_codecs -> Result<RtpCapabilities, UpdateMediaCodecsError>;
    /// Closes a router and all on it.
    CloseRouter {
        /// The router.
        id: RouterId,
    } => close_router -> Result<(), CloseError>;
    /// Asks for a router's internals.
    DumpRouter {
        /// The router.
        id: RouterId,
    } => dump_router -> Result<RouterDump, NotFoundError>;
    /// Closes a transport and all on it.
    CloseTransport {
        /// The transport.
        id: TransportId,
    } => close_transport -> Result<(), CloseError>;
    /// Asks for a transport's internals.
    DumpTransport {
        /// The transport.
        id: TransportId,
    } => dump_transport -> Result<TransportDump, NotFoundError>;
    /// Asks for a transport's statistics.
    GetTransportStats {
        /// The transport.
        id: TransportId,
    } => get_transport_stats -> Result<TransportStats, NotFoundError>;
    /// Limits what the remote is told to send.
    SetMaxIncomingBitrate {
        /// The transport.
        id: TransportId,
        /// Bits per second; 0 lifts the limit.
        bitrate: u32,
    } => set_max_incoming_bitrate -> Result<(), NotFoundError>;
    /// Bounds the estimate of what may be sent from above.
    SetMaxOutgoingBitrate {
        /// The transport.
        id: TransportId,
        /// Bits per second, 30,000 or more; 0 lifts the bound.
        bitrate: u32,
    } => set_max_outgoing_bitrate -> Result<(), OutgoingBitrateError>;
    /// Bounds it from below.
    SetMinOutgoingBitrate {
        /// The transport.
        id: TransportId,
        /// Bits per second, 30,000 or more; 0 lifts the bound.
        bitrate: u32,
    } => set_min_outgoing_bitrate -> Result<(), OutgoingBitrateError>;
    /// Chooses the trace events of a transport.
    TraceTransport {
        /// The transport.
        id: TransportId,
        /// Which.
        flags: TransportTraceFlags,
    } => trace_transport -> Result<(), NotFoundError>;
    /// Makes a producer.
    Produce {
        /// The transport that its media comes in on.
        transport: TransportId,
        /// Its options.
        options: ProducerOptions,
    } => produce -> Result<ProducerInfo, ProduceError>;
    /// Closes a producer and its consumers.
    CloseProducer {
        /// The producer.
        id: ProducerId,
    } => close_producer -> Result<(), CloseError>;
    /// Stops a producer's media from reaching its consumers.
    PauseProducer {
        /// The producer.
        id: ProducerId,
    } => pause_producer -> Result<(), NotFoundError>;
    /// Lets a producer's media reach its consumers again.
    ResumeProducer {
        /// The producer.
        id: ProducerId,
    } => resume_producer -> Result<(), NotFoundError>;
    /// Asks for a producer's statistics.
    GetProducerStats {
        /// The producer.
        id: ProducerId,
    } => get_producer_stats -> Result<Vec<ProducerStats>, NotFoundError>;
    /// Asks for a producer's internals.
    DumpProducer {
        /// The producer.
        id: ProducerId,
    } => dump_producer -> Result<ProducerDump, NotFoundError>;
    /// Chooses the trace events of a producer.
    TraceProducer {
        /// The producer.
        id: ProducerId,
        /// Which.
        flags: ProducerTraceFlags,
    } => trace_producer -> Result<(), NotFoundError>;
    /// Makes a consumer of a producer, or of a source mirrored from another shard.
    Consume {
        /// The transport that its media goes out on.
        transport: TransportId,
        /// Its options.
        options: ConsumerOptions,
    } => consume -> Result<ConsumerInfo, ConsumeError>;
    /// Closes a consumer.
    CloseConsumer {
        /// The consumer.
        id: ConsumerId,
    } => close_consumer -> Result<(), CloseError>;
    /// Pauses a consumer.
    PauseConsumer {
        /// The consumer.
        id: ConsumerId,
    } => pause_consumer -> Result<(), NotFoundError>;
    /// Resumes a consumer.
    ResumeConsumer {
        /// The consumer.
        id: ConsumerId,
    } => resume_consumer -> Result<(), NotFoundError>;
    /// Asks a consumer's source for a key frame.
    RequestKeyFrame {
        /// The consumer.
        id: ConsumerId,
    } => request_key_frame -> Result<(), NotFoundError>;
    /// Sets or, with `None`, unsets a consumer's priority.
    SetConsumerPriority {
        /// The consumer.
        id: ConsumerId,
        /// 1 to 255; `None` for the default, 1.
        priority: Option<u8>,
    } => set_consumer_priority -> Result<u8, PriorityError>;
    /// Prefers layers of a simulcast or SVC source.
    SetPreferredLayers {
        /// The consumer.
        id: ConsumerId,
        /// The layers; beyond the source's they are clamped.
        layers: MediaLayers,
    } => set_preferred_layers -> Result<Option<MediaLayers>, NotFoundError>;
    /// Asks for a consumer's statistics.
    GetConsumerStats {
        /// The consumer.
        id: ConsumerId,
    } => get_consumer_stats -> Result<ConsumerStats, NotFoundError>;
    /// Asks why a consumer sends what it sends.
    ExplainConsumer {
        /// The consumer.
        id: ConsumerId,
    } => explain_consumer -> Result<ConsumerExplanation, NotFoundError>;
    /// Asks for a consumer's internals.
    DumpConsumer {
        /// The consumer.
        id: ConsumerId,
    } => dump_consumer -> Result<ConsumerDump, NotFoundError>;
    /// Chooses the trace events of a consumer.
    TraceConsumer {
        /// The consumer.
        id: ConsumerId,
        /// Which.
        flags: ConsumerTraceFlags,
    } => trace_consumer -> Result<(), NotFoundError>;
    /// Makes an observer of how loud producers are. It lives on this shard, whichever its producers do.
    CreateAudioLevelObserver {
        /// The router.
        router: RouterId,
        /// Its options.
        options: AudioLevelObserverOptions,
    } => create_audio_level_observer -> Result<(), CreateRtpObserverError>;
    /// Makes an observer of who speaks. It lives on this shard, whichever its producers do.
    CreateActiveSpeakerObserver {
        /// The router.
        router: RouterId,
        /// Its options.
        options: ActiveSpeakerObserverOptions,
    } => create_active_speaker_observer -> Result<(), CreateRtpObserverError>;
    /// Makes an observer that has only the loudest producers forwarded. It lives on this shard, whichever its producers do.
    CreateLastNAudio {
        /// The router.
        router: RouterId,
        /// Its options.
        options: LastNAudioOptions,
    } => create_last_n_audio -> Result<(), CreateRtpObserverError>;
    /// Closes an RTP observer.
    CloseRtpObserver {
        /// The observer.
        id: RtpObserverId,
    } => close_rtp_observer -> Result<(), CloseError>;
    /// Pauses an RTP observer: it hears nothing.
    PauseRtpObserver {
        /// The observer.
        id: RtpObserverId,
    } => pause_rtp_observer -> Result<(), NotFoundError>;
    /// Resumes an RTP observer.
    ResumeRtpObserver {
        /// The observer.
        id: RtpObserverId,
    } => resume_rtp_observer -> Result<(), NotFoundError>;
    /// Has an RTP observer listen to a producer, until that closes.
    ObserveProducer {
        /// The observer.
        observer: RtpObserverId,
        /// A producer of audio on the same router. Of one on another shard the caller knows that it is.
        producer: ProducerId,
        /// The shard that the producer lives on.
        home: ShardId,
    } => observe_producer -> Result<(), ObserveProducerError>;
    /// Has an RTP observer listen to a producer no more.
    UnobserveProducer {
        /// The observer.
        observer: RtpObserverId,
        /// The producer.
        producer: ProducerId,
    } => unobserve_producer -> Result<(), UnobserveProducerError>;
    /// Asks for an RTP observer's internals.
    DumpRtpObserver {
        /// The observer.
        id: RtpObserverId,
    } => dump_rtp_observer -> Result<RtpObserverDump, NotFoundError>;
    /// Makes a data producer.
    ProduceData {
        /// The transport that its messages come in on.
        transport: TransportId,
        /// Its options.
        options: DataProducerOptions,
    } => produce_data -> Result<DataProducerInfo, ProduceDataError>;
    /// Closes a data producer and its data consumers.
    CloseDataProducer {
        /// The data producer.
        id: DataProducerId,
    } => close_data_producer -> Result<(), CloseError>;
    /// Stops a data producer's messages from reaching its data consumers.
    PauseDataProducer {
        /// The data producer.
        id: DataProducerId,
    } => pause_data_producer -> Result<(), NotFoundError>;
    /// Lets a data producer's messages reach its data consumers again.
    ResumeDataProducer {
        /// The data producer.
        id: DataProducerId,
    } => resume_data_producer -> Result<(), NotFoundError>;
    /// On a direct transport: puts a message of the program in.
    SendToDataProducer {
        /// The data producer.
        id: DataProducerId,
        /// The message.
        message: DataMessage,
    } => send_to_data_producer -> Result<(), SendDataError>;
    /// Asks for a data producer's statistics.
    GetDataProducerStats {
        /// The data producer.
        id: DataProducerId,
    } => get_data_producer_stats -> Result<DataProducerStats, NotFoundError>;
    /// Asks for a data producer's internals.
    DumpDataProducer {
        /// The data producer.
        id: DataProducerId,
    } => dump_data_producer -> Result<DataProducerDump, NotFoundError>;
    /// Makes a data consumer of a data producer, or of one mirrored from another shard.
    ConsumeData {
        /// The transport that its messages go out on.
        transport: TransportId,
        /// Its options.
        options: DataConsumerOptions,
    } => consume_data -> Result<DataConsumerInfo, ConsumeDataError>;
    /// Closes a data consumer.
    CloseDataConsumer {
        /// The data consumer.
        id: DataConsumerId,
    } => close_data_consumer -> Result<(), CloseError>;
    /// Pauses a data consumer.
    PauseDataConsumer {
        /// The data consumer.
        id: DataConsumerId,
    } => pause_data_consumer -> Result<(), NotFoundError>;
    /// Resumes a data consumer.
    ResumeDataConsumer {
        /// The data consumer.
        id: DataConsumerId,
    } => resume_data_consumer -> Result<(), NotFoundError>;
    /// Exchanges a data consumer's subchannels; answers with those it has then.
    SetSubchannels {
        /// The data consumer.
        id: DataConsumerId,
        /// Its subchannels from now on.
        subchannels: Vec<u16>,
    } => set_subchannels -> Result<Vec<u16>, NotFoundError>;
    /// Adds a subchannel to a data consumer's; answers with those it has then.
    AddSubchannel {
        /// The data consumer.
        id: DataConsumerId,
        /// The subchannel.
        subchannel: u16,
    } => add_subchannel -> Result<Vec<u16>, NotFoundError>;
    /// Takes a subchannel from a data consumer's; answers with those it has then.
    RemoveSubchannel {
        /// The data consumer.
        id: DataConsumerId,
        /// The subchannel.
        subchannel: u16,
    } => remove_subchannel -> Result<Vec<u16>, NotFoundError>;
    /// Sets from what number of waiting bytes downwards a data consumer tells of room. Default: it does not tell.
    SetBufferedAmountLowThreshold {
        /// The data consumer.
        id: DataConsumerId,
        /// Bytes.
        threshold: u32,
    } => set_buffered_amount_low_threshold -> Result<(), NotFoundError>;
    /// Asks how many bytes of a data consumer wait to be sent or acknowledged; 0 on a direct transport.
    GetBufferedAmount {
        /// The data consumer.
        id: DataConsumerId,
    } => get_buffered_amount -> Result<u32, NotFoundError>;
    /// Sends a message to a data consumer's endpoint alone; answers with the bytes that wait then. Neither pauses nor
    /// subchannels count.
    SendToDataConsumer {
        /// The data consumer.
        id: DataConsumerId,
        /// The message.
        message: DataMessage,
    } => send_to_data_consumer -> Result<u32, SendDataError>;
    /// Asks for a data consumer's statistics.
    GetDataConsumerStats {
        /// The data consumer.
        id: DataConsumerId,
    } => get_data_consumer_stats -> Result<DataConsumerStats, NotFoundError>;
    /// Asks for a data consumer's internals.
    DumpDataConsumer {
        /// The data consumer.
        id: DataConsumerId,
    } => dump_data_consumer -> Result<DataConsumerDump, NotFoundError>;
    /// Relays a producer's packets to another shard from now on.
    PublishSource {
        /// The producer.
        producer: ProducerId,
        /// The shard that will mirror it.
        to: ShardId,
    } => publish_source -> Result<SourceDescription, NotFoundError>;
    /// Mirrors a producer of another shard; does nothing if it is mirrored already.
    MirrorSource {
        /// What [`PublishSource`] answered there.
        source: SourceDescription,
    } => mirror_source -> Result<(), NotFoundError>;
    /// Relays a data producer's messages to another shard from now on.
    PublishDataSource {
        /// The data producer.
        data_producer: DataProducerId,
        /// The shard that will mirror it.
        to: ShardId,
    } => publish_data_source -> Result<DataSourceDescription, NotFoundError>;
    /// Mirrors a data producer of another shard; does nothing if it is mirrored already.
    MirrorDataSource {
        /// What [`PublishDataSource`] answered there.
        source: DataSourceDescription,
    } => mirror_data_source -> Result<(), NotFoundError>;
}

impl<T: Transport> From<AddTransport<T>> for Command<T> {
    fn from(request: AddTransport<T>) -> Self {
        Self::AddTransport(request)
    }
}

impl<T: Transport> Request<T> for AddTransport<T> {
    type Reply = AddTransportReply;

    fn reply(reply: Reply<T>) -> Option<Self::Reply> {
        match reply {
            Reply::AddTransport(reply) => Some(reply),
            _ => None,
        }
    }
}

impl<T: Transport> From<ConnectTransport<T::ConnectOptions>> for Command<T> {
    fn from(request: ConnectTransport<T::ConnectOptions>) -> Self {
        Self::ConnectTransport(request)
    }
}

impl<T: Transport> Request<T> for ConnectTransport<T::ConnectOptions> {
    type Reply = ConnectTransportReply<T>;

    fn reply(reply: Reply<T>) -> Option<Self::Reply> {
        match reply {
            Reply::ConnectTransport(reply) => Some(reply),
            _ => None,
        }
    }
}

impl<T: Transport> From<DescribeTransport> for Command<T> {
    fn from(request: DescribeTransport) -> Self {
        Self::DescribeTransport(request)
    }
}

impl<T: Transport> Request<T> for DescribeTransport {
    type Reply = DescribeTransportReply<T>;

    fn reply(reply: Reply<T>) -> Option<Self::Reply> {
        match reply {
            Reply::DescribeTransport(reply) => Some(reply),
            _ => None,
        }
    }
}
