//! Errors of a shard's handle: one enum for each operation.

use crate::config::EntropyError;
use crate::listen::BindError;
use std::io;
use tureen_media_model::{AddTransportError, NotFoundError, ShardId};

/// Why a call got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// As many calls wait for the shard as its queue holds; nothing was done.
    #[error("the shard's queue of calls is full")]
    Busy,
    /// The shard's thread panicked; what it was asked may or may not have been done, and all on it is gone.
    #[error("the shard died")]
    ShardDied,
    /// The runtime was shut down.
    #[error("the runtime was shut down")]
    Stopped,
    /// The answer is not one to this request: its `Request` and its `Command` do not belong together.
    #[error("the answer belongs to another kind of request")]
    WrongReply,
}

/// Why a transport with sockets, or sockets that transports share, could not be added. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddListeningTransportError {
    /// Its sockets could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its key could not be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The shard cannot wait for its sockets.
    #[error("cannot wait for a socket: {0}")]
    Register(#[source] io::Error),
    /// The router refused it.
    #[error(transparent)]
    Refused(#[from] AddTransportError),
    /// The shard gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a direct transport could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddDirectTransportError {
    /// The router refused it.
    #[error(transparent)]
    Refused(#[from] AddTransportError),
    /// The shard gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a transport could not be connected. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectTransportError {
    /// There is no such transport.
    #[error(transparent)]
    NotFound(#[from] NotFoundError),
    /// It refused the options.
    #[error(transparent)]
    Refused(#[from] crate::AnyConnectError),
    /// Its key could not be drawn.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The shard gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a packet was not taken for a direct transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendPacketError {
    /// The packet is not of the kind that the call is for, by its first two bytes (RFC 5761 section 4).
    #[error("not an {0} packet")]
    WrongKind(&'static str),
    /// The packet is longer than a datagram can be.
    #[error("{0} bytes are more than the 65507 of a datagram")]
    TooLong(usize),
    /// As many packets wait for the shard as its queue holds.
    #[error("the shard's queue of packets is full")]
    Full,
    /// The shard died or was shut down.
    #[error(transparent)]
    Gone(CallError),
}

/// Shard threads that did not end within the time limit. They go on until they notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shards {0:?} did not stop in time")]
pub struct ShutdownError(pub Vec<ShardId>);
