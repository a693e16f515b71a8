//! Conferences with the objects of mediasoup's first version: whoever is in a [`Room`] gets what everybody else sends, as far as it can take it.
//!
//! A [`Server`] has Workers and shares rooms out to them. A [`Peer`] says once what its endpoint can do, has [`Transport`]s, an [`RtpReceiver`] for
//! each thing that it sends, and gets an [`RtpSender`] for each thing that somebody else sends: the same media under parameters that are
//! [reduced](reduce()) to what the peer can take. Where nothing is left of them the sender is not available.
//!
//! ```
//! use tureen::DirectTransportOptions;
//! use tureen::dictionaries::{MediaKind, from_json};
//! use tureen_room::conference::{RoomOptions, Server, ServerSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! let server = Server::new(ServerSettings::with_workers(1)).await?;
//! let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
//! let room = server.create_room(RoomOptions::new(from_json(opus)?)).await?;
//!
//! // Alice and Bob can do all that the room can.
//! let (alice, bob) = (room.create_peer("alice")?, room.create_peer("bob")?);
//! alice.set_capabilities(room.capabilities().clone()).await?;
//! bob.set_capabilities(room.capabilities().clone()).await?;
//!
//! // Alice sends.
//! let transport = alice.create_direct_transport(DirectTransportOptions::default()).await?;
//! let receiver = alice.create_rtp_receiver(MediaKind::Audio, &transport)?;
//! let sent = from_json(
//!     r#"{
//!         "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 100}],
//!         "encodings": [{"ssrc": 1000}]
//!     }"#,
//! )?;
//! receiver.receive(sent).await?;
//!
//! // Bob has a sender for it, which sends once it has a transport.
//! let [sender] = &bob.rtp_senders()[..] else { panic!("a sender for what Alice sends") };
//! assert!(sender.available() && !sender.active());
//! let transport = bob.create_direct_transport(DirectTransportOptions::default()).await?;
//! sender.set_transport(&transport).await?;
//! assert!(sender.active());
//!
//! alice.close();
//! assert!(sender.closed());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Objects live until they are closed; handles to them may come and go. Listeners are told on the one thread of the Server's
//! [`WorkerManager`](tureen::WorkerManager), in the order in which things happened; every object tells `close` once, as its last event. `docs/CLOSING.md`
//! says what closes with what.
//!
//! Futures run on any executor, and do the work that they stand for: what [`RtpReceiver::receive`] changes for all senders is done when it returns.
//! One that is dropped before may leave senders without media, until the next call that changes their receiver or them.

mod capabilities;
mod closing;
mod dump;
mod error;
mod event;
mod ids;
mod levels;
mod media;
mod packets;
mod peer;
mod reduce;
mod room;
mod rtp_receiver;
mod rtp_sender;
mod server;
mod settings;
mod transport;
mod validate;

pub use capabilities::{MediaCodecsError, effective_capabilities, room_codecs};
pub use dump::{
    ConferenceTransportDump, PeerDump, RoomDump, RtpReceiverDump, RtpSenderDump, ServerDump, WorkerRoomsDump,
};
pub use error::{
    CloseError, CreatePeerError, CreateRoomError, CreateRtpReceiverError, CreateServerError,
    CreateTransportError, InvalidStateError, ListenAudioLevelsError, ListenRtpError, ReceiveError,
    SetCapabilitiesError, SetTransportError, StateError, TransportError, UpdateSettingsError,
};
pub use event::{
    AudioLevel, ParametersChange, PeerEvent, RoomEvent, RtpObject, RtpReceiverEvent, RtpSenderEvent,
    ServerEvent, TransportEvent,
};
pub use levels::AudioLevelsListener;
pub use packets::PacketListener;
pub use peer::Peer;
pub use reduce::{SenderIdentity, is_available, reduce};
pub use room::Room;
pub use rtp_receiver::RtpReceiver;
pub use rtp_sender::RtpSender;
pub use server::Server;
pub use settings::{EnableOptions, ReceiverKind, RoomOptions, RtcAddress, ServerSettings, TransportOptions};
pub use transport::Transport;
