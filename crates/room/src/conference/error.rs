//! Why an object closed, and one error enum for each operation; what `tureen` refuses keeps its own words.

use super::capabilities::MediaCodecsError;
use std::net::IpAddr;
use tureen::RequestError;
use tureen::dictionaries::{MediaKind, RtpCapabilitiesError, RtpParametersError};

/// A failure that closed an object. What was closed on request has none.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The Worker of the room died.
    #[error("the worker died")]
    WorkerDied,
    /// No Worker of the Server is left.
    #[error("all workers died")]
    AllWorkersDied,
    /// A receiver's media could not be taken in again after a change.
    #[error("the media cannot be received any more: {0}")]
    Produce(tureen::ProduceError),
    /// A sender's media could not be sent again after a change.
    #[error("the media cannot be sent any more: {0}")]
    Consume(tureen::ConsumeError),
}

/// The object is closed, and does nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} is closed")]
pub struct InvalidStateError(pub(super) &'static str);

/// Why a Server could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateServerError {
    /// `num_workers` is 0.
    #[error("numWorkers must be 1 to 255")]
    NumWorkers,
    /// The ports from `rtc_min_port` to `rtc_max_port` are too few for the Workers: each has an even number of them, at least two.
    #[error("rtcMinPort {min} to rtcMaxPort {max} are not enough ports for {workers} workers")]
    RtcPorts {
        /// The lowest port.
        min: u16,
        /// The highest port.
        max: u16,
        /// How many share them.
        workers: u8,
    },
    /// `rtc_ipv4` or `rtc_ipv6` is an address of the other family.
    #[error("{field}: {ip} is of the other family")]
    Family {
        /// The setting.
        field: &'static str,
        /// The address.
        ip: IpAddr,
    },
    /// The operating system gives no thread to tell listeners on.
    #[error("no thread for events: {0}")]
    Thread(#[source] std::io::Error),
    /// A Worker could not be made.
    #[error(transparent)]
    Worker(#[from] tureen::CreateWorkerError),
}

/// Why settings were not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateSettingsError {
    /// The Server is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
}

/// Why a room could not be made. Nothing of it is left then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRoomError {
    /// The Server is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// Its codecs are refused.
    #[error(transparent)]
    MediaCodecs(#[from] MediaCodecsError),
    /// Its Router could not be made.
    #[error(transparent)]
    Router(#[from] tureen::CreateRouterError),
}

/// Why a peer could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreatePeerError {
    /// The room is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// The name is empty.
    #[error("name must not be empty")]
    EmptyName,
    /// A peer of the room has this name.
    #[error("name: '{0}' is in the room already")]
    DuplicateName(String),
}

/// Why capabilities were not taken. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetCapabilitiesError {
    /// The peer is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// They were set before.
    #[error("the capabilities are set already")]
    AlreadySet,
    /// They are malformed.
    #[error("capabilities: {0}")]
    Capabilities(#[from] RtpCapabilitiesError),
}

/// Why a transport could not be made. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateTransportError {
    /// The peer is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// Neither `udp` nor `tcp` is wanted.
    #[error("udp or tcp must be true")]
    NoProtocol,
    /// The Server has no address to listen on: IPv4 and IPv6 are disabled.
    #[error("rtcIPv4 and rtcIPv6 are both disabled")]
    NoAddress,
    /// The room's Router refused.
    #[error(transparent)]
    Router(#[from] tureen::CreateTransportError),
}

/// Why a transport did not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The transport is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// It has neither ICE nor DTLS.
    #[error("only WebRTC transports have ICE and DTLS")]
    NotWebRtc,
    /// It does not connect: parameters that are refused, or given before.
    #[error(transparent)]
    Connect(#[from] tureen::ConnectError),
    /// There is no answer.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a receiver could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateRtpReceiverError {
    /// The peer or the transport is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// `kind` is depth, which nothing here can forward.
    #[error("kind: depth is not supported")]
    Depth,
    /// The peer has no capabilities yet.
    #[error("the capabilities of the peer are not set")]
    NoCapabilities,
    /// `transport` is another peer's.
    #[error("transport: is of another peer")]
    ForeignTransport,
}

/// Why parameters were not taken. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The receiver is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// `codecs` has no media codec.
    #[error("codecs: there is no media codec")]
    NoCodecs,
    /// `encodings` is empty.
    #[error("encodings: must not be empty")]
    NoEncodings,
    /// `mid` is there and empty.
    #[error("mid: must not be empty")]
    EmptyMid,
    /// `rtcp.cname` is longer than the 255 bytes of an SDES item (RFC 3550 section 6.5).
    #[error("rtcp.cname: must have 255 bytes at most")]
    Cname,
    /// A codec is there twice, an RTX codec repairs none, an encoding is of no codec, and the like.
    #[error(transparent)]
    Parameters(#[from] RtpParametersError),
    /// A codec is of the other kind of media.
    #[error("{field}: is not {kind}")]
    Kind {
        /// The path of the codec.
        field: String,
        /// What the receiver is for.
        kind: MediaKind,
    },
    /// A codec is not what the room calls by its payload type.
    #[error("{field}: {payload_type} is not this codec's in the room")]
    PayloadType {
        /// The path of the member.
        field: String,
        /// The payload type.
        payload_type: u8,
    },
    /// The transport of the receiver refused.
    #[error(transparent)]
    Produce(#[from] tureen::ProduceError),
}

/// Why a transport was not set. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetTransportError {
    /// The receiver or sender, or the transport, is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// The transport is another peer's.
    #[error("transport: is of another peer")]
    ForeignTransport,
    /// The transport refused a receiver's parameters.
    #[error(transparent)]
    Produce(#[from] tureen::ProduceError),
    /// The transport refused what a sender sends.
    #[error(transparent)]
    Consume(#[from] tureen::ConsumeError),
}

/// Why an object did not answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// What it rests on does not answer.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why audio levels cannot be listened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenAudioLevelsError {
    /// The room is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// There is nothing that hears.
    #[error(transparent)]
    Observer(#[from] tureen::CreateRtpObserverError),
}

/// Why packets cannot be listened to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenRtpError {
    /// The receiver is closed.
    #[error(transparent)]
    InvalidState(#[from] InvalidStateError),
    /// There is no transport to this program.
    #[error(transparent)]
    Transport(#[from] tureen::CreateTransportError),
    /// The media does not go out on it.
    #[error(transparent)]
    Consume(#[from] tureen::ConsumeError),
}
