//! Shards: a thread each with sockets, a clock, channels and a Core.
//!
//! A [`Runtime`] is a set of shards. The program holds [`ShardHandle`]s: it asks ([`ShardHandle::call`]), closes
//! ([`ShardHandle::post`]), adds transports, and reads [`ShardEvent`]s from one bounded channel. Futures run on any executor.
//! Everything in [`Command`](tureen_media_model::Command) can be called; what stands beside it needs sockets or entropy.
//!
//! ```
//! use pollster::block_on;
//! use tureen_media_model::{CloseTransport, CreateRouter, RouterId, RouterOptions, TransportId};
//! use tureen_runtime::{PlainListen, Runtime, RuntimeConfig};
//! use tureen_transport::PlainTransportOptions;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::start(RuntimeConfig { shards: Some(1), ..RuntimeConfig::default() })?;
//! let shard = &runtime.shards()[0];
//! let router = RouterId(1);
//! block_on(shard.call(CreateRouter { id: router, options: RouterOptions::default() }))??;
//!
//! let listen = PlainListen::new([127, 0, 0, 1].into());
//! let options = PlainTransportOptions { comedia: true, ..Default::default() };
//! let details = block_on(shard.add_plain_transport(router, TransportId(2), &listen, options, None))?;
//! assert_ne!(details.local.port(), 0);
//!
//! shard.post(CloseTransport { id: TransportId(2) });
//! runtime.shutdown()?;
//! # Ok(())
//! # }
//! ```
//!
//! # A turn of a shard
//! Wait for sockets, the waker or the Core's next deadline; take up to four receive batches from each readable socket, with
//! one clock reading a batch; carry out what the program asked, in its order; take in what other shards relayed; fire
//! timers; send, relay, tell. Each kind of work is bounded in a turn, so none starves another.
//!
//! # What is full stalls nobody
//! | queue | bound | when full |
//! |---|---|---|
//! | calls | [`QueueSizes::calls`] | [`CallError::Busy`] |
//! | closes | the number of live objects | never |
//! | packets of the program | [`QueueSizes::program_packets`] | [`SendPacketError::Full`] |
//! | events | [`QueueSizes::events`] | they stay in the Core, where they coalesce; direct packets are dropped, counted |
//! | relay to another shard | [`QueueSizes::relay_batches`] | packets are dropped, counted; news waits |
//! | packets to send | the socket's send buffer | dropped, counted |
//!
//! A shard that panics ends alone: its calls fail with [`CallError::ShardDied`], and [`ShardEvent::Died`] says why.

mod clock;
mod config;
mod entropy;
mod error;
mod event;
mod handle;
mod ice_listen;
mod inbox;
mod listen;
mod net;
mod relay;
mod runtime;
mod shard;
mod snapshot;
mod tcp;
#[cfg(test)]
mod tests;
mod transport;

pub use clock::Clock;
pub use config::{EntropyError, MAX_EGRESS_HOLD, QueueSizes, RuntimeConfig, StartError};
pub use entropy::fresh_key_material;
pub use error::{
    AddDirectTransportError, AddListeningTransportError, CallError, ConnectTransportError, SendPacketError,
    ShutdownError,
};
pub use event::ShardEvent;
pub use handle::{Close, ShardHandle, WebRtcListens};
pub use listen::{BindError, IceSocketListen, PlainListen, PortChoice, SocketListen};
pub use runtime::Runtime;
pub use snapshot::{IoCounters, ShardSnapshot, TurnCounters};
pub use transport::{AnyConnectError, AnyConnectOptions, AnyDetails, AnyTransport};
/// CPU time and memory of the whole process.
pub use tureen_udp::{ResourceUsage, process_usage};
