//! The transport traits, and the plain and direct adapters composed from a path and a cipher.
//!
//! A [`Path`] says which remote address counts, a [`Cipher`] protects packets, and an [`Adapter`] puts the two together:
//!
//! | transport | path | cipher |
//! |---|---|---|
//! | [`PlainTransport`] | [`SocketPath`], connected or comedia | [`NullCipher`] or [`SrtpCipher`] |
//! | [`DirectTransport`] | [`Loopback`] | [`NullCipher`] |
//!
//! [`Ingress`] and [`Egress`] are the seam to whoever owns sockets; nothing here does, reads a clock or draws randomness.
//!
//! ```
//! use std::net::SocketAddr;
//! use tureen_transport::{
//!     Arrival, BoundSocket, Component, Opened, PlainTransport, PlainTransportOptions, SocketId, Transport,
//! };
//! use tureen_rtp_wire::Time;
//!
//! let socket = BoundSocket { id: SocketId(0), local: SocketAddr::from(([127, 0, 0, 1], 40_000)) };
//! let options = PlainTransportOptions { comedia: true, ..Default::default() };
//! let mut transport = PlainTransport::new(&options, socket, None, &[0; 46]);
//! assert_eq!(transport.destination(Component::Rtp), None);
//!
//! // The first RTP packet teaches the remote address.
//! let arrival = Arrival { socket: SocketId(0), source: SocketAddr::from(([127, 0, 0, 1], 5_000)) };
//! let mut packet = *b"\x80\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01media";
//! assert!(matches!(transport.open(Time::ZERO, arrival, &mut packet), Opened::Rtp { len: 17, .. }));
//! assert_eq!(transport.destination(Component::Rtp), Some(arrival.into()));
//! ```

mod adapter;
mod address;
mod cipher;
mod data;
mod direct;
mod io;
mod path;
mod plain;
mod srtp;
mod username;

pub use adapter::{
    Adapter, Claim, IceTuple, MAX_DATA, MAX_TRANSMIT, Opened, PathEvent, RejectReason, SocketIds, Transport,
};
pub use address::{Arrival, Component, Destination, Lane, SocketId};
pub use cipher::{Cipher, CipherError, NullCipher};
pub use direct::DirectTransport;
pub use io::{Datagram, Egress, Ingress};
pub use path::{Admission, Loopback, Path, SocketPath};
pub use plain::{
    BoundSocket, KeyMaterial, PlainConnectError, PlainConnectOptions, PlainDetails, PlainTransport,
    PlainTransportOptions, profile_of,
};
pub use srtp::SrtpCipher;
pub use username::UsernameFragment;
