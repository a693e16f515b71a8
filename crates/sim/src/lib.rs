//! Virtual clock, impaired links and model endpoints around the Core.
//!
//! A [`World`] holds one or several Cores, hosts with model senders and receivers, and a [`link::Link`] in each direction
//! between them. Its time jumps to the next packet or deadline, so that a minute of media takes well below a second; all
//! follows from a seed, so that what went wrong goes wrong again.
//!
//! ```
//! use std::time::Duration;
//! use tureen_media_model::ShardId;
//! use tureen_sim::endpoint::ModelCodec;
//! use tureen_sim::link::{LinkConfig, Loss};
//! use tureen_sim::{ConsumeOptions, ProduceOptions, World};
//!
//! let mut world = World::new(7);
//! let lossy = LinkConfig {
//!     delay: Duration::from_millis(20),
//!     loss: Loss::Random(0.03),
//!     ..LinkConfig::default()
//! };
//! let alice = world.add_host(ShardId(0));
//! let bob = world.add_linked_host(ShardId(0), LinkConfig::default(), lossy);
//! let producer = world.produce(alice, &ProduceOptions::new(ModelCodec::Vp8));
//! let consumer = world.consume(bob, producer, &ConsumeOptions::default());
//! world.run_for(Duration::from_secs(10));
//!
//! let seen = world.receiver(consumer).stats();
//! assert!(seen.missing > 0, "3% of the packets were lost on the way");
//! assert_eq!((seen.gaps, seen.broken), (0, 0), "and all of them were sent again");
//! ```
//!
//! The module [`relay`] is the same link model in real time, between real programs; [`scenario`] has named conversations.

mod batch;
mod capture;
pub mod endpoint;
pub mod link;
pub mod relay;
pub mod scenario;
mod trace;
mod wiring;
mod world;

pub use wiring::{ConsumeOptions, ProduceOptions, ROUTER, router_capabilities, rtp_parameters};
pub use world::{HostId, World};
