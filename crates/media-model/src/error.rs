//! Errors of the control plane: one enum per operation, each naming the field or object at fault.

use crate::id::{
    ConsumerId, DataConsumerId, DataProducerId, ProducerId, RouterId, RtpObserverId, TransportId,
};
use crate::options::{KEY_FRAME_CACHE_AGE, KEY_FRAME_CACHE_BYTES};
use tureen_rtp_dictionaries as dict;

/// An object that is not, or no longer, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFoundError {
    /// No such router.
    #[error("router {0} not found")]
    Router(RouterId),
    /// No such transport.
    #[error("transport {0} not found")]
    Transport(TransportId),
    /// No such producer.
    #[error("producer {0} not found")]
    Producer(ProducerId),
    /// No such consumer.
    #[error("consumer {0} not found")]
    Consumer(ConsumerId),
    /// No such RTP observer.
    #[error("RTP observer {0} not found")]
    RtpObserver(RtpObserverId),
    /// No such data producer.
    #[error("data producer {0} not found")]
    DataProducer(DataProducerId),
    /// No such data consumer.
    #[error("data consumer {0} not found")]
    DataConsumer(DataConsumerId),
}

/// Why something could not be closed: it is closed already.
pub type CloseError = NotFoundError;

/// Why a router could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRouterError {
    /// The id is taken.
    #[error("a router with id {0} exists already")]
    AlreadyExists(RouterId),
    /// `mediaCodecs` is refused.
    #[error(transparent)]
    MediaCodecs(#[from] dict::RouterCapabilitiesError),
}

/// Why a router's codecs could not be exchanged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateMediaCodecsError {
    /// There is no such router.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// `mediaCodecs` is refused.
    #[error(transparent)]
    MediaCodecs(#[from] dict::RouterCapabilitiesError),
}

/// Why a transport could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddTransportError {
    /// There is no such router.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("a transport with id {0} exists already")]
    AlreadyExists(TransportId),
    /// An option of SCTP is out of range.
    #[error(transparent)]
    Sctp(#[from] tureen_data::OptionsError),
    /// A bound of the outgoing bitrate is refused.
    #[error(transparent)]
    Outgoing(#[from] OutgoingBitrateError),
}

/// Why a bound of the outgoing bitrate is refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutgoingBitrateError {
    /// There is no such transport.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The transport does not estimate what it may send.
    #[error("the transport does not estimate what it may send")]
    NoEstimate,
    /// `maxOutgoingBitrate` is too low.
    #[error("maxOutgoingBitrate {0} is below 30000 and not 0")]
    MaxTooLow(u32),
    /// `minOutgoingBitrate` is too low.
    #[error("minOutgoingBitrate {0} is below 30000 and not 0")]
    MinTooLow(u32),
    /// They contradict each other.
    #[error("minOutgoingBitrate {min} is above maxOutgoingBitrate {max}")]
    MinAboveMax {
        /// `minOutgoingBitrate`.
        min: u32,
        /// `maxOutgoingBitrate`.
        max: u32,
    },
}

/// Why a producer could not be made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// There is no such transport.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("a producer with id {0} exists already")]
    AlreadyExists(ProducerId),
    /// `rtpParameters` is malformed.
    #[error(transparent)]
    RtpParameters(#[from] dict::RtpParametersError),
    /// `rtpParameters` does not go with the router's capabilities.
    #[error(transparent)]
    Mapping(#[from] dict::RtpMappingError),
    /// `kind` is not what the codecs are.
    #[error(transparent)]
    Kind(#[from] dict::ConsumableParametersError),
    /// `rtpParameters.encodings` is empty.
    #[error("rtpParameters.encodings must not be empty")]
    NoEncodings,
    /// An encoding has neither ssrc nor rid, and there is more than one, or there is no mid either.
    #[error("rtpParameters.encodings[{0}] needs an ssrc or a rid")]
    UnidentifiedEncoding(usize),
    /// The SSRC is in use on this transport.
    #[error("ssrc {0} is already in use on this transport")]
    DuplicateSsrc(u32),
    /// The MID is in use on this transport and does not tell the encodings apart.
    #[error("mid '{0}' is already in use on this transport")]
    DuplicateMid(String),
    /// The RID is in use on this transport and there is no MID to tell it apart.
    #[error("rid '{0}' is already in use on this transport")]
    DuplicateRid(String),
    /// `rtpParameters.mid` is longer than 16 bytes, which is what an element of a one-byte header extension has room for
    /// (RFC 8285 section 4.2).
    #[error("rtpParameters.mid must have 16 bytes at most")]
    Mid,
    /// `rtpParameters.encodings` has more than one, and the codec is none that simulcast is made of: VP8, VP9, H264, AV1.
    #[error("rtpParameters.encodings must be one for {0}")]
    SimulcastCodec(String),
    /// `keyFrameCache.maxBytes` is out of range.
    #[error("keyFrameCache.maxBytes must be {} to {}", KEY_FRAME_CACHE_BYTES.start(), KEY_FRAME_CACHE_BYTES.end())]
    KeyFrameCacheMaxBytes,
    /// `keyFrameCache.maxAge` is out of range.
    #[error(
        "keyFrameCache.maxAge must be {} to {} ms",
        KEY_FRAME_CACHE_AGE.start().as_millis(),
        KEY_FRAME_CACHE_AGE.end().as_millis()
    )]
    KeyFrameCacheMaxAge,
    /// `keyFrameCache` is given, and the media is audio, or of a codec whose key frames cannot be told.
    #[error("keyFrameCache needs video of a codec whose key frames can be told")]
    KeyFrameCacheUnsuited,
    /// `contentHint` is given, and the media is audio.
    #[error("contentHint needs video")]
    ContentHintOfAudio,
    /// A header extension id is 0 or 15, or is used for two extensions.
    #[error("rtpParameters.headerExtensions[{0}].id is out of range or in use for another extension")]
    HeaderExtensionId(usize),
}

/// Why a consumer could not be made. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// There is no such transport or producer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("a consumer with id {0} exists already")]
    AlreadyExists(ConsumerId),
    /// `rtpCapabilities` is malformed.
    #[error(transparent)]
    RtpCapabilities(#[from] dict::RtpCapabilitiesError),
    /// `rtpCapabilities` has no codec for this producer.
    #[error(transparent)]
    Parameters(#[from] dict::ConsumerParametersError),
    /// `mid` is empty or longer than the 16 bytes that a header extension in the one-byte form has room for (RFC 8285
    /// section 4.2).
    #[error("mid must have 1 to 16 bytes")]
    Mid,
    /// `identity.cname` is empty or longer than the 255 bytes of an SDES item (RFC 3550 section 6.5).
    #[error("identity.cname must have 1 to 255 bytes")]
    Cname,
    /// `identity.ssrc`, or one that follows from it, is in use on this transport.
    #[error("identity.ssrc: {0} is already in use on this transport")]
    DuplicateSsrc(u32),
    /// The producer belongs to another router than the transport.
    #[error("producer {0} belongs to another router")]
    OtherRouter(ProducerId),
}

/// Why an RTP observer could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRtpObserverError {
    /// There is no such router.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The id is taken.
    #[error("an RTP observer with id {0} exists already")]
    AlreadyExists(RtpObserverId),
    /// `maxEntries` is 0.
    #[error("maxEntries must be 1 or more")]
    MaxEntries,
    /// `threshold` is out of range.
    #[error("threshold must be -127 to 0")]
    Threshold,
    /// `n` is 0.
    #[error("n must be 1 to 255")]
    N,
}

/// Why an RTP observer cannot listen to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveProducerError {
    /// There is no such observer, or its router has no such producer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The producer is of video.
    #[error("producer {0} must be of audio")]
    Kind(ProducerId),
    /// The observer listens to the producer already.
    #[error("producer {0} is observed already")]
    AlreadyObserved(ProducerId),
}

/// Why an RTP observer cannot stop listening to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnobserveProducerError {
    /// There is no such observer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The observer does not listen to the producer.
    #[error("producer {0} is not observed")]
    NotObserved(ProducerId),
}

/// Why a priority could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PriorityError {
    /// There is no such consumer.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// The priority is 0.
    #[error("priority must be 1 to 255")]
    Zero,
}
