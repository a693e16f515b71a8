//! Shards: a thread each with sockets, a clock, channels and a Core.

mod clock;
mod config;
mod entropy;
mod error;
mod event;
mod handle;
mod inbox;
mod listen;
mod net;
mod relay;
mod runtime;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;
mod transport;

pub use clock::Clock;
pub use config::{EntropyError, MAX_EGRESS_HOLD, QueueSizes, RuntimeConfig, StartError};
pub use entropy::fresh_key_material;
pub use error::{
    AddDirectTransportError, AddPlainTransportError, CallError, ConnectTransportError, SendPacketError, ShutdownError,
};
pub use event::ShardEvent;
pub use handle::{Close, ShardHandle};
pub use listen::{BindError, PlainListen, PortChoice, SocketListen};
pub use runtime::Runtime;
pub use snapshot::{IoCounters, ShardSnapshot, TurnCounters};
pub use transport::{AnyConnectError, AnyConnectOptions, AnyDetails, AnyTransport};
