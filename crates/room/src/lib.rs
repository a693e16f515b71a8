//! Rooms on top of [`tureen`]: who is there, who consumes what, and what closes with whom.
//!
//! [`Rooms`] are on one Worker. A [`Room`] has a Router, is made by the first [`Peer`] that enters and closes with the last
//! that leaves. A peer has transports, which the program makes on the room's Router and hands over; what it produces is
//! offered to every other peer that has joined, and a consumer, paused, is made of it for each. A peer's [`Inbox`] tells what
//! its endpoint has to know, in order; [`Rooms::events`] tells what happens everywhere. Messages go the same way as media: what
//! [`Peer::produce_data`] makes is offered to every other peer, and so is what the program adds to the room.
//!
//! ```
//! use tureen::dictionaries::{MediaKind, from_json};
//! use tureen::{DirectTransportOptions, ProducerOptions, WorkerManager, WorkerSettings};
//! use tureen_room::{Device, Direction, PeerEvent, PeerOptions, Profile, Rooms, RoomsOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! let worker = WorkerManager::new()?.create_worker(WorkerSettings::with_shards(1)).await?;
//! let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
//! let rooms = Rooms::new(worker, RoomsOptions::new(from_json(opus)?))?;
//!
//! let (speaker, _) = rooms.enter("lobby", PeerOptions::new("speaker")).await?;
//! let (viewer, mut news) = rooms.enter("lobby", PeerOptions::new("viewer")).await?;
//!
//! // Viewer can receive, and joins.
//! let transport = viewer.router().create_direct_transport(DirectTransportOptions::default()).await?;
//! viewer.add_transport(transport, Direction::Consuming)?;
//! viewer.join(Profile::new("Viewer", Device::default(), Some(rooms.rtp_capabilities().clone())))?;
//!
//! // Speaker sends.
//! let transport = speaker.router().create_direct_transport(DirectTransportOptions::default()).await?;
//! let transport = speaker.add_transport(transport, Direction::Producing)?;
//! speaker.join(Profile::new("Speaker", Device::default(), None))?;
//! let sent = from_json(
//!     r#"{
//!         "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
//!         "encodings": [{"ssrc": 1000}]
//!     }"#,
//! )?;
//! speaker.produce(&transport, ProducerOptions::new(MediaKind::Audio, sent)).await?;
//!
//! let Some(PeerEvent::PeerJoined(who)) = news.next().await else { panic!("Speaker joined") };
//! assert_eq!(who.display_name, "Speaker");
//! let Some(PeerEvent::ConsumerAdded(offer)) = news.next().await else { panic!("Speaker produces") };
//! assert_eq!(offer.peer_id, "speaker");
//! offer.consumer.resume().await?;
//!
//! speaker.close();
//! assert!(offer.consumer.closed());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! The module [`conference`] has other rooms: those of mediasoup's first version, with an `RtpSender` at each peer for what every other one sends.
//!
//! Futures run on any executor. There is no HTTP here, no JSON, and no notion of a connection.

pub mod conference;
mod data;
mod error;
mod inbox;
mod options;
mod peer;
mod queue;
mod register;
mod room;
mod rooms;
mod speakers;

pub use data::{Audience, DataOffer};
pub use error::{
    AddTransportError, ConsumeDataError, ConsumeError, EnterError, JoinError, ProduceDataError, ProduceError,
};
pub use inbox::{Inbox, Offer, PeerEvent};
pub use options::{
    CloseReason, Device, Direction, MAX_REPLICAS, PeerLimits, PeerOptions, Profile, Role, RoomsOptions,
    Subscription,
};
pub use peer::{Peer, PeerInfo, ProducerInfo};
pub use room::{Room, RoomInfo};
pub use rooms::{Rooms, RoomsEvent, RoomsEvents};
