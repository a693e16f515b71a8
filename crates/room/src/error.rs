//! One error enum for each operation; what `tureen` refuses keeps its own words.

use tureen::{CreateRouterError, CreateRtpObserverError, DataProducerId, ProducerId, TransportId};

/// Why a peer could not enter. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// The rooms are closed.
    #[error("the rooms are closed")]
    Closed,
    /// The rooms are draining, and this one does not exist.
    #[error("no new rooms are opened any more")]
    Draining,
    /// An operator locked the room.
    #[error("room '{0}' is locked")]
    Locked(String),
    /// A peer with this id is in the room.
    #[error("id: '{0}' is in the room already")]
    Taken(String),
    /// There are as many rooms as there may be.
    #[error("there are {0} rooms already, which is the limit")]
    RoomsFull(usize),
    /// There are as many peers in the room as there may be.
    #[error("there are {0} peers in the room already, which is the limit")]
    RoomFull(usize),
    /// Its Router could not be made.
    #[error(transparent)]
    Router(#[from] CreateRouterError),
    /// The observers of who speaks could not be made.
    #[error(transparent)]
    RtpObserver(#[from] CreateRtpObserverError),
}

/// Why a peer could not join.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// It has joined before.
    #[error("the peer has joined already")]
    AlreadyJoined,
    /// Its capabilities are malformed.
    #[error("rtpCapabilities: {0}")]
    RtpCapabilities(#[from] tureen::dictionaries::RtpCapabilitiesError),
}

/// Why a transport was not taken; it closes with its last handle then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddTransportError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// It is on another Router than the room's.
    #[error("the transport is of another room")]
    OtherRouter,
    /// The peer has as many as it may have.
    #[error("there are {0} transports of the peer already, which is the limit")]
    Full(usize),
}

/// Why a peer could not produce. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// Its role does not allow it.
    #[error("this peer may not produce")]
    Role,
    /// It has no such transport.
    #[error("transport '{0}' not found")]
    TransportNotFound(TransportId),
    /// It has as many producers as it may have.
    #[error("there are {0} producers of the peer already, which is the limit")]
    Full(usize),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] tureen::ProduceError),
}

/// Why a peer could not consume. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// It has no such transport.
    #[error("transport '{0}' not found")]
    TransportNotFound(TransportId),
    /// Nobody in the room has such a producer.
    #[error("producer '{0}' not found")]
    ProducerNotFound(ProducerId),
    /// It has as many consumers as it may have.
    #[error("there are {0} consumers of the peer already, which is the limit")]
    Full(usize),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] tureen::ConsumeError),
}

/// Why a peer could not produce messages. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceDataError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// Its role does not allow it.
    #[error("this peer may not produce")]
    Role,
    /// It has no such transport.
    #[error("transport '{0}' not found")]
    TransportNotFound(TransportId),
    /// It has as many data producers as it may have.
    #[error("there are {0} data producers of the peer already, which is the limit")]
    Full(usize),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] tureen::ProduceDataError),
}

/// Why a peer could not consume messages. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeDataError {
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
    /// It has no such transport.
    #[error("transport '{0}' not found")]
    TransportNotFound(TransportId),
    /// Nobody in the room has such a data producer.
    #[error("data producer '{0}' not found")]
    DataProducerNotFound(DataProducerId),
    /// It has as many data consumers as it may have.
    #[error("there are {0} data consumers of the peer already, which is the limit")]
    Full(usize),
    /// The transport refused.
    #[error(transparent)]
    Transport(#[from] tureen::ConsumeDataError),
}
